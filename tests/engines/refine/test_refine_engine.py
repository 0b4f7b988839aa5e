"""The engine: what may change and what may not, planes and labels, refusal, resume, errors that teach."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from medsynth_core.engines._base import EngineEvent, Note, Progress, Slice, Task
from medsynth_core.engines.refine.engine import ENGINE
from medsynth_core.engines.refine.items import normalized
from medsynth_core.engines.refine.model import Refiner
from medsynth_core.engines.refine.plane import Walk, refine_mask
from medsynth_core.engines.refine.planes import cautious
from medsynth_core.engines.refine.views import turned, turned_back
from medsynth_core.engines.refine.windows import squares_over
from medsynth_core.errors import InputError, ModelError, ParameterError, RefusedError, ShapeError
from medsynth_core.imaging.preprocess import Preprocessing
from medsynth_core.strength import reach_px
from medsynth_core.volume import Volume
from tests.toy_pairs import disc

SIDE = 64
DISC = disc(SIDE, (32, 30), 14)
IMAGE = np.where(DISC, 200, 60).astype(np.uint8)


class Oracle(Refiner):
    """A refiner with a fixed opinion: the probability of being inside, from the window's image alone."""

    def __init__(self, refiner: Refiner, opinion: Any) -> None:
        super().__init__(refiner.encoder, refiner.masks, refiner.card)
        object.__setattr__(self, "opinion", opinion)

    def probability(self, image: Tensor, distance: Tensor, steps: int, process: str, seed: int, way: int = 0) -> Tensor:
        return self.opinion(image).clamp(0, 1)  # type: ignore[attr-defined, no-any-return]


@pytest.fixture
def bright(refiner: Refiner) -> Refiner:
    """Holds what is bright for the object."""
    return Oracle(refiner, lambda image: (image[:, 1:2] > 0).float() * 0.98 + 0.01)


@pytest.fixture
def nothing(refiner: Refiner) -> Refiner:
    """Sees no object anywhere."""
    return Oracle(refiner, lambda image: torch.zeros_like(image[:, :1]))


def events_of(model: Any, image: np.ndarray, mask: np.ndarray | None, **given: Any) -> Iterator[EngineEvent]:
    inputs = {"image": as_volume(image)} | ({} if mask is None else {"mask": as_volume(mask)})
    if (locked := given.pop("locked", None)) is not None:
        inputs["locked"] = as_volume(locked)
    finished, seed = given.pop("finished", {}), given.pop("seed", 0)
    params, _ = ENGINE.read_params({"steps": 1, **given})
    return ENGINE.run(Task(inputs, params, seed, model, finished=finished))


def as_volume(array: np.ndarray) -> Volume:
    return Volume(array) if array.ndim == 4 else Volume.from_image(array)


def refined(model: Any, image: np.ndarray, mask: np.ndarray, output: str = "mask", **given: Any) -> np.ndarray:
    slices = [e for e in events_of(model, image, mask, **given) if isinstance(e, Slice) and e.output == output]
    made = np.stack([e.array[0] for e in sorted(slices, key=lambda e: e.z)])
    return made if len(made) > 1 else made[0]


def test_a_mask_that_is_too_small_grows_to_the_edge_in_the_image(bright: Refiner) -> None:
    small = disc(SIDE, (32, 30), 10).astype(np.uint8)
    made = refined(bright, IMAGE, small) > 0
    assert (made ^ DISC).sum() < 0.08 * DISC.sum()


@pytest.mark.parametrize("value", [1, 7, 255])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32"])
def test_values_and_type_of_the_mask_stay(bright: Refiner, value: int, dtype: str) -> None:
    mask = (disc(SIDE, (32, 30), 11) * value).astype(dtype)
    made = refined(bright, IMAGE, mask)
    assert made.dtype == dtype
    assert set(np.unique(made)) == {0, value}


