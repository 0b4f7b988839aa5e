"""The tumor benchmark on toys: every row is printed, good volumes hold their bars, bad ones do not."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from benchmarks import tumor_published
from benchmarks.tumor_asked import KNOBS, READ, VALUES, Turn, asked_rows, asking, sweep_rows, turned, turns, typical
from benchmarks.tumor_independent import drawn_head, grow_apart, requested
from benchmarks.tumor_judges import TumorJudges, TumorJudgeSettings, prepare_tumor_judges
from benchmarks.tumor_looks import INDEPENDENT, JOINT, Made, adherence_rows, copy_rows, flicker_rows
from benchmarks.tumor_volumes import Grown, Nursery, Order, fingerprint, grow, read, write
from benchmarks.verdicts import Row, at_least, at_most, missing, table, tally
from medsynth_core.engines.tumor.engine import Params
from medsynth_core.engines.tumor.frame import Frame, new_frame
from medsynth_core.engines.tumor.model import TumorModel, load_model
from medsynth_core.engines.tumor.request import asked_from
from medsynth_core.engines.tumor.shape import TumorShape, measure
from medsynth_core.evaluation.copies import CopySettings
from medsynth_core.evaluation.features import FeatureSettings
from medsynth_core.evaluation.flicker import Stack
from medsynth_core.evaluation.segmenter import SegmenterSettings
from medsynth_core.studies.fidelity_volumes import borders
from tests.toy_tumor import toy_prior, write_tumor_model

SPACING = (4.0, 3.75, 3.75)
SIDE = 64
FRAME = new_frame(36, 0, 0, 0.0, 0.0, 0.0, stack_mm=145.0, thickest_mm=20.0)
ONE = {"steps": 1, "guidance": 1.0, "slices": 6, "slice_mm": 4.0}
TOY_JUDGES = TumorJudgeSettings(
    SegmenterSettings(steps=40, batch=8, widths=(8, 16)),
    FeatureSettings(steps=4, batch=8, widths=(8, 16)),
    CopySettings(steps=4, batch=8, widths=(8, 16), length=16),
)


def body(shape: TumorShape, spacing: tuple[float, float, float] = (2.0, 2.0, 2.0), size: int = 96) -> Stack:
    """An ellipsoid of a shape's extents and center, in a volume of frame mm."""
    axes = [(np.arange(size) - (size - 1) / 2) * mm for mm in spacing]
    z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
    half = [v / 2 for v in shape.extent_mm]
    away = sum(((p - c) / h) ** 2 for p, c, h in zip((x, y, z), shape.center_mm, half, strict=True))
    return Stack(np.zeros((size, size, size), np.uint8), np.asarray(away <= 1), spacing)


def came(order: Order, stack: Stack | None, refused: str = "") -> Grown:
    return Grown(order, stack, {}, 0.1, 1.0, refused)


def head(seed: int, slices: int = 20) -> Stack:
    """A bright tumor in a head with structures of its own."""
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in (slices, SIDE, SIDE)), indexing="ij", sparse=True)
    inside = np.asarray((z / 0.95) ** 2 + (y / 0.8) ** 2 + (x / 0.65) ** 2 <= 1)
    c = rng.uniform(-0.2, 0.2, 3)
    tumor = np.asarray(((z - c[0]) / 0.4) ** 2 + ((y - c[1]) / 0.25) ** 2 + ((x - c[2]) / 0.25) ** 2 <= 1)
    grain = ndimage.gaussian_filter(rng.standard_normal((slices, SIDE, SIDE)), (1.2, 1.5, 1.5))
    image = inside * (90 + 20 * grain / grain.std() + 90 * tumor)
    return Stack(image.clip(0, 255).astype(np.uint8), tumor, SPACING)


def jumpy(stack: Stack, seed: int) -> Stack:
    """The same volume with the light of every slice its own, and specks in its mask."""
    rng = np.random.default_rng(seed)
    light = rng.normal(0, 25, (len(stack.image), 1, 1)) * (stack.image > 0)
    specks = rng.random(stack.mask.shape) < 0.001
    return replace(stack, image=(stack.image + light).clip(0, 255).astype(np.uint8), mask=stack.mask | specks)


@pytest.fixture(scope="module")
def reals() -> list[Stack]:
    return [head(seed) for seed in range(4)]


