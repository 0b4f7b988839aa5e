"""The comparison of contenders, whole, on a toy world: every one is trained, and a perfect one wins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import contenders
from benchmarks.contenders import BASELINE, OBJECTIVES, Contender, steps_within, train_contenders
from benchmarks.quality import controls, score
from medsynth_core.engines.synthesize.dataset import PairArrays
from medsynth_core.engines.synthesize.presets import get_preset
from medsynth_core.engines.synthesize.recipe import SynthesizeRecipe
from medsynth_core.evaluation.features import FeatureSettings
from medsynth_core.evaluation.generator import Pairs
from medsynth_core.evaluation.judges import Judges, JudgeSettings, prepare_judges
from medsynth_core.evaluation.segmenter import SegmenterSettings
from medsynth_core.protocol import LabelInfo, ModelCard, ParamInfo, ParamKind

SIDE = 32
LABELS = (LabelInfo(0, "background", "#000000"), LabelInfo(1, "lesion", "#ffffff"))
TINT = ParamInfo("tint", "Tint", ParamKind.CHOICE, "dark", choices=("dark", "light"))


def squares(n: int, seed: int) -> PairArrays:
    rng = np.random.default_rng(seed)
    masks = np.zeros((n, SIDE, SIDE), np.uint8)
    for mask, (top, left) in zip(masks, rng.integers(2, SIDE - 12, (n, 2)), strict=True):
        mask[top : top + 10, left : left + 10] = 1
    images = rng.integers(0, 60, (n, 1, SIDE, SIDE)).astype(np.uint8) + 150 * masks[:, None]
    return PairArrays(images, masks, rng.integers(0, 2, (n, 1)))


@pytest.fixture(scope="module")
def recipe() -> SynthesizeRecipe:
    card = ModelCard("toy", "Toy", "synthesize", 1, (SIDE, SIDE), LABELS, "CC0", "squares", options=(TINT,))
    return SynthesizeRecipe(get_preset("toy"), squares(32, 0), squares(16, 1), card)


def pairs(arrays: PairArrays) -> Pairs:
    return Pairs(arrays.images, arrays.masks, arrays.options, 2, (2,))


@pytest.fixture(scope="module")
def judges(recipe: SynthesizeRecipe, tmp_path_factory: pytest.TempPathFactory) -> Judges:
    settings = JudgeSettings(
        SegmenterSettings(steps=100, batch=8, widths=(16, 32)), FeatureSettings(steps=5, batch=8, widths=(8, 16))
    )
    return prepare_judges(tmp_path_factory.mktemp("judges"), "toy", pairs(recipe.training), settings, lambda *_: None)


def test_all_four_networks_are_trained_and_scored(recipe: SynthesizeRecipe, judges: Judges, tmp_path: Path) -> None:
    found = {
        c.name: (c, score(c, judges, pairs(recipe.validation)))
        for c in train_contenders(recipe, pairs(recipe.training), 0.3, tmp_path)
    }
    assert list(found) == [*OBJECTIVES, BASELINE]
    for contender, row in found.values():
        assert contender.steps > 0
        assert contender.seconds < 30
        assert 0 <= row.adherence < 2
        assert np.isfinite(row.kid)


def test_the_real_images_themselves_score_1(recipe: SynthesizeRecipe, judges: Judges) -> None:
    real = pairs(recipe.validation)
    row = score(Contender("real", lambda masks, options, seeds: real.images), judges, real)
    assert row.adherence == row.adherence_small == 1.0
    assert row.kid <= 0  # a set against itself lies below the floor
    noise = Contender(
        "noise", lambda masks, options, seeds: np.random.default_rng(0).integers(0, 256, real.images.shape, np.uint8)
    )
    worse = score(noise, judges, real)
    assert worse.adherence < 0.7
    assert worse.kid > row.kid + 10


def test_the_steps_fill_the_time_whatever_a_stage_costs(recipe: SynthesizeRecipe, monkeypatch: pytest.MonkeyPatch) -> None:
    cost = {16: 0.1, 32: 0.3}  # seconds a step at each side of the toy preset's two stages, half of the steps each
    monkeypatch.setattr(contenders, "_seconds_per_step", lambda r, networks, step: cost[r.preset.side_at(step)])
    assert steps_within(recipe, 20.0) == 100
    assert steps_within(recipe, 10.0) == 50


def test_the_controls_say_what_the_feature_network_sees(recipe: SynthesizeRecipe, judges: Judges) -> None:
    found = controls(judges, pairs(recipe.training))
    assert set(found) == {"blurred", "noisy", "dimmed"}
    assert found["dimmed"] > 50