def test_nothing_changes_beyond_the_reach(bright: Refiner) -> None:
    far_off = IMAGE.copy()
    far_off[:6] = 200  # bright, but far from what was painted
    mask = disc(SIDE, (32, 30), 13).astype(np.uint8)
    made = refined(bright, far_off, mask, strength="touch-up")
    changed = np.argwhere(made != mask)
    distance = np.abs(np.hypot(*(changed - (32, 30)).T) - 13)
    assert len(changed)
    assert distance.max() <= reach_px(mask > 0, "touch-up") + 1.5


def test_a_gentler_strength_changes_less(bright: Refiner) -> None:
    mask = disc(SIDE, (32, 30), 10).astype(np.uint8)
    changes = [(refined(bright, IMAGE, mask, strength=word) != mask).sum() for word in ("touch-up", "correct", "redraw")]
    assert 0 < changes[0] < changes[1] <= changes[2]


def test_locked_pixels_stay_as_they_are(bright: Refiner) -> None:
    mask = disc(SIDE, (32, 30), 11).astype(np.uint8)
    locked = np.zeros((SIDE, SIDE), np.uint8)
    locked[:, 30:] = 1
    made = refined(bright, IMAGE, mask, locked=locked)
    assert np.array_equal(made[:, 30:], mask[:, 30:])
    assert not np.array_equal(made[:, :30], mask[:, :30])
    assert not refined(bright, IMAGE, mask, "uncertainty", locked=locked)[:, 30:].any()


def test_each_label_is_refined_and_none_eats_another(bright: Refiner) -> None:
    parts = disc(SIDE, (16, 16), 10), disc(SIDE, (44, 44), 12)
    image = np.where(parts[0] | parts[1], 200, 60).astype(np.uint8)
    mask = np.where(disc(SIDE, (16, 16), 8), 1, 0) + np.where(disc(SIDE, (44, 44), 9), 3, 0)
    made = refined(bright, image, mask.astype(np.uint8), strength="correct")
    assert set(np.unique(made)) == {0, 1, 3}
    for value, truth in zip((1, 3), parts, strict=True):
        assert ((made == value) ^ truth).sum() < 0.12 * truth.sum()


def test_a_result_that_leaves_its_input_is_refused_and_says_so(nothing: Refiner) -> None:
    with pytest.raises(RefusedError, match="nothing was changed"):
        refined(nothing, IMAGE, DISC.astype(np.uint8), strength="redraw")


def test_where_one_of_two_slices_leaves_its_input_it_is_kept_and_the_recipe_says_so(refiner: Refiner) -> None:
    model = Oracle(refiner, lambda image: (image[:, 1:2] > 0).float())
    image = np.stack([IMAGE, np.full_like(IMAGE, 60)])[None]
    mask = np.stack([DISC, DISC])[None].astype(np.uint8)
    events = list(events_of(model, image, mask))
    notes = {e.key: e.value for e in events if isinstance(e, Note)}
    assert notes["kept z 1"] == "label 1"
    assert "kept z 0" not in notes
    last = [e for e in events if isinstance(e, Slice) and (e.output, e.z) == ("mask", 1)]
    assert np.array_equal(last[0].array[0], DISC)


@pytest.mark.parametrize("axis", ["z", "y", "x"])
def test_a_volume_is_refined_along_any_axis(bright: Refiner, axis: str) -> None:
    along = "zyx".index(axis)
    image = np.stack([np.roll(IMAGE, i, axis=0) for i in range(3)])
    mask = np.stack([np.roll(disc(SIDE, (32, 30), 11), i, axis=0) for i in range(3)]).astype(np.uint8)
    straight = refined(bright, image[None], mask[None])
    turned = refined(bright, np.moveaxis(image, 0, along)[None], np.moveaxis(mask, 0, along)[None], axis=axis)
    assert np.array_equal(np.moveaxis(turned, along, 0), straight)


def test_a_grey_slice_is_seen_between_its_neighbors(refiner: Refiner) -> None:
    seen: list[Tensor] = []

    def look(image: Tensor) -> Tensor:
        seen.append(image)
        return (image[:, 1:2] > 0).float()

    image = np.stack([np.full_like(IMAGE, 0), IMAGE, np.full_like(IMAGE, 255)])[None]
    mask = np.stack([np.zeros_like(DISC), DISC, np.zeros_like(DISC)])[None].astype(np.uint8)
    refined(Oracle(refiner, look), image, mask)
    (window,) = seen
    assert float(window[0, 0].max()) == pytest.approx(-1)
    assert float(window[0, 2].min()) == pytest.approx(1)


