"""Row 1: is the tumor the one asked for? Random plausible requests, and each knob turned alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.tumor_volumes import Grown, Order
from benchmarks.verdicts import Row, at_least, at_most, missing
from medsynth_core.engines.tumor.consistent import Candidates, rules
from medsynth_core.engines.tumor.engine import GIVEN
from medsynth_core.engines.tumor.frame import Frame
from medsynth_core.engines.tumor.prior import Prior
from medsynth_core.engines.tumor.shape import TumorShape, measure, surface_of
from medsynth_core.engines.tumor.style import Head, Style
from medsynth_core.evaluation.asked_got import Agreement, Sweep, agreement, summarize
from medsynth_core.protocol import Scalar

VOLUME_BAR, CENTER_BAR_MM, RANK_BAR = 0.20, 6.0, 0.9
VALUES = (-1.0, -0.5, 0.0, 0.5, 1.0)
WIDEST = 1.2
"""A knob is turned by as many standard deviations of the training patients to either side; less where a body could not be so."""
NARROWER = 0.9
SWEEP_SEEDS = (101, 102, 103)
KNOBS = ("volume", "center x", "center y", "center z", "extent x", "extent y", "extent z", "sphericity")
READ: dict[str, Callable[[TumorShape], float]] = {
    "volume": lambda s: s.volume_ml,
    "center x": lambda s: s.center_mm[0],
    "center y": lambda s: s.center_mm[1],
    "center z": lambda s: s.center_mm[2],
    "extent x": lambda s: s.extent_mm[0],
    "extent y": lambda s: s.extent_mm[1],
    "extent z": lambda s: s.extent_mm[2],
    "sphericity": lambda s: s.sphericity,
}


@dataclass(frozen=True)
class Turn:
    """One volume of a sweep: which knob, what was asked (frame mm), and the order that asks it."""

    knob: str
    asked: TumorShape
    order: Order


def got(grown: Grown) -> TumorShape | None:
    """Return the tumor that came, measured on the mask; None for an empty one."""
    if grown.stack is None or not grown.stack.mask.any():
        return None
    return measure(grown.stack.mask, grown.stack.spacing_mm)


def asked_rows(asked: Sequence[TumorShape], grown: Sequence[Grown]) -> list[Row]:
    """Row 1 over random requests: the bars, and the figures that have none."""
    met: list[Agreement] = [agreement(a, got(g)) for a, g in zip(asked, grown, strict=True) if not g.refused]
    refused = sum(bool(g.refused) for g in grown)
    if not met:
        return [missing(1, "random requests", f"all {refused} were refused", "≤ 0.2")]
    s = summarize(met)
    note = f"{s.requests} requests, {s.missing} without a tumor, {refused} refused; goal "
    return [
        at_most(1, "volume: median |V−V*| / V*", s.volume_error, VOLUME_BAR, note=f"{note}0.1"),
        at_most(1, "center: median error", s.center_error_mm, CENTER_BAR_MM, "mm", "goal 3"),
        at_least(1, "volume asked and got: Spearman", s.volume_rank, RANK_BAR, note="goal 0.97"),
        Row(1, "extent: median IoU of the boxes", s.extent_iou),
        Row(1, "sphericity: median error", s.sphericity_error),
    ]


def sweep_rows(turns: Sequence[Turn], grown: Sequence[Grown]) -> list[Row]:
    """Row 1, each knob alone: whether the mean over the seeds rises with every step."""
    made = {knob: [(t, g) for t, g in zip(turns, grown, strict=True) if t.knob == knob] for knob in KNOBS}
    return [_sweep_row(knob, of_it) for knob, of_it in made.items() if of_it]


def turns(
    prior: Prior, heads: Mapping[int, Head], frame: Frame, values: Sequence[float], fixed: Mapping[str, Scalar]
) -> list[Turn]:
    """Return all orders of the sweeps: every knob, value and seed; `heads` are those the engine draws for the seeds.

    `fixed` are further parameters of each order, such as slices.
    """
    base = typical(prior)
    found = []
    for knob in KNOBS:
        width = widest(prior, base, knob, list(heads.values()), frame)
        for value in values:
            shape = turned(prior, base, knob, value * width)
            asked = asking(shape, frame)
            found += [Turn(knob, shape, Order.of(seed, asked | dict(fixed))) for seed in heads]
    return found


def typical(prior: Prior) -> TumorShape:
    """Return the typical tumor of the training patients, on the left side of their typical head."""
    mean = prior.shapes.mean
    volume, sphericity = math.exp(mean[0]), 1 / (1 + math.exp(-mean[7]))
    x, y, z = (
        c + place * h for c, place, h in zip(prior_head(prior).center_mm, mean[1:4], prior_head(prior).half_mm, strict=True)
    )
    extent = math.exp(mean[4]), math.exp(mean[5]), math.exp(mean[6])
    return TumorShape(volume, surface_of(volume, sphericity), sphericity, (x, y, z), extent)


def prior_head(prior: Prior) -> Head:
    """Return the typical head."""
    return Style.from_vector(prior.styles.mean).head


def turned(prior: Prior, base: TumorShape, knob: str, by: float) -> TumorShape:
    """Return the base with one knob turned by so many standard deviations; all other numbers stay."""
    spread = np.sqrt(np.diag(np.array(prior.shapes.covariance)))
    axis = "xyz".find(knob[-1]) if " " in knob else 0
    if knob == "volume":
        return _with(base, volume_ml=base.volume_ml * math.exp(by * spread[0]))
    if knob == "sphericity":
        return _with(base, sphericity=1 / (1 + math.exp(-(prior.shapes.mean[7] + by * spread[7]))))
    if knob.startswith("center"):
        moved = list(base.center_mm)
        moved[axis] += by * spread[1 + axis] * prior_head(prior).half_mm[axis]
        return _with(base, center_mm=tuple(moved))
    extents = list(base.extent_mm)
    extents[axis] *= math.exp(by * spread[4 + axis])
    return _with(base, extent_mm=tuple(extents))


def widest(prior: Prior, base: TumorShape, knob: str, heads: Sequence[Head], frame: Frame) -> float:
    """Return by how many standard deviations a knob can be turned to both sides so that a body can be so in every head."""
    width = WIDEST
    while width > 0.05:
        ends = Candidates.of([turned(prior, base, knob, value * width) for value in VALUES])
        kept = [rules(ends, head, prior.reach, frame.half_mm) for head in heads]
        if all(flags.all() for rule in kept for flags in rule.values()):
            return width
        width *= NARROWER
    raise ValueError(f"the typical tumor cannot be turned in {knob}: it breaks a rule as it is")


def asking(shape: TumorShape, frame: Frame) -> dict[str, Scalar]:
    """Return the parameters that ask for a shape, all nine of its numbers that can be asked."""
    x, y, z = frame.to_world(shape.center_mm)
    w, d, h = shape.extent_mm
    place: dict[str, Scalar] = {"place": GIVEN, "center_x_mm": x, "center_y_mm": y, "center_z_mm": z}
    extent = {"extent_x_mm": w, "extent_y_mm": d, "extent_z_mm": h}
    return {**place, **extent, "volume_ml": shape.volume_ml, "sphericity": shape.sphericity}


def _with(base: TumorShape, **changed: object) -> TumorShape:
    shape = replace(base, **changed)  # type: ignore[arg-type]
    return replace(shape, surface_cm2=surface_of(shape.volume_ml, shape.sphericity))


def _sweep_row(knob: str, made: Sequence[tuple[Turn, Grown]]) -> Row:
    what, rule = f"knob {knob} alone", "rises with every step"
    read = READ[knob]
    if sentences := [g.refused for _, g in made if g.refused]:
        return missing(1, what, f"{len(sentences)} of {len(made)} refused: {sentences[0]}", rule)
    asked = sorted({read(turn.asked) for turn, _ in made})
    brought = [[_value(read, g) for turn, g in made if read(turn.asked) == value] for value in asked]
    sweep = Sweep(knob, tuple(asked), tuple(tuple(values) for values in brought))
    told = " → ".join(f"{value:.3g}" for value in sweep.means)
    note = f"Spearman; asked {asked[0]:.3g} to {asked[-1]:.3g}, got {told}; {len(made) // len(asked)} seeds"
    return Row(1, what, sweep.rank, "", rule, sweep.monotone, note)


def _value(read: Callable[[TumorShape], float], grown: Grown) -> float:
    shape = got(grown)
    return math.nan if shape is None else read(shape)
