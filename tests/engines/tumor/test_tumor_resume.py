"""Whatever was kept of a disturbed run, the rest comes out byte for byte as in the undisturbed one."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from medsynth_core.engines._base import Slice, Task
from medsynth_core.engines.tumor.engine import ENGINE
from medsynth_core.engines.tumor.model import TumorModel
from medsynth_core.volume import Volume
from tests.toy_tumor import Grow, Grown, head

Finished = dict[str, dict[int, np.ndarray]]
CASES: dict[str, dict[str, Any]] = {
    "new": {"slices": 13, "anchor": 4},
    "cleaned": {"slices": 13, "anchor": 4, "cleanup": True},
    "kept background": {"background": head(12, 40), "cleanup": True},
    "sagittal background": {"background": head(10, 32, order=(2, 1, 0)), "cleanup": True},
}


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(request.param)


def kept_of(made: list[Slice]) -> Finished:
    """What the service keeps of these slices."""
    finished: Finished = {}
    for event in made:
        slices = finished.setdefault(event.output, {})
        if event.z not in slices or event.replaces:
            slices[event.z] = event.array.copy()
    return finished


def whole(finished: Finished, resumed: Grown) -> dict[tuple[str, int], bytes]:
    """What lies on disk in the end, by the rules of the recorder."""
    last = {(name, z): array.tobytes() for name, slices in finished.items() for z, array in slices.items()}
    for event in resumed.made:
        if (event.output, event.z) not in last or event.replaces:
            last[event.output, event.z] = event.array.tobytes()
    return last


def test_any_beginning_is_gone_on_from_to_the_same_bytes(grow: Grow, case: dict[str, Any]) -> None:
    undisturbed = grow(**case)
    count = len(undisturbed.made)
    for stop in {0, count, *random.Random(1).sample(range(1, count), 3)}:
        finished = kept_of(undisturbed.made[:stop])
        assert whole(finished, grow(**case, finished=finished)) == undisturbed.last, stop


def test_any_loss_is_made_good_to_the_same_bytes(grow: Grow, case: dict[str, Any]) -> None:
    undisturbed = grow(**case)
    for seed in range(2):
        chance = random.Random(seed)
        stop = chance.randrange(1, len(undisturbed.made) + 1)
        finished = {
            name: {z: array for z, array in slices.items() if chance.random() < 0.7}
            for name, slices in kept_of(undisturbed.made[:stop]).items()
        }
        assert whole(finished, grow(**case, finished=finished)) == undisturbed.last, seed


def test_what_is_kept_is_neither_grown_nor_decoded_again(
    task_of: Callable[..., Task], grow: Grow, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = grow(slices=13, anchor=4).made
    monkeypatch.setattr(TumorModel, "grow", lambda *_: pytest.fail("grown again"))
    monkeypatch.setattr(TumorModel, "decode", lambda *_: pytest.fail("decoded again"))
    assert not [e for e in ENGINE.run(task_of(slices=13, anchor=4, finished=kept_of(made))) if isinstance(e, Slice)]


def test_a_resumed_job_counts_on_from_what_is_kept(grow: Grow) -> None:
    made = grow(slices=13, anchor=4).made
    images = [i for i, event in enumerate(made) if event.output == "mask"]
    progress = grow(slices=13, anchor=4, finished=kept_of(made[: images[4] + 1])).progress
    assert [step.done for step in progress] == list(range(5, 14))


def test_the_notes_of_a_resumed_job_are_those_of_the_undisturbed_one(grow: Grow) -> None:
    undisturbed = grow(slices=13, anchor=4)
    assert grow(slices=13, anchor=4, finished=kept_of(undisturbed.made[:30])).notes == undisturbed.notes


def test_a_slice_alone_is_a_volume_too(grow: Grow) -> None:
    made = grow(background=Volume(head(1, 40).array), cleanup=True)
    assert sorted(made.outputs) == ["clean_latents", "image", "latents", "mask"]
