"""Row 2: are made fields like real ones, and do the knobs for density and size turn what they say?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.nuclei_made import Instances, Painters, Wish
from benchmarks.verdicts import Row, at_most, missing
from medsynth_core.engines.nuclei.prior import Likeness, Prior
from medsynth_core.evaluation.asked_got import Sweep
from medsynth_core.evaluation.field_figures import FIGURES, FieldFigures, distance, measure, split_half
from medsynth_core.imaging.nuclei_maps import areas_px

W1_BAR = 2.0
RISES = "rises with every step"
VALUES = 7
"""Values a knob is turned to, evenly in logarithm between the 5th and the 95th percentile of the training rows."""
SWEEP_SEED = 30_000


@dataclass(frozen=True)
class Knob:
    """What is turned: how to wish for a value, and how to read it from a training row and from a field."""

    name: str
    wish: Callable[[int, float], Wish]
    of_row: Callable[[Likeness], float]
    of_field: Callable[[Instances], float]


def field_rows(
    made: Sequence[Instances], real: Sequence[Instances], groups: Sequence[str], training: Sequence[Instances]
) -> list[Row]:
    """Row 2: W1 of four distributions over the split-half value of the real patches, halves by group.

    made, real and training: instance maps (256, 256); groups[i] is the slide or patient of real[i].
    """
    ours, theirs, learned = ([measure(field) for field in part] for part in (made, real, training))
    return [_figure_row(figure, ours, theirs, groups, learned) for figure in FIGURES]


def _figure_row(
    figure: str,
    ours: Sequence[FieldFigures],
    real: Sequence[FieldFigures],
    groups: Sequence[str],
    learned: Sequence[FieldFigures],
) -> Row:
    what, unit, mine = f"fields: {figure}, W1 / real split half", FIGURES[figure][0], distance(figure, ours, real)
    if len(set(groups)) < 2:
        return missing(2, what, f"{mine:.3g} {unit}, but {len(real)} real patches of one group have no halves", f"≤ {W1_BAR:g}")
    floor = split_half(figure, real, groups)
    single = split_half(figure, real, [str(i) for i in range(len(real))])
    beside = distance(figure, learned, real)
    note = f"W1 {mine:.3g} {unit} of {len(ours)} made to {len(real)} real patches"
    note += f"; halves of {len(set(groups))} groups {floor:.3g}, of single patches {single:.3g}"
    note += f"; {len(learned)} real training patches {beside:.3g} ({_ratio(beside, floor):.2g})"
    note += f"; means {_mean(figure, ours):.3g}, real {_mean(figure, real):.3g}"
    return at_most(2, what, _ratio(mine, floor), W1_BAR, note=note)


def knob_rows(painters: Painters, prior: Prior, values: int, seeds: int) -> list[Row]:
    """Row 2: density and mean area asked in steps, each alone, and what came; means over the seeds must rise."""
    found = []
    for knob in KNOBS:
        asked = steps(prior, knob, values)
        wishes = [knob.wish(SWEEP_SEED + i, value) for value in asked for i in range(seeds)]
        got = [knob.of_field(made.instances) for made in painters.made(wishes, f"knob {knob.name}")]
        came = tuple(tuple(got[n * seeds : (n + 1) * seeds]) for n in range(len(asked)))
        found.append(knob_row(Sweep(knob.name, asked, came)))
    return found


def knob_row(sweep: Sweep) -> Row:
    """Return the row of one knob: Spearman over all fields, held if the means over the seeds rise with every step."""
    steps_ = ", ".join(f"{asked:.3g}→{got:.3g}" for asked, got in zip(sweep.asked, sweep.means, strict=True))
    return Row(
        2, f"knob {sweep.knob} alone", sweep.rank, "", RISES, sweep.monotone, f"Spearman; {steps_}; {len(sweep.got[0])} seeds"
    )


def steps(prior: Prior, knob: Knob, values: int) -> tuple[float, ...]:
    """Return the values that a knob is turned to."""
    low, high = np.percentile([knob.of_row(row) for row in prior.rows], (5, 95))
    return tuple(float(v) for v in np.geomspace(max(low, 1.0), max(high, 2.0), values))


def density_of(field: Instances) -> float:
    """Return the nuclei in a field of 256² pixels."""
    return float(len(areas_px(field)))


def size_of(field: Instances) -> float:
    """Return the mean area of a field's nuclei in pixels; 0 where none came."""
    areas = areas_px(field)
    return float(areas.mean()) if len(areas) else 0.0


def _mean(figure: str, fields: Sequence[FieldFigures]) -> float:
    values = np.concatenate([FIGURES[figure][1](field) for field in fields])
    return float(values.mean()) if len(values) else float("nan")


def _ratio(value: float, floor: float) -> float:
    return value / floor if floor > 0 else float("nan")


KNOBS = (
    Knob("density", lambda seed, asked: Wish(seed, density=asked, painted=False), lambda row: row.density, density_of),
    Knob("size", lambda seed, asked: Wish(seed, size_px=asked, painted=False), lambda row: row.size_px, size_of),
)
