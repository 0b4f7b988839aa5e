"""The engine with a toy model: what is kept is kept bit by bit, every tile follows from its seed, a resume changes nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from medsynth_core.engines._base import Note, Progress, Slice, Task
from medsynth_core.engines.nuclei.engine import ENGINE
from medsynth_core.engines.nuclei.model import NucleiModel
from medsynth_core.engines.nuclei.run import MARGIN_PX, round_region
from medsynth_core.errors import InputError, MedSynthError, ShapeError
from medsynth_core.protocol import OutputInfo
from medsynth_core.volume import Volume
from tests.engines.nuclei.drawn import ellipses, slide

SHAPE = (60, 71)
FIELD = ellipses(3, 6, SHAPE)


def task(model: NucleiModel, seed: int = 3, finished: Any = None, inputs: Any = None, **asked: Any) -> Task:
    params, _ = ENGINE.read_params({"steps": 1, "guidance": 1.0, **asked}, model.card)
    return Task({k: Volume(v) for k, v in (inputs or {}).items()}, params, seed, model, finished=finished or {})


def run(model: NucleiModel, **asked: Any) -> dict[str, np.ndarray]:
    """Return the outputs, (channel, z, y, x) each."""
    made: dict[str, dict[int, np.ndarray]] = {}
    for event in ENGINE.run(task(model, **asked)):
        if isinstance(event, Slice):
            made.setdefault(event.output, {})[event.z] = event.array
    return {name: np.stack([slices[z] for z in sorted(slices)], axis=1) for name, slices in made.items()}


def given(field: np.ndarray = FIELD) -> np.ndarray:
    return field[None, None].astype(np.uint16)


def region_of(y: slice, x: slice) -> np.ndarray:
    region = np.zeros((1, 1, *SHAPE), np.uint8)
    region[..., y, x] = 1
    return region


def test_without_anything_a_field_and_its_image_are_made_on_the_models_grid(toy: NucleiModel) -> None:
    events = list(ENGINE.run(task(toy)))
    shapes = {e.name: (e.shape, e.dtype, e.kind) for e in events if isinstance(e, OutputInfo)}
    assert shapes == {
        "image": ((3, 1, 256, 256), "uint8", "image"),
        "instances": ((1, 1, 256, 256), "uint16", "labels"),
        "structure": ((3, 1, 256, 256), "float32", "state"),
    }
    assert [e for e in events if isinstance(e, Progress)][-1] == Progress(2, 2, "tile 1")
    assert {"got_nuclei", "got_density", "got_size"} <= {e.key for e in events if isinstance(e, Note)}


def test_nuclei_given_are_painted_as_they_are(toy: NucleiModel) -> None:
    made = run(toy, inputs={"mask": given()})
    np.testing.assert_array_equal(made["instances"], given())
    assert made["image"].shape == (3, 1, *SHAPE)
    assert set(np.unique(made["structure"][0])) == {-1, 1}


def test_a_field_is_completed_round_the_nuclei_given(toy: NucleiModel) -> None:
    made = run(toy, inputs={"mask": given()}, given="complete")
    field = made["instances"][0, 0]
    np.testing.assert_array_equal(field[FIELD > 0], FIELD[FIELD > 0])
    assert not (set(np.unique(field[FIELD == 0])) - {0}) & set(np.unique(FIELD[FIELD > 0]))


def test_outside_of_a_region_image_and_nuclei_stay_bit_by_bit(toy: NucleiModel) -> None:
    region = region_of(slice(10, 30), slice(20, 44))
    image = slide(side=80)[:, None, : SHAPE[0], : SHAPE[1]]
    inputs = {"mask": given(), "region": region, "image": image}
    made = run(toy, inputs=inputs)
    outside = region[0, 0] == 0
    np.testing.assert_array_equal(made["image"][:, 0][:, outside], image[:, 0][:, outside])
    assert (made["image"][:, 0][:, ~outside] != image[:, 0][:, ~outside]).any()
    np.testing.assert_array_equal(made["instances"], given())
    again = run(toy, inputs=inputs, given="complete")["instances"][0, 0]
    kept = [n for n in np.unique(FIELD[FIELD > 0]) if 2 * (FIELD[~outside] == n).sum() < (n == FIELD).sum()]
    for n in kept:
        np.testing.assert_array_equal(again == n, n == FIELD)
    assert not (set(np.unique(again[outside])) - {0, *kept})


@pytest.mark.parametrize("spot", [(0, 0), (700, 500), (1023, 999), (3, 998)])
def test_a_small_change_in_a_large_image_is_looked_at_through_one_window(spot: tuple[int, int]) -> None:
    free = np.zeros((1024, 1000), bool)
    free[spot] = True
    rows, columns = round_region(free) or (slice(0), slice(0))
    assert (rows.stop - rows.start, columns.stop - columns.start) == (256, 256)
    assert free[rows, columns].any()
    assert rows.start >= 0
    assert columns.stop <= 1000


def test_a_large_region_is_seen_with_its_margin_and_an_empty_one_not_at_all() -> None:
    free = np.zeros((1024, 300), bool)
    assert round_region(free) is None
    free[100:500, 40:290] = True
    assert round_region(free) == (slice(100 - MARGIN_PX, 500 + MARGIN_PX), slice(0, 300))


def test_nothing_is_made_anew_where_the_region_is_empty(toy: NucleiModel) -> None:
    image = slide(side=80)[:, None, : SHAPE[0], : SHAPE[1]]
    made = run(toy, inputs={"mask": given(), "region": region_of(slice(0), slice(0)), "image": image})
    np.testing.assert_array_equal(made["image"], image)


def test_tile_z_of_a_stack_is_the_single_tile_of_the_seed_plus_z(toy: NucleiModel) -> None:
    stack, single = run(toy, slices=3), run(toy, seed=5)
    for name, array in single.items():
        np.testing.assert_array_equal(stack[name][:, 2], array[:, 0])


def test_a_resumed_job_ends_with_the_same_bytes(toy: NucleiModel) -> None:
    whole = run(toy, slices=3)
    finished = {name: {z: array[:, z] for z in (0, 1)} for name, array in whole.items()}
    del finished["image"][1]
    rest = run(toy, slices=3, finished=finished)
    np.testing.assert_array_equal(rest["image"], whole["image"][:, 1:])
    np.testing.assert_array_equal(rest["instances"], whole["instances"][:, 1:])


def test_a_stack_of_given_nuclei_is_painted_tile_by_tile(toy: NucleiModel) -> None:
    mask = np.stack([FIELD, FIELD.T.copy()[:60, :60].repeat(2, 1)[:, :71]])[None].astype(np.uint16)
    assert run(toy, inputs={"mask": mask})["image"].shape == (3, 2, *SHAPE)


def test_tiles_larger_than_a_window_are_made_of_windows(toy: NucleiModel) -> None:
    made = run(toy, height=257, width=300)
    assert made["image"].shape == (3, 1, 257, 300)
    assert made["instances"].shape == (1, 1, 257, 300)


def test_the_stain_of_an_image_is_what_the_network_is_told(toy: NucleiModel) -> None:
    told = run(toy, inputs={"mask": given(), "image": slide(side=64)[:, None]})
    other = run(toy, inputs={"mask": given(), "image": slide(side=64)[::-1, None].copy()})
    assert (told["image"] != other["image"]).any()


@pytest.mark.parametrize(
    ("inputs", "asked", "words", "kind"),
    [
        ({"region": region_of(slice(1, 9), slice(1, 9))}, {}, "region is given without nuclei", InputError),
        ({"mask": given(), "region": np.ones((1, 1, 9, 9), np.uint8)}, {}, r"region is \(9, 9\)", ShapeError),
        ({"mask": given()}, {"height": 50}, "height is 50, the nuclei given have 60", ShapeError),
        ({"mask": np.ones((1, 2, 8, 8), np.uint8)}, {"slices": 3}, "slices is 3, the nuclei given have 2", ShapeError),
        ({"mask": np.full((1, 1, 8, 8), 70_000, np.int32)}, {}, "70000", InputError),
        ({"mask": np.full((1, 1, 8, 8), 0.5, np.float32)}, {}, "fractions", InputError),
        ({"mask": np.ones((2, 1, 8, 8), np.uint8)}, {}, "mask has 2 channels", ShapeError),
        ({"image": np.zeros((3, 1, 8, 8), np.uint16)}, {}, "8-bit RGB", InputError),
        ({"image": np.full((3, 1, 8, 8), 200, np.uint8)}, {}, "hardly any stain", InputError),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_is_announced(
    toy: NucleiModel, inputs: Any, asked: Any, words: str, kind: type[MedSynthError]
) -> None:
    with pytest.raises(kind, match=words):
        next(iter(ENGINE.run(task(toy, inputs=inputs, **asked))))


def test_a_density_beyond_the_training_tiles_is_flagged(toy: NucleiModel) -> None:
    notes = [e for e in ENGINE.run(task(toy, density=399.0)) if isinstance(e, Note)]
    assert any(note.key == "flag_density" and "training tiles had" in str(note.value) for note in notes)
