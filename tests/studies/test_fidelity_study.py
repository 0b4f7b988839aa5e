"""A faithful model and one that paints anything are told apart; every figure has its recipe and what it stands beside."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from medsynth_core.evaluation.features import FeatureSettings
from medsynth_core.evaluation.flicker import Stack
from medsynth_core.evaluation.judges import JudgeSettings
from medsynth_core.evaluation.segmenter import SegmenterSettings
from medsynth_core.protocol import ModelCard
from medsynth_core.studies import fidelity, fidelity_run
from medsynth_core.studies.fidelity import FidelitySettings
from medsynth_core.studies.fidelity_nuclei import field_distances
from medsynth_core.studies.fidelity_run import FidelityRun, run
from medsynth_core.studies.fidelity_volumes import Body, Grown, asked_figures, borders, flicker_figures
from medsynth_core.studies.items import Item
from medsynth_core.studies.questioned import Question, Questioned
from medsynth_core.studies.samples import Sample, Wish
from tests.studies.toy_study import SIDE, toy_item, toy_material

TOY = FidelitySettings(
    judges=JudgeSettings(
        SegmenterSettings(steps=60, batch=8, widths=(8, 16)), FeatureSettings(steps=5, batch=8, widths=(8, 16, 16))
    )
)


def faithful(_: Path, asked: list[Wish], *__: object) -> list[Sample]:
    """The same disc on another ground."""
    made = []
    for wish in asked:
        assert wish.source is not None
        ground = toy_item("", "", 500 + wish.seed).image
        disc = np.broadcast_to(wish.source.labels[:, None] != 0, ground.shape)
        image = np.where(disc, wish.source.image, ground)
        made.append(Sample(f"{wish.kind} {wish.number}", wish.kind, wish.seed, dataclasses.replace(wish.source, image=image)))
    return made


def careless(_: Path, asked: list[Wish], *__: object) -> list[Sample]:
    """The same grey whatever is asked."""
    grey = np.full((1, 3, SIDE, SIDE), 90, np.uint8)
    return [Sample("x", w.kind, w.seed, dataclasses.replace(w.source, image=grey)) for w in asked if w.source]


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FidelityRun:
    card = ModelCard("toy", "Toy", "synthesize", 3, (SIDE, SIDE), (), "CC0", "discs", steps=7)
    asked = Questioned(Path("toy"), card, toy_material(pool=16, test=8), "It knows all.")
    monkeypatch.setattr(fidelity_run, "questioned", lambda question: asked)
    return FidelityRun(Question(Path("data"), "toy"), tmp_path, command="msynth evaluate fidelity", settings=TOY)


def figures_of(order: FidelityRun) -> dict[str, float]:
    return {figure.key: figure.value for figure in run(order, lambda far: None).figures}


def test_a_faithful_model_and_a_careless_one_are_told_apart(order: FidelityRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fidelity, "make_samples", faithful)
    good = figures_of(order)
    monkeypatch.setattr(fidelity, "make_samples", careless)
    bad = figures_of(order)
    assert good["adherence"] > 0.8 > 0.5 > bad["adherence"]
    assert good["adherence_small"] > bad["adherence_small"]
    assert bad["diversity_same"] == pytest.approx(0, abs=1e-6)
    assert bad["diversity_across"] == pytest.approx(0, abs=1e-6)
    assert good["diversity_same"] > 0.01
    assert good["kid"] < bad["kid"]


def test_every_figure_has_its_recipe_and_stands_beside_something(order: FidelityRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fidelity, "make_samples", faithful)
    answer = run(order, lambda far: None)
    told = json.loads((order.out / "report.json").read_text("utf-8"))
    assert {f["key"] for f in told["figures"]} == {"adherence", "adherence_small", "kid", "diversity_across", "diversity_same"}
    assert all(f["recipe"] and "beside" in f for f in told["figures"])
    assert "segmenter-data-" in told["figures"][0]["recipe"]
    page = answer.page.read_text("utf-8")
    assert page.count("<img") == 2 * 8
    assert "msynth evaluate fidelity" in page


def field(seed: int, radius: int, group: str) -> Item:
    rng = np.random.default_rng(seed)
    labels = np.zeros((1, 256, 256), np.int32)
    for number, (y, x) in enumerate(rng.integers(20, 236, (12, 2)), start=1):
        labels[0, y - radius : y + radius, x - radius : x + radius] = number
    return Item(str(seed), group, np.zeros((1, 3, 256, 256), np.uint8), labels)


def test_fields_of_larger_nuclei_are_farther_from_real_than_real_halves_are() -> None:
    real = [field(i, 6, f"slide {i // 2}") for i in range(8)]
    figures = {figure.key: figure for figure in field_distances([field(50 + i, 9, "made") for i in range(4)], real)}
    assert set(figures) == {"field_count", "field_area", "field_eccentricity", "field_nearest_neighbor"}
    area = figures["field_area"]
    assert area.value > 3 * (area.beside or 0)


def stack(seed: int, jump: int = 0) -> Stack:
    rng = np.random.default_rng(seed)
    plane = rng.integers(80, 160, (32, 32))
    drift = np.cumsum(rng.normal(0, 6, (9, 32, 32)), axis=0)
    image = plane[None] + drift
    image[5:] += jump
    mask = np.zeros(image.shape, bool)
    mask[3:6, 8:16, 8:16] = True
    return Stack(image.clip(30, 255).astype(np.uint8), mask, (4.0, 1.0, 1.0))


def notes(prefix: str, volume: float, center: float) -> dict[str, float]:
    numbers = {"volume_ml": volume, "sphericity": 0.8}
    numbers |= {f"center_{axis}_mm": center for axis in "xyz"} | {f"extent_{axis}_mm": 20.0 for axis in "xyz"}
    return {f"{prefix}_{name}": value for name, value in numbers.items()}


def test_what_came_is_held_against_what_was_asked() -> None:
    met = Grown(stack(0), notes("asked", 10, 0) | notes("got", 12, 1), frozenset())
    nothing = Grown(stack(1), notes("asked", 20, 0) | {"got_volume_ml": 0.0}, frozenset())
    figures = {figure.key: figure.value for figure in asked_figures([met, met, nothing])}
    assert figures["volume_error"] == pytest.approx(0.2)
    assert figures["center_error_mm"] == pytest.approx(3**0.5)
    assert "1 without a tumor" in asked_figures([met, nothing])[0].recipe
    assert Body.of(nothing.notes, "got") is None


def test_a_jump_between_slabs_shows_as_a_seam_and_in_the_steps() -> None:
    real = [stack(i) for i in range(4)]
    smooth = [Grown(stack(10 + i), {}, frozenset({4})) for i in range(4)]
    jumpy = [Grown(stack(10 + i, jump=40), {}, frozenset({4})) for i in range(4)]
    fine, broken = ({f.key: f.value for f in flicker_figures(part, real)} for part in (smooth, jumpy))
    assert broken["seam_z"] > fine["seam_z"] + 3
    assert broken["flicker_w1"] > fine["flicker_w1"]
    assert fine["parts"] == 1


def test_slabs_meet_between_slices_and_not_within_the_first() -> None:
    found = borders(28, 14)
    assert found
    assert all(0 <= gap < 27 for gap in found)
    assert len(found) < 10
