"""What a judge sees of a volume: slices through the tumor on the model's grid, however it grew; and what it learns from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medsynth_core.engines._base import Slice, Task
from medsynth_core.engines.tumor.engine import ENGINE, judge
from medsynth_core.engines.tumor.judge import MOST_SLICES, lessons_of, look_of
from medsynth_core.engines.tumor.stacks import Stack
from medsynth_core.evaluation.copies import CopySettings
from medsynth_core.evaluation.looks import Look
from medsynth_core.evaluation.segmenter import SegmenterSettings
from medsynth_core.evaluation.teaching import Teaching, teach
from medsynth_core.models.folder import JUDGE
from medsynth_core.quality import Badge, Grade
from medsynth_core.volume import Volume
from tests.toy_pairs import disc
from tests.toy_tumor import CARD
from tests.watching import Watching

TaskOf = Callable[..., Task]


def seen(task: Task) -> tuple[Look, list[Slice]]:
    """Return what the judge of a task was shown, and the slices that were given."""
    watching = Watching()
    events = list(ENGINE.run(replace(task, judge=watching)))
    assert isinstance(events[-1], Badge)
    return watching.shown[0], [event for event in events if isinstance(event, Slice)]


def same(one: Look, other: Look) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("pictures", "labels", "small"))


def head(slices: int = 9) -> np.ndarray:
    """A grey ball on black, (z, 128, 128) uint8."""
    return np.stack([disc(128, (64, 64), 40 - abs(z - slices // 2)) * np.uint8(120) for z in range(slices)])


@pytest.mark.parametrize("cleanup", [False, True])
def test_a_resumed_growth_is_judged_as_an_undisturbed_one(task_of: TaskOf, cleanup: bool) -> None:
    asked = {"slices": 9, "anchor": 4, "cleanup": cleanup}
    undisturbed, slices = seen(task_of(**asked))
    finished: dict[str, dict[int, np.ndarray]] = {}
    for event in slices[: len(slices) // 2]:
        finished.setdefault(event.output, {})[event.z] = event.array
    assert same(undisturbed, seen(task_of(**asked, finished=finished))[0])


def test_on_the_models_grid_what_is_seen_is_what_was_given(task_of: TaskOf) -> None:
    look, slices = seen(task_of(slices=6))
    given = sorted(s.array[0].tobytes() for s in slices if s.output == "image")
    flipped = {np.flip(picture[1], axes).tobytes() for picture in look.pictures for axes in ((), (0,), (1,), (0, 1))}
    assert sum(image in flipped for image in given) == len(look.pictures)


def test_a_background_is_seen_in_the_brightness_that_the_model_sees(task_of: TaskOf) -> None:
    voxels = head(12).astype(np.float32) * 30  # up to 3600, as a scanner gives them
    look, _ = seen(task_of(background=Volume(voxels[None], np.diag([1.875, 1.875, 6.0, 1.0])), volume_ml=20.0))
    assert look.pictures.shape[1:] == (3, 128, 128)
    assert 200 <= look.range[1] <= 240  # 0.9 of 255


def test_slices_through_the_tumor_are_looked_at_and_no_more_than_it_takes() -> None:
    image, mask = head(40), np.zeros((40, 128, 128), np.uint8)
    mask[5:35, 60:70, 60:70] = 1
    look = look_of(image, mask)
    assert len(look.pictures) == MOST_SLICES
    assert look.labels.any(axis=(1, 2)).all()
    assert np.array_equal(look.pictures[0], image[4:7])
    assert len(look.small) == 3


def test_a_volume_without_a_tumor_is_looked_at_and_shows_no_label() -> None:
    look = look_of(head(5), np.zeros((5, 128, 128), np.uint8))
    assert len(look.pictures) == 5
    assert not look.labels.any()
    assert not len(look_of(np.zeros((5, 128, 128), np.uint8), np.zeros((5, 128, 128), np.uint8)).small)


def case(seed: int, shows: bool = True) -> Stack:
    """A head with a bright ball in it, or beside where its mask says."""
    rng = np.random.default_rng(seed)
    y, x = rng.uniform(48, 80, 2)
    ball, image = disc(128, (y, x), 9), head(8) / 255.0
    where = ball if shows else np.roll(ball, 25, axis=1)
    mask = np.zeros((8, 128, 128), np.float32)
    mask[2:6, ball] = 1
    image[2:6, where] = 0.85
    noisy = (image + rng.normal(0, 0.02, image.shape)).clip(0, 1).astype(np.float32)
    return Stack(noisy, mask, 6.0)


def test_a_judge_taught_on_volumes_tells_a_tumor_that_is_not_where_its_mask_is(tmp_path: Path) -> None:
    quick = SegmenterSettings(steps=60, batch=4, widths=(8, 16))
    copies = CopySettings(steps=2, batch=8, widths=(8, 16), length=16)
    teaching = Teaching(tmp_path / "kept", lambda *_: None, segmenter=quick, copies=copies, with_index=False)
    lessons = lessons_of([case(seed) for seed in range(5)], [case(seed) for seed in range(5, 7)])
    thresholds = teach(lessons, tmp_path / JUDGE, teaching)
    assert thresholds.count == 3  # one of the five is lent: the judge does not learn from it
    assert thresholds.adherence is not None
    card = replace(CARD, quality=thresholds)
    right, wrong = (lessons_of([case(9, shows)], []).training[0] for shows in (True, False))
    assert judge(tmp_path, card).badge(wrong).verdicts[0].grade is Grade.LOOK
    assert judge(tmp_path, replace(card, quality=replace(thresholds, adherence=0.9))).badge(right).verdicts[0].grade is Grade.GOOD
    assert judge(tmp_path, card).badge(right).may_be_a_copy is None
