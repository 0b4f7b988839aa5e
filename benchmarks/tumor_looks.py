"""Rows 2, 3 and 6: does the mask fit the image, do the slices hang together, is anything a copy."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.tumor_judges import TumorJudges
from benchmarks.verdicts import Row, at_least, at_most, missing
from medsynth_core.evaluation import flicker
from medsynth_core.evaluation.copies import CopyCheck, Nearest, judged, vectors
from medsynth_core.evaluation.copies_search import Library, check_copies, shrunk
from medsynth_core.evaluation.flicker import Stack
from medsynth_core.evaluation.metrics import kid
from medsynth_core.evaluation.volume_segmenter import volume_dices

ADHERENCE_BAR = 0.85
W1_BAR = 2.0
LEVELS = 16
"""Heights at which two volumes are compared, as shares of the stack."""
INDEPENDENT, JOINT = "independent 2-D slices", "joint stack (paper)"


@dataclass(frozen=True)
class Battery:
    """The statistics of one set of volumes. W1 and KID are distances from real, the others stand beside real's own."""

    w1: float
    kid_axial: float
    kid_coronal: float
    roughness: float
    seam_z: float
    parts: float

    @property
    def kid_ratio(self) -> float:
        """KID of coronal planes over that of axial slices: above 1 where slices are better than what they make together."""
        return self.kid_coronal / self.kid_axial if self.kid_axial > 0 else float("nan")


@dataclass(frozen=True)
class Made:
    """A set of synthetic volumes: made[i] has as many slices as real[i]. `borders`: gaps between slabs, None: all gaps are."""

    name: str
    stacks: Sequence[Stack]
    borders: Sequence[Collection[int]] | None


def adherence_rows(judges: TumorJudges, synthetic: Sequence[Stack], real: Sequence[Stack]) -> list[Row]:
    """Row 2: Dice on synthetic volumes over Dice on real ones."""
    on_synthetic, on_real = (volume_dices(judges.segment, [(s.image, s.mask) for s in part]) for part in (synthetic, real))
    ratio = float(on_synthetic.mean() / on_real.mean()) if on_real.mean() > 0 else float("nan")
    note = f"Dice {on_synthetic.mean():.3f} on {len(synthetic)} synthetic, {on_real.mean():.3f} on {len(real)} real volumes"
    spread = f"quartiles {np.percentile(on_synthetic, 25):.2f}, {np.percentile(on_synthetic, 75):.2f}"
    real_spread = f"real {np.percentile(on_real, 25):.2f}, {np.percentile(on_real, 75):.2f}"
    return [
        at_least(2, "mask agrees with image: Dice / Dice on real", ratio, ADHERENCE_BAR, note=f"{note}; {spread}; {real_spread}")
    ]


def battery(made: Made, real: Sequence[Stack], judges: TumorJudges, real_features: tuple[np.ndarray, np.ndarray]) -> Battery:
    """Return the statistics of a set beside the real volumes of the same slice counts."""
    seam = flicker.excess_z(made.stacks, real) if made.borders is None else flicker.seam_z(made.stacks, made.borders)
    return Battery(
        flicker.wasserstein(flicker.pooled(made.stacks), flicker.pooled(real)),
        kid(judges.axial_features(made.stacks), real_features[0]).mean,
        kid(judges.coronal_features(made.stacks), real_features[1]).mean,
        flicker.mean_of(flicker.roughness, made.stacks),
        seam,
        flicker.mean_of(lambda s: flicker.parts(s.mask), made.stacks),
    )


def flicker_rows(
    ours: Made, rivals: Sequence[Made], real: Sequence[Stack], judges: TumorJudges, joint_trained: bool
) -> list[Row]:
    """Row 3: every statistic of ours, beside real's and those of the rivals; the first rival is the independent slices."""
    real_features = judges.axial_features(real), judges.coronal_features(real)
    found = {made.name: battery(made, real, judges, real_features) for made in (ours, *rivals)}
    mine = found[ours.name]
    own = real_own(real, ours)
    rows = w1_rows(mine.w1, real)
    rows += [_farther(what, get, mine, found, own) for what, get in STATISTICS.items()]
    if not joint_trained:
        rows.append(missing(3, f"the same of the {JOINT}", "not trained: no folder runs/joint"))
    return rows