def test_training_and_work_see_the_same_intensities(refiner: Refiner) -> None:
    seen: list[Tensor] = []

    def look(image: Tensor) -> Tensor:
        seen.append(image)
        return (image[:, 1:2] > 0).float()

    rng = np.random.default_rng(0)
    image = (rng.gamma(2, 300, (SIDE, SIDE)) + 900 * DISC).astype(np.uint16)
    refined(Oracle(refiner, look), image, DISC.astype(np.uint8))
    trained_on = normalized(image[None, None]).astype(np.float32) / 127.5 - 1
    assert np.allclose(trained_on, Preprocessing().apply(image[None, None]), atol=1 / 127)
    assert float(seen[0].mean()) == pytest.approx(float(trained_on[..., 4:60, 2:58].mean()), abs=0.15)


def test_runs_that_disagree_are_uncertain_and_runs_that_agree_are_not(refiner: Refiner, bright: Refiner) -> None:
    mask = disc(SIDE, (32, 30), 11).astype(np.uint8)
    half = Oracle(refiner, lambda image: torch.where(image[:, 1:2] > 0, 0.55, 0.02))
    assert refined(half, IMAGE, mask, "uncertainty").max() > 220
    assert refined(bright, IMAGE, mask, "uncertainty")[32, 30] < 15


@pytest.mark.parametrize("way", range(9))
def test_each_view_comes_back_straight(way: int) -> None:
    window = torch.arange(2 * 5 * 5.0).view(2, 1, 5, 5)
    assert torch.equal(turned_back(turned(window, way), way), window)
    assert torch.equal(turned(window, way), window) == (way % 8 == 0)


