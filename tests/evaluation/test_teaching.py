"""How a judge is taught: what it may not learn from, what it must find to be used, and what few cases lend."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medsynth_core.evaluation.badge import FACTS, INDEX, read_judge
from medsynth_core.evaluation.copies import CopySettings
from medsynth_core.evaluation.generator import Pairs
from medsynth_core.evaluation.looks import Look, small_of
from medsynth_core.evaluation.segmenter import SegmenterSettings
from medsynth_core.evaluation.teaching import ENOUGH, Lessons, Teaching, every, lent, teach
from medsynth_core.models.folder import JUDGE
from medsynth_core.protocol import ModelCard
from tests.toy_pairs import picture

CARD = ModelCard("toy", "Toy", "synthesize", 3, (32, 32), (), "CC0", "none")
QUICK = SegmenterSettings(steps=30, batch=4, widths=(8, 16))
QUICK_COPIES = CopySettings(steps=3, batch=8, widths=(8, 16), length=16)


def look(seed: int) -> Look:
    pixels, mask = picture(seed)
    image = np.moveaxis(pixels, -1, 0)[None]
    return Look(image, mask[None], small_of(image))


def lessons(learned: range, tuning: range, lent_ones: range = range(0)) -> Lessons:
    training, apart, given = (tuple(look(seed) for seed in side) for side in (learned, tuning, lent_ones))
    images, masks = (np.concatenate([getattr(one, name) for one in training]) for name in ("pictures", "labels"))
    known = np.concatenate([one.small for one in training])
    also = np.concatenate([one.small for one in given]) if given else None
    return Lessons(Pairs(images, masks, np.zeros((len(images), 0), np.int64), 2), known, known, training, apart, given, also)


def teaching(folder: Path, least_found: float = 0.0) -> Teaching:
    return Teaching(folder / "kept", lambda *_: None, segmenter=QUICK, copies=QUICK_COPIES, least_found=least_found)


def test_without_a_case_that_it_does_not_learn_from_levels_alone_are_judged(tmp_path: Path) -> None:
    thresholds = teach(lessons(range(10), range(0)), tmp_path / JUDGE, teaching(tmp_path))
    assert thresholds.intensity is not None
    assert (thresholds.adherence, thresholds.likeness, thresholds.count) == (None, None, 0)
    assert not (tmp_path / JUDGE).exists()


def test_the_index_holds_what_was_lent_too_and_the_tuning_side_only_if_the_model_learned_from_it(tmp_path: Path) -> None:
    asked = lessons(range(12), range(12, 15), range(15, 19))
    sizes = []
    for knows in (False, True):
        thresholds = teach(asked, tmp_path / JUDGE, replace(teaching(tmp_path), knows_tuning=knows))
        known = read_judge(tmp_path, CARD).known
        assert known is not None
        sizes.append(len(known.index))
        assert thresholds.count == 7
        assert thresholds.likeness is not None
        assert (known.likeness(asked.lent[0].small) > 0.999).all()
    assert sizes == [12 + 4, 12 + 4 + 3]


def test_a_likeness_that_finds_too_few_planted_copies_is_not_kept(tmp_path: Path) -> None:
    told: list[tuple[int, float]] = []
    way = replace(teaching(tmp_path, least_found=1.01), found=lambda *words: told.append(words))
    thresholds = teach(lessons(range(12), range(12, 16)), tmp_path / JUDGE, way)
    assert thresholds.likeness is None
    assert sorted(path.name for path in (tmp_path / JUDGE).iterdir()) == [FACTS, "segmenter.safetensors"]
    ((planted, share),) = told
    assert planted == 12
    assert 0 <= share <= 1
    teach(lessons(range(12), range(12, 16)), tmp_path / JUDGE, teaching(tmp_path))
    assert (tmp_path / JUDGE / INDEX).is_file()


@pytest.mark.parametrize(
    ("training", "tuning", "given"), [(60, 3, 15), (60, 18, 2), (60, 20, 0), (3, 0, 0), (4, 0, 1), (500, 0, 20)]
)
def test_few_cases_to_choose_by_are_lent_some_and_never_more_than_a_quarter(training: int, tuning: int, given: int) -> None:
    learned, also = lent(range(training), range(tuning))
    assert (len(learned), len(also)) == (training - given, given)
    assert [*learned, *also] == list(range(training))
    assert tuning + given <= max(tuning, ENOUGH)


def test_some_of_many_are_spread_evenly_and_all_of_few_are_taken() -> None:
    assert every(3, 10) == [0, 1, 2]
    assert every(101, 5) == [0, 25, 50, 75, 100]
    assert every(0, 5) == []