@pytest.fixture(scope="module")
def judges(tmp_path_factory: pytest.TempPathFactory) -> TumorJudges:
    folder = tmp_path_factory.mktemp("judges")
    return prepare_tumor_judges(folder, lambda: [head(seed) for seed in range(50, 56)], TOY_JUDGES, lambda *_: None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tumor_model(tmp_path_factory.mktemp("bench") / "toy-tumor")


@pytest.fixture(scope="module")
def model(folder: Path) -> TumorModel:
    return load_model(folder)


def test_a_bar_is_held_at_its_limit_and_nan_holds_none() -> None:
    assert [at_most(1, "a", v, 2.0).held for v in (2.0, 2.01, math.nan, math.inf)] == [True, False, False, False]
    assert [at_least(1, "a", v, 2.0).held for v in (2.0, 1.99, math.nan)] == [True, False, False]


def test_every_row_is_in_the_table_and_what_is_not_measured_says_so() -> None:
    rows = [
        at_most(1, "good", 1, 2),
        at_most(2, "bad", 3, 2, "mm"),
        missing(3, "absent", "no such folder", "≤ 2"),
        Row(4, "told", 0.5),
    ]
    printed = table(rows)
    assert [line[4] for line in printed[1:]] == ["held", "NOT HELD", "NOT MEASURED", ""]
    assert printed[2][2:4] == ["3 mm", "≤ 2"]
    assert printed[3][2] == "–"
    assert tally(rows) == "1 of 3 rows with a bar held; not under 2, 3"
    assert tally(rows[:1]) == "1 of 1 rows with a bar held"


def test_the_stand_in_has_the_size_of_the_published_network() -> None:
    with torch.device("meta"):
        network = tumor_published.PublishedUNet()
        x, emb = torch.empty(1, tumor_published.CHANNELS, *tumor_published.GRID), torch.empty(1, 4 * tumor_published.WIDTHS[0])
        gmac = tumor_published._macs(network, x, emb) / 1e9
    parameters = sum(p.numel() for p in network.parameters())
    assert parameters == pytest.approx(tumor_published.PARAMETERS, rel=0.02)
    assert gmac == pytest.approx(tumor_published.GMAC, rel=0.02)


def test_the_stand_in_runs_and_a_pass_is_fifty_evaluations() -> None:
    found = tumor_published.measure(widths=(8, 16, 16), grid=(4, 4, 8))
    assert found.pass_s == 50 * found.seconds > 0


def test_multiplications_are_counted_as_defined() -> None:
    layer = torch.nn.Conv3d(2, 3, 3, padding=1)

    class One(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: torch.Tensor, emb: torch.Tensor) -> torch.Tensor:
            return self.layer(x)

    assert tumor_published._macs(One(), torch.zeros(1, 2, 4, 5, 6), torch.zeros(1)) == 27 * 2 * 3 * 4 * 5 * 6


def test_borders_lie_between_slabs() -> None:
    assert borders(28, 14) == {12 - 8, 12, 16, 24}
    assert borders(4, 2) == frozenset()


def test_the_request_is_the_engines_own(model: TumorModel) -> None:
    order = Order.of(5, ONE)
    notes = grow(model, order).notes
    asked = requested(model, order)
    assert asked.volume_ml == pytest.approx(notes["asked_volume_ml"], abs=1e-3)
    assert -asked.center_mm[0] == pytest.approx(notes["asked_center_x_mm"], abs=1e-3)  # world x runs the other way


def test_slices_grown_apart_are_slices_of_the_same_request_that_know_nothing_of_each_other(model: TumorModel) -> None:
    together, apart = grow(model, Order.of(5, ONE)), grow_apart(model, Order.of(5, ONE, independent=True))
    assert together.stack is not None
    assert apart.stack is not None
    assert apart.stack.image.shape == together.stack.image.shape
    assert apart.stack.spacing_mm == pytest.approx(together.stack.spacing_mm)
    assert all(apart.notes[name] == value for name, value in together.notes.items() if name.startswith("asked"))
    assert not np.array_equal(apart.stack.image, together.stack.image)
    again = grow_apart(model, Order.of(5, ONE, independent=True))
    assert again.stack is not None
    assert np.array_equal(apart.stack.image, again.stack.image)


def test_kept_volumes_are_not_grown_again(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nursery = Nursery(folder, tmp_path, workers=1)
    grown: list[Order] = []

    def made(self: Nursery, orders: list[Order]):  # type: ignore[no-untyped-def]
        grown.extend(orders)
        yield from (came(order, head(order.seed, 6)) for order in orders)

    monkeypatch.setattr(Nursery, "_made", made)
    orders = [Order.of(seed, ONE) for seed in (1, 2, 1)]
    first, again = nursery.grown(orders, "toys"), Nursery(folder, tmp_path, workers=1).grown(orders[:2], "toys")
    assert grown == orders[:2]
    assert [g.order.seed for g in first] == [1, 2, 1]
    assert first[1].stack is not None
    assert again[1].stack is not None
    assert np.array_equal(first[1].stack.image, again[1].stack.image)


def test_other_weights_or_orders_have_other_places(folder: Path, tmp_path: Path) -> None:
    other = write_tumor_model(tmp_path / "other")
    assert fingerprint(other) == fingerprint(folder)
    card = (other / "card.json").read_text()
    (other / "card.json").write_text(card.replace('"sha256": {', '"sha256": {"more": "x",'))
    assert fingerprint(other) != fingerprint(folder)
    keys = {Order.of(1).key, Order.of(2).key, Order.of(1, {"slices": 3}).key, Order.of(1, independent=True).key}
    assert len(keys) == 4


def test_a_refused_order_comes_back_as_refused(tmp_path: Path) -> None:
    write(came(Order.of(1), None, "volume_ml is 900: …"), tmp_path / "a.npz")
    kept = read(Order.of(1), tmp_path / "a.npz")
    assert (kept.stack, kept.refused) == (None, "volume_ml is 900: …")


def test_a_knob_turns_its_own_number_alone() -> None:
    prior = toy_prior()
    base = typical(prior)
    for knob in KNOBS:
        less, more = (turned(prior, base, knob, by) for by in (-0.3, 0.3))
        assert READ[knob](less) < READ[knob](base) < READ[knob](more)
        for other in set(KNOBS) - {knob}:
            assert READ[other](less) == READ[other](more) == READ[other](base)


def test_what_a_sweep_asks_is_what_the_engine_understands(model: TumorModel) -> None:
    heads = {seed: drawn_head(model, seed) for seed in (1, 2)}
    swept = turns(model.prior, heads, FRAME, VALUES, {"slices": 36})
    assert len(swept) == len(KNOBS) * len(VALUES) * 2
    for turn in swept[::7]:
        understood = requested(model, turn.order)
        assert understood.center_mm == pytest.approx(turn.asked.center_mm)
        assert understood.volume_ml == turn.asked.volume_ml


def test_a_center_travels_to_the_world_and_back() -> None:
    shape = typical(toy_prior())
    params = Params(**asking(shape, FRAME))  # type: ignore[arg-type]
    assert asked_from(params, FRAME.to_frame).center_mm == pytest.approx(shape.center_mm)
    assert isinstance(FRAME, Frame)


def test_perfect_tumors_hold_all_of_row_1() -> None:
    prior = toy_prior()
    shapes = [turned(prior, typical(prior), "volume", by) for by in np.linspace(-1, 1, 7)]
    bodies = [body(replace(s, extent_mm=(4 + 6 * i, 30.0, 30.0))) for i, s in enumerate(shapes)]
    asked = [measure(b.mask, b.spacing_mm) for b in bodies]
    rows = asked_rows(asked, [came(Order.of(i), b) for i, b in enumerate(bodies)])
    assert [r.held for r in rows] == [True, True, True, None, None]
    assert rows[3].value == 1


def test_one_tumor_for_all_requests_holds_nothing() -> None:
    prior = toy_prior()
    asked = [turned(prior, typical(prior), "volume", by) for by in np.linspace(-3, 3, 7)]
    same = body(replace(asked[0], center_mm=(30.0, -30.0, 0.0), extent_mm=(15.0, 15.0, 15.0)))
    rows = asked_rows(asked, [came(Order.of(i), same) for i in range(7)])
    assert [r.held for r in rows[:3]] == [False, False, False]


def test_a_tumor_that_does_not_come_and_a_refusal_are_both_told() -> None:
    asked = [typical(toy_prior())] * 3
    empty = Stack(np.zeros((4, 8, 8), np.uint8), np.zeros((4, 8, 8), bool), SPACING)
    rows = asked_rows(asked, [came(Order.of(0), empty), came(Order.of(1), empty), came(Order.of(2), None, "no")])
    assert "2 requests, 2 without a tumor, 1 refused" in rows[0].note
    assert rows[0].value == 1
    (row,) = asked_rows(asked[:1], [came(Order.of(0), None, "no")])
    assert row.verdict == "NOT MEASURED"


def test_a_knob_that_works_holds_and_a_dead_or_refused_one_does_not() -> None:
    base = replace(typical(toy_prior()), center_mm=(10.0, 0.0, 0.0), extent_mm=(40.0, 40.0, 40.0))

    def turn(knob: str, shape: TumorShape, seed: int) -> Turn:
        return Turn(knob, shape, Order.of(seed))

    wide = [replace(base, extent_mm=(30.0 + 6 * i, 40.0, 40.0)) for i in range(5)]
    swept = [turn("extent x", s, seed) for s in wide for seed in (1, 2)]
    works = [came(t.order, body(t.asked)) for t in swept]
    dead = [came(t.order, body(base)) for t in swept]
    row = {r.what: r for r in sweep_rows(swept, works) if "extent x" in r.what}["knob extent x alone"]
    assert (row.held, row.value) == (True, pytest.approx(1))
    assert {r.held for r in sweep_rows(swept, dead) if "extent x" in r.what} == {False}
    refused = [came(t.order, None, "extent_x_mm is 54: …") for t in swept]
    (row,) = [r for r in sweep_rows(swept, refused) if "extent x" in r.what]
    assert (row.verdict, "54" in row.note) == ("NOT MEASURED", True)


def test_masks_that_fit_hold_row_2_and_masks_of_others_do_not(judges: TumorJudges, reals: list[Stack]) -> None:
    others = [head(seed) for seed in range(20, 24)]
    (good,) = adherence_rows(judges, others, reals)
    assert good.held, good.note
    moved = [replace(s, mask=np.roll(s.mask, 25, axis=2)) for s in others]
    (bad,) = adherence_rows(judges, moved, reals)
    assert bad.held is False


def test_volumes_like_real_ones_are_nearer_to_real_than_jumpy_ones(judges: TumorJudges, reals: list[Stack]) -> None:
    where = [borders(20, 10)] * len(reals)
    good = [head(seed) for seed in range(30, 34)]
    bad = [jumpy(s, i) for i, s in enumerate(good)]
    rows = flicker_rows(Made("ours", good, where), [Made(INDEPENDENT, bad, None)], reals, judges, joint_trained=False)
    held = {r.what: r.held for r in rows}
    seen = ["W1 of adjacent-slice differences, levels", "log power, high along z / in plane", "parts of the mask in 3-D"]
    assert all(held[what] for what in [*seen, "W1 of adjacent-slice differences / real split half"])
    swapped = flicker_rows(Made("ours", bad, where), [Made(INDEPENDENT, good, None)], reals, judges, joint_trained=False)
    assert not any(r.held for r in swapped if r.what in seen)


def test_the_paper_is_a_row_whether_it_was_trained_or_not(judges: TumorJudges, reals: list[Stack]) -> None:
    ours = Made("ours", reals, [borders(20, 10)] * len(reals))
    rivals = [Made(INDEPENDENT, reals, None)]
    untrained = flicker_rows(ours, rivals, reals, judges, joint_trained=False)
    assert "not trained" in untrained[-1].note
    trained = flicker_rows(ours, [*rivals, replace(ours, name=JOINT)], reals, judges, joint_trained=True)
    assert all(JOINT in r.note for r in trained[1:])
    assert not any("not trained" in r.note for r in trained)


def test_one_real_volume_has_no_halves_and_the_row_says_so(judges: TumorJudges, reals: list[Stack]) -> None:
    ours = Made("ours", reals[1:2], [borders(20, 10)])
    rows = flicker_rows(ours, [Made(INDEPENDENT, reals[2:3], None)], reals[:1], judges, joint_trained=False)
    assert rows[0].verdict == "NOT MEASURED"


def test_copied_volumes_are_flagged(judges: TumorJudges) -> None:
    training, held_out = [head(seed) for seed in range(50, 56)], [head(seed) for seed in range(60, 64)]
    copied = copy_rows(judges, training[:3], held_out, training)
    assert [r.value for r in copied] == [100, 100]
    assert all("real held-out" in r.note for r in copied)
    own = copy_rows(judges, held_out, held_out, training)
    assert own[1].value == 0
