"""The comparison of refiners on toy pictures: starts of the quality asked for, honest means, and bars that can be missed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import refine_speed
from benchmarks.refine import bars, rows_of_case
from benchmarks.refine_cases import cases_of, chosen
from benchmarks.refine_methods import INPUT, MAIN, METHODS, SAMPLED, Case, Contest, Outcome
from benchmarks.refine_report import ALL, Row, cell_table, cells, gain_bars, rival_bars, trust_bars, verdict_table
from benchmarks.refine_scores import Score, Trust, score, trust
from benchmarks.refine_starts import QUALITIES, SEEN, UNSEEN, UNSEEN_KINDS, iou, start_of, starts
from benchmarks.report import write_json
from medsynth_core.engines.refine.items import Item
from medsynth_core.engines.refine.model import save_model
from medsynth_core.engines.refine.network import ImageEncoder, MaskNetwork
from medsynth_core.errors import ModelError
from medsynth_core.evaluation.bootstrap import bootstrap
from medsynth_core.evaluation.refiners import RIVALS
from medsynth_core.models.folder import finish_folder
from medsynth_core.protocol import ModelCard
from tests.toy_pairs import disc


def scene(seed: int = 0, side: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """An image (3, y, x) uint8 and the mask of an ellipse with a lobe in it."""
    rng = np.random.default_rng(seed)
    truth = disc(side, (side * 0.5, side * 0.45), side * 0.25) | disc(side, (side * 0.4, side * 0.7), side * 0.12)
    shade = np.linspace(-70, 70, side)  # so that no one threshold fits
    image = np.where(truth, 150, 100) + shade + rng.normal(0, 12, (3, side, side))
    return image.clip(0, 255).astype(np.uint8), truth


def toy_item(name: str = "case", group: str = "patient", source: str = "polyp", area: int = 400) -> Item:
    image, truth = scene()
    mask = truth.astype(np.uint16) if area >= 100 else np.pad(np.ones((3, 3), np.uint16), (40, 53))
    return Item(source, name, group, image, mask, color=True)


def toy_case(source: str = "polyp", quality: str = "rough", family: str = SEEN, name: str = "a") -> Case:
    image, truth = scene()
    return Case(source, name, name, image, True, truth, np.roll(truth, 6, axis=1), quality, family)


def row(method: str, dice: float, edge: float, quality: str = "rough", name: str = "a", source: str = "polyp") -> Row:
    return Row(source, name, name, quality, SEEN, method, Score(dice, edge, edge, 1.0, 50.0), 10.0, False)


@pytest.mark.parametrize("family", [SEEN, UNSEEN])
@pytest.mark.parametrize("quality", QUALITIES)
def test_a_start_has_the_quality_asked_for(quality: str, family: str) -> None:
    image, truth = scene()
    low, high = QUALITIES[quality]
    for seed in range(6):
        mask = start_of(image, truth, quality, family, np.random.default_rng(seed))
        assert mask is not None
        assert low <= iou(mask, truth) <= high


def test_the_same_seed_gives_the_same_starts_and_another_seed_others() -> None:
    image, truth = scene()
    one, same, other = (starts(image, truth, seed) for seed in (1, 1, 2))
    assert [(s.quality, s.family) for s in one] == [(q, f) for q in QUALITIES for f in (SEEN, UNSEEN)]
    assert all(np.array_equal(a.mask, b.mask) for a, b in zip(one, same, strict=True))
    assert not any(np.array_equal(a.mask, b.mask) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("kind", UNSEEN_KINDS.values(), ids=list(UNSEEN_KINDS))
def test_an_unseen_kind_starts_near_the_truth_and_leaves_it(kind: object) -> None:
    image, truth = scene()
    at = kind(image, truth, np.random.default_rng(3))  # type: ignore[operator]
    assert iou(at(0.0), truth) > 0.9
    assert iou(at(1.0), truth) < iou(at(0.0), truth) - 0.1


def test_an_impossible_start_is_left_out_not_faked() -> None:
    image, _ = scene()
    one_pixel = np.zeros((96, 96), bool)
    one_pixel[40, 40] = True
    assert start_of(image, one_pixel, "mid", UNSEEN, np.random.default_rng(0)) is None


def test_every_patient_comes_before_a_second_image_of_one() -> None:
    items = [toy_item(f"{group}{i}", group) for group in "abc" for i in range(5)]
    assert sorted(item.group for item in chosen(items, 3, seed=0)) == ["a", "b", "c"]
    assert len({item.name for item in chosen(items, 7, seed=0)}) == 7


def test_objects_too_small_to_be_spoiled_in_measure_are_left_out() -> None:
    assert chosen([toy_item("tiny", area=9)], 5, seed=0) == []


def test_an_item_becomes_its_six_starts() -> None:
    found = cases_of(toy_item(), Path("unused"))
    assert {(c.quality, c.family) for c in found} == {(q, f) for q in QUALITIES for f in (SEEN, UNSEEN)}
    assert all(c.truth.any() and c.start.any() for c in found)


def test_a_large_field_of_small_objects_is_cut_where_they_are() -> None:
    image = np.zeros((3, 300, 300), np.uint8)
    mask = np.zeros((300, 300), np.uint16)
    mask[220:260, 200:240] = 5
    (case, *_) = cases_of(Item("purple nuclei", "n", "n", image, mask, instances=True), Path("unused"))
    assert case.truth.shape == (128, 128)
    assert case.image.shape == (3, 128, 128)
    assert case.truth.sum() > 800


def test_the_truth_itself_scores_full_marks_and_nothing_scores_more() -> None:
    _, truth = scene()
    assert score(truth, truth) == Score(100.0, 100.0, 100.0, 0.0, 100.0)
    worse = score(np.roll(truth, 3, axis=0), truth)
    assert worse.dice < 100
    assert worse.boundary_iou_2px < worse.boundary_iou < worse.dice
    assert worse.hd95_px == pytest.approx(3, abs=0.5)


def test_trust_is_asked_in_the_band_alone() -> None:
    _, truth = scene()
    made = np.roll(truth, 2, axis=1)
    honest = ((made != truth) * 255).astype(np.uint8)
    assert trust(honest, made, truth, np.ones_like(truth)).correlation == pytest.approx(1)
    assert np.isnan(trust(honest, made, truth, np.zeros_like(truth)).correlation)
    assert np.isnan(trust(honest, truth, truth, np.ones_like(truth)).concentration)


def test_an_interval_is_of_patients_not_of_slices() -> None:
    values = [0.0] * 10 + [10.0] * 10
    by_slice = bootstrap(values, [str(i) for i in range(20)])
    by_patient = bootstrap(values, ["a"] * 10 + ["b"] * 10)
    assert by_slice.mean == by_patient.mean == 5
    assert (by_patient.low, by_patient.high) == (0, 10)
    assert 2 < by_slice.low < by_slice.high < 8


def test_a_case_without_a_figure_is_left_out_of_the_mean() -> None:
    assert bootstrap([1.0, float("nan"), 3.0], ["a", "b", "c"]).mean == 2
    assert np.isnan(bootstrap([float("nan")], ["a"]).mean)
    assert np.isnan(bootstrap([], []).mean)


def test_a_perfect_method_gains_all_and_one_that_does_nothing_is_said_to_keep() -> None:
    case = toy_case()
    methods = {INPUT: lambda c: Outcome(c.start), "perfect": lambda c: Outcome(c.truth)}
    before, after = rows_of_case(case, methods)
    assert (before.kept, after.kept) == (True, False)
    assert after.score.dice == 100 > before.score.dice


def test_bars_are_held_by_enough_and_missed_by_too_little() -> None:
    enough = [row(INPUT, 80, 30), row(MAIN, 88, 40)]
    little = [row(INPUT, 80, 30), row(MAIN, 87.9, 39.9)]
    assert {v.held for v in gain_bars(enough)} == {True}
    assert {v.held for v in gain_bars(little)} == {False}
    strong = [row(INPUT, 97, 80, "strong"), row(MAIN, 96.85, 80, "strong")]
    assert {v.held for v in gain_bars(strong)} == {True}


def test_a_rival_that_is_better_breaks_its_bar_and_says_so() -> None:
    rows = [row(INPUT, 80, 30), row("random walker", 80, 45), row("geodesic contour", 80, 20), row(MAIN, 88, 40)]
    by_rival = {v.about: v.held for v in rival_bars(rows)}
    assert by_rival["polyp, over random walker"] is False
    assert by_rival["polyp, over geodesic contour"] is True
    assert "NOT HELD" in str(verdict_table(rival_bars(rows)))


def test_sets_never_seen_are_held_to_their_input_only() -> None:
    rows = [row(INPUT, 80, 30, source="skin"), row("random walker", 90, 60, source="skin"), row(MAIN, 80, 31, source="skin")]
    assert [(v.about, v.held) for v in rival_bars(rows)] == [("skin, over input", True)] * 2


def test_bar_3_is_of_the_runs_that_disagree() -> None:
    told = [replace(row(SAMPLED, 80, 30), trust=Trust(0.4, 0.05, value)) for value in (2.0, 3.5)]
    held = {v.figure: v.held for v in trust_bars(told)}
    assert held == {"correlation": None, "calibration_error": None, "concentration": False}


def test_every_row_is_printed_whatever_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        row(method, 80, 30, quality, name, source)
        for method in (INPUT, *RIVALS, MAIN)
        for quality in QUALITIES
        for name in "ab"
        for source in ("polyp", "skin", "brain slice")
    ]
    lines = cells(rows)
    assert len(lines) == 7 * 3 * (3 + 1)  # methods × qualities × (sets and the taught ones together)
    assert {line.source for line in lines} == {"polyp", "skin", "brain slice", ALL}
    assert len(cell_table(lines)) == len(lines) + 1
    verdicts = bars(rows)
    assert {line.cases for line in lines} == {2, 4}
    printed = capsys.readouterr().out
    assert sum(printed.count(v.about) > 0 for v in verdicts) == len(verdicts)


def test_what_is_measured_can_be_written(tmp_path: Path) -> None:
    rows = [row(INPUT, 80, 30), row(MAIN, 88, 40)]
    path = write_json(tmp_path, "refine", {}, [*cells(rows), *gain_bars(rows), *rows])
    assert '"gain_dice"' in path.read_text("utf-8")


def toy_model(folder: Path) -> Path:
    torch.manual_seed(0)
    save_model(ImageEncoder((16, 32)), MaskNetwork((16, 32)), folder)
    finish_folder(folder, ModelCard("toy", "Toy", "refine", 3, (32, 32), (), "none", "random weights"))
    return folder


@pytest.mark.parametrize("color", [True, False])
def test_all_methods_run_on_one_case_and_leave_it_as_it_was(tmp_path: Path, color: bool) -> None:
    folder = toy_model(tmp_path / "toy")
    case = replace(toy_case(), color=color)
    kept = case.start.copy()
    rows = list(rows_of_case(case, Contest(folder, folder).methods()))
    names = [r.method for r in rows]
    assert names == [INPUT, *METHODS]
    assert all(np.isfinite(r.score.dice) and r.ms >= 0 for r in rows)
    assert np.array_equal(case.start, kept)


def test_the_time_is_set_beside_the_published_arithmetic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refine_speed, "V1_WIDTHS", (32, 32))
    monkeypatch.setattr(refine_speed, "SIDE", 64)
    one, six, published = refine_speed.figures(toy_model(tmp_path / "toy"), repeats=1)
    assert (one.bar, six.bar, published.bar) == (0.25, 1.2, None)
    assert f"{published.value / one.value:.0f} times" in one.note


def test_without_a_model_its_rows_are_absent_not_invented() -> None:
    assert list(Contest().methods()) == [INPUT, *RIVALS]
    assert list(Contest(only=("Chan–Vese",)).methods()) == [INPUT, "Chan–Vese"]


def test_a_folder_that_holds_no_refiner_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        Contest(tmp_path).methods()