def test_each_evaluation_looks_another_way_and_the_network_is_told_so(refiner: Refiner, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []

    def answer(x_t: Tensor, t: Tensor, coarse: Tensor, features: list[Tensor], process: Tensor) -> Tensor:
        seen.append(coarse)
        return coarse * 20

    monkeypatch.setattr(refiner.masks, "forward", answer)
    distance = torch.linspace(-1, 1, 32 * 32).view(1, 1, 32, 32)
    p = refiner.probability(torch.zeros(1, 3, 32, 32), distance, 8, "discrete", 0)
    assert len({tuple(view.flatten().tolist()) for view in seen}) == 8
    assert torch.equal(p > 0.5, distance > 0)


def test_windows_blend_without_a_seam(refiner: Refiner) -> None:
    long = np.zeros((60, 400), bool)
    long[20:40, 10:390] = True
    image = np.zeros((3, 60, 400), np.float32)
    level = Oracle(refiner, lambda window: torch.full_like(window[:, :1], 0.7))
    assert len(squares_over(long)) > 5
    result = refine_mask(level, image, long, Walk(1, 1, "discrete", 9.0), seed=0)
    assert np.allclose(result.probability[result.band], 0.7, atol=1e-5)
    assert result.band[18, 12:388].all()


def test_beside_a_good_mask_a_change_must_be_surer() -> None:
    mask = disc(SIDE, (32, 30), 14)
    doubt = np.where(mask, 0.9, 0.1).astype(np.float32)
    doubt[32, 44:46] = 0.6  # two pixels outside, hardly likelier than not
    assert not (cautious(doubt, mask) > 0.5)[32, 45]
    rough = disc(SIDE, (32, 30), 10)
    assert (cautious(doubt, rough) > 0.5)[32, 45]
    doubt[32, 44:46] = 0.75
    assert (cautious(doubt, mask) > 0.5)[32, 45]


def test_a_resumed_run_gives_the_same_bytes_and_makes_no_slice_twice(refiner: Refiner) -> None:
    image = np.stack([np.roll(IMAGE, i, axis=1) for i in range(4)])[None]
    mask = np.stack([np.roll(disc(SIDE, (32, 30), 12), i, axis=1) for i in range(4)])[None].astype(np.uint8)
    whole = {(e.output, e.z): e.array for e in events_of(refiner, image, mask, steps=3) if isinstance(e, Slice)}
    kept = {name: {z: whole[name, z] for z in (0, 1)} for name in ("mask", "uncertainty")}
    rest = {(e.output, e.z): e.array for e in events_of(refiner, image, mask, steps=3, finished=kept) if isinstance(e, Slice)}
    assert sorted(rest) == [("mask", 2), ("mask", 3), ("uncertainty", 2), ("uncertainty", 3)]
    assert all(np.array_equal(rest[key], whole[key]) for key in rest)


def test_progress_counts_planes(bright: Refiner) -> None:
    image, mask = np.stack([IMAGE] * 5)[None], np.stack([DISC] * 5)[None].astype(np.uint8)
    steps = [e for e in events_of(bright, image, mask) if isinstance(e, Progress)]
    assert [(e.done, e.total) for e in steps] == [(i, 5) for i in range(6)]


def test_color_is_taken_as_it_is(bright: Refiner) -> None:
    color = np.repeat(IMAGE[..., None], 3, axis=2)
    mask = disc(SIDE, (32, 30), 11).astype(np.uint8)
    assert np.array_equal(refined(bright, color, mask), refined(bright, IMAGE, mask))


@pytest.mark.parametrize(
    ("mask", "sentence"),
    [
        (np.zeros((SIDE, SIDE), np.uint8), "mask is empty"),
        (-DISC.astype(np.int16), "mask holds the value -1"),
        (DISC * np.float32(0.5), "fractions"),
        (np.where(DISC, np.nan, 0).astype(np.float32), "NaN"),
    ],
)
def test_a_mask_that_is_none_is_named(refiner: Refiner, mask: np.ndarray, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        refined(refiner, IMAGE, mask)


def test_sizes_that_differ_are_named(refiner: Refiner) -> None:
    with pytest.raises(ShapeError, match=r"mask is \(1, 32, 32\), image \(1, 64, 64\)"):
        refined(refiner, IMAGE, np.ones((32, 32), np.uint8))
    with pytest.raises(ShapeError, match="locked is"):
        refined(refiner, IMAGE, DISC.astype(np.uint8), locked=np.ones((32, 32), np.uint8))


def test_an_image_of_two_channels_or_with_nan_is_named(refiner: Refiner) -> None:
    with pytest.raises(ShapeError, match="2 channels"):
        refined(refiner, np.zeros((2, 1, SIDE, SIDE), np.uint8), DISC.astype(np.uint8))
    with pytest.raises(InputError, match="NaN"):
        refined(refiner, np.full((SIDE, SIDE), np.nan, np.float32), DISC.astype(np.uint8))


def test_without_a_mask_a_coarse_network_must_be_named(refiner: Refiner) -> None:
    with pytest.raises(ParameterError, match="coarse is empty and no mask was given"):
        list(events_of(refiner, IMAGE, None))


def test_a_model_that_is_no_refiner_is_refused() -> None:
    with pytest.raises(ModelError, match="draws coarse masks"):
        list(events_of(None, IMAGE, DISC.astype(np.uint8)))


def test_a_mask_over_the_whole_image_and_one_of_a_single_pixel_are_survived(refiner: Refiner) -> None:
    single = np.zeros((SIDE, SIDE), np.uint8)
    single[0, SIDE - 1] = 1
    for mask in (np.ones((SIDE, SIDE), np.uint8), single):
        with contextlib.suppress(RefusedError):  # said so: good as well
            assert refined(refiner, IMAGE, mask).shape == mask.shape


def test_postprocessing_is_done_when_asked_for(bright: Refiner) -> None:
    speckled = IMAGE.copy()
    speckled[29:34, 27:32] = 60
    mask = disc(SIDE, (32, 30), 12).astype(np.uint8)
    assert refined(bright, speckled, mask)[31, 29] == 0
    assert refined(bright, speckled, mask, fill_holes=40)[31, 29] == 1
