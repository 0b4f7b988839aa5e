"""A refined mask is judged by its image: does the refiner know its kind?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medsynth_core.engines._base import Task
from medsynth_core.engines.refine.engine import ENGINE, judge
from medsynth_core.engines.refine.items import Item
from medsynth_core.engines.refine.judge import FILE, Kinds, look_of, teach
from medsynth_core.engines.refine.model import Refiner
from medsynth_core.errors import ModelError
from medsynth_core.models.folder import JUDGE
from medsynth_core.protocol import Thresholds
from medsynth_core.quality import Badge, Grade
from medsynth_core.volume import Volume
from tests.engines.refine.conftest import CARD
from tests.engines.refine.test_refine_engine import DISC, IMAGE
from tests.toy_pairs import disc, picture


def item(seed: int) -> Item:
    pixels, mask = picture(seed, side=64)
    return Item("discs", f"disc {seed}", f"group {seed}", np.moveaxis(pixels, -1, 0), mask.astype(np.uint16))


def badge(folder: Path, thresholds: Thresholds, image: np.ndarray) -> Badge:
    """Return the badge of a mask on an image (3, y, x) uint8."""
    return judge(folder, replace(CARD, quality=thresholds)).badge(image / 127.5 - 1, disc(64, (32, 32), 12))


@pytest.fixture
def taught(tmp_path: Path) -> tuple[Path, Thresholds]:
    """A judge that knows red discs on a shaded ground."""
    return tmp_path, teach([[item(seed) for seed in range(60)]], [item(seed) for seed in range(60, 80)], tmp_path / JUDGE)


def test_an_image_of_a_known_kind_is_good_and_of_another_kind_to_be_looked_at(taught: tuple[Path, Thresholds]) -> None:
    folder, thresholds = taught
    assert thresholds.count == 20
    known = [badge(folder, thresholds, item(seed).image).grade for seed in range(100, 120)]
    assert known.count(Grade.GOOD) >= 15
    green = np.zeros((3, 64, 64), np.uint8)
    green[1] = np.random.default_rng(0).integers(0, 255, (64, 64))
    strange = badge(folder, thresholds, green)
    assert strange.grade is Grade.LOOK
    assert "unlike those that the model has learned from" in strange.sentences[0]


def test_of_two_kinds_what_lies_between_them_is_neither() -> None:
    rng = np.random.default_rng(0)
    kinds = Kinds.of(np.concatenate([rng.normal(center, 1, (80, 17)) for center in (0, 40)]))
    near, between = kinds.strangeness(np.stack([np.full(17, 40.0), np.full(17, 20.0)]))
    assert near < 1 < between


def test_without_a_tuning_side_the_threshold_is_that_of_the_training_side(tmp_path: Path) -> None:
    thresholds = teach([[item(seed) for seed in range(30)]], [], tmp_path / JUDGE)
    assert thresholds.count == 0
    assert thresholds.strangeness is not None


def test_the_same_images_give_the_same_judge(tmp_path: Path) -> None:
    items = [item(seed) for seed in range(40)]
    for name in ("a", "b"):
        teach([items], items[:5], tmp_path / name)
    assert (tmp_path / "a" / FILE).read_bytes() == (tmp_path / "b" / FILE).read_bytes()


def test_a_folder_without_a_judge_judges_nothing_and_a_damaged_one_is_refused(
    taught: tuple[Path, Thresholds], tmp_path: Path
) -> None:
    folder, thresholds = taught
    assert badge(tmp_path / "none", thresholds, item(1).image).grade is Grade.UNKNOWN
    (folder / JUDGE / FILE).write_text('{"mean": "none"}', "utf-8")
    with pytest.raises(ModelError, match="judge of model toy-refiner"):
        judge(folder, CARD)


def test_nothing_painted_has_no_look_and_a_window_may_reach_beyond_the_image() -> None:
    image = item(1).image.astype(np.float64)
    assert look_of(image, np.zeros((64, 64), bool)) is None
    look = look_of(image, np.ones((64, 64), bool))
    assert look is not None
    assert look.shape == (17,)
    assert np.isfinite(look).all()


def test_the_last_word_of_a_run_is_the_badge_of_its_image(refiner: Refiner, taught: tuple[Path, Thresholds]) -> None:
    folder, thresholds = taught
    known = judge(folder, replace(CARD, quality=thresholds))
    params, _ = ENGINE.read_params({"steps": 1})
    task = Task({"image": Volume.from_image(IMAGE), "mask": Volume.from_image(DISC.astype(np.uint8))}, params, 0, refiner)
    *before, last = ENGINE.run(replace(task, judge=known))
    assert isinstance(last, Badge)
    assert last.grade is not Grade.UNKNOWN
    assert not any(isinstance(event, Badge) for event in (*before, *ENGINE.run(task)))