def w1_rows(mine: float, real: Sequence[Stack]) -> list[Row]:
    """Row 3, W1 against twice the split-half value of the real volumes."""
    what = "W1 of adjacent-slice differences"
    if len(real) < 2:
        why = f"{mine:.3g} levels, but {len(real)} real volume has no halves to compare"
        return [missing(3, f"{what} / real split half", why, f"≤ {W1_BAR:g}")]
    floor = flicker.split_half(real)
    note = f"{mine:.3g} levels of 255; halves of {len(real)} real volumes {floor:.3g}"
    return [at_most(3, f"{what} / real split half", mine / floor, W1_BAR, note=note)]


def real_own(real: Sequence[Stack], ours: Made) -> Battery:
    """Return what the real volumes themselves have: no distance from real, and seams looked for where ours are."""
    seam = flicker.seam_z(real, ours.borders) if ours.borders is not None else 0.0
    roughness = flicker.mean_of(flicker.roughness, real)
    return Battery(0.0, 0.0, 0.0, roughness, seam, flicker.mean_of(lambda s: flicker.parts(s.mask), real))


STATISTICS: dict[str, Callable[[Battery], float]] = {
    "W1 of adjacent-slice differences, levels": lambda b: b.w1,
    "KID×1000 coronal": lambda b: 1000 * b.kid_coronal,
    "KID coronal / KID axial": lambda b: b.kid_ratio,
    "log power, high along z / in plane": lambda b: b.roughness,
    "seam at slab borders, z": lambda b: b.seam_z,
    "parts of the mask in 3-D": lambda b: b.parts,
}
"""Row 3: what is compared. Real has 0 for the distances."""
RATIO = "KID coronal / KID axial"


def _farther(what: str, get: Callable[[Battery], float], mine: Battery, found: dict[str, Battery], own: Battery) -> Row:
    """Return whether ours is no farther from real than the independent slices."""
    value, rival = get(mine), get(found[INDEPENDENT])
    real = 0.0 if what == RATIO else get(own)
    held = abs(value - real) <= abs(rival - real)
    beside = "; ".join(f"{name} {get(b):.3g}" for name, b in list(found.items())[1:])
    told = beside if what == RATIO else f"real {real:.3g}; {beside}"
    if what == RATIO:
        told += f"; KID×1000 axial {1000 * mine.kid_axial:.3g}"
    return Row(3, what, value, "", "no farther from real than independent 2-D", bool(held), told)


def copy_rows(judges: TumorJudges, samples: Sequence[Stack], held_out: Sequence[Stack], training: Sequence[Stack]) -> list[Row]:
    """Row 6: the share of slices and of volumes more like a training one than real held-out ones are."""
    library = Library(judges.copies, [shrunk(plane) for stack in training for plane in flicker.axial(stack)])
    real = np.stack([shrunk(plane) for stack in held_out for plane in flicker.axial(stack)])
    found = check_copies(library, np.stack([shrunk(plane) for stack in samples for plane in tumor_slices(stack)]), real)
    volumes = judged(nearest_volume(judges, samples, training), nearest_volume(judges, held_out, training).likeness)
    return [_copy_row("slices", found, len(real)), _copy_row("volumes", volumes, len(held_out))]


def tumor_slices(stack: Stack) -> np.ndarray:
    """Return three slices (3, 1, y, x) of a sample: the one with most tumor, and those half way to either end of the head."""
    middle = int(stack.mask.sum(axis=(1, 2)).argmax())
    return stack.image[[middle // 2, middle, (middle + len(stack.image) - 1) // 2]][:, None]


def nearest_volume(judges: TumorJudges, volumes: Sequence[Stack], training: Sequence[Stack]) -> Nearest:
    """Return the most alike training volume of each: the mean cosine over 16 heights."""
    theirs = np.stack([_profile(judges, stack) for stack in training])  # (m, 16, length)
    mine = np.stack([_profile(judges, stack) for stack in volumes])
    alike = np.einsum("nld,mld->nm", mine, theirs) / LEVELS
    return Nearest(alike.argmax(axis=1), alike.max(axis=1).astype(np.float64))


def _profile(judges: TumorJudges, stack: Stack) -> np.ndarray:
    at = np.linspace(0.1, 0.9, LEVELS) * (len(stack.image) - 1)
    return vectors(judges.copies, stack.image[at.round().astype(int)][:, None])


def _copy_row(what: str, found: CopyCheck, real: int) -> Row:
    note = f"of {len(found.flags)} samples; real held-out {100 * found.held_out_share:.1f} % of {real}"
    note += f"; threshold {found.threshold:.3f}, most alike {found.nearest.likeness.max():.3f}"
    return Row(6, f"copies: {what} flagged", 100 * found.share, "%", note=note)
