"""Row 3: does the image show the nuclei it was painted for, and does it look like real histology?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt

from benchmarks.verdicts import Row, at_least
from medsynth_core.evaluation.features import FeatureNetwork, features
from medsynth_core.evaluation.generator import Images
from medsynth_core.evaluation.instances import PanopticQuality, panoptic_quality
from medsynth_core.evaluation.metrics import kid, split_half_kid

Field = npt.NDArray[np.integer]
Segment = Callable[[Images], Sequence[Field]]
"""Images (n, 3, 256, 256) → the instances (256, 256) seen in each."""
OBEYS_BAR = 0.8


@dataclass(frozen=True, eq=False)
class Shown:
    """Images (n, 3, 256, 256) and the nuclei (256, 256) that each is to show."""

    name: str
    images: Images
    fields: Sequence[Field]


def obey_rows(segment: Segment, segmenter: str, real: Shown, sets: Sequence[Shown]) -> list[Row]:
    """Row 3: PQ of the nuclei seen in made images against those asked, over the PQ of the same segmenter on real ones."""
    on_real = seen(segment, real)
    return [_obey_row(shown, seen(segment, shown), on_real, f"{len(real.fields)} {real.name}", segmenter) for shown in sets]


def seen(segment: Segment, shown: Shown) -> PanopticQuality:
    """Return the panoptic quality over all nuclei of a set."""
    found = segment(shown.images)
    scores = [panoptic_quality(instances, asked) for instances, asked in zip(found, shown.fields, strict=True)]
    return reduce(PanopticQuality.__add__, scores)


def _obey_row(shown: Shown, score: PanopticQuality, real: PanopticQuality, beside: str, segmenter: str) -> Row:
    ratio = score.value / real.value if real.value > 0 else float("nan")
    nuclei = score.matched + score.missed
    note = (
        f"PQ {score.value:.3f} on {len(shown.fields)} images, {nuclei} nuclei asked, {score.matched + score.invented} seen, SQ "
    )
    note += f"{score.segmentation:.3f}; {real.value:.3f} on {beside}; {segmenter}"
    return at_least(3, f"{shown.name}: PQ / PQ on real", ratio, OBEYS_BAR, note=note)


def kid_rows(network: FeatureNetwork, name: str, real: Shown, sets: Sequence[Shown], training: Images) -> list[Row]:
    """Row 3: KID of each set to the real images, beside that of real halves and of real training images. No bar."""
    theirs = features(network, real.images)
    floor = split_half_kid(theirs)
    rows = []
    for shown in sets:
        found = kid(features(network, shown.images), theirs)
        note = f"± {1000 * found.sd:.3g} over subsets of 64; {len(shown.images)} to {len(real.images)} {real.name}; {name}"
        rows.append(Row(3, f"{shown.name}: KID×1000", 1000 * found.mean, note=note))
    rows.append(Row(3, f"{real.name}, half to half: KID×1000", 1000 * floor.mean, note=f"± {1000 * floor.sd:.3g}, the floor"))
    learned = kid(features(network, training), theirs)
    note = f"± {1000 * learned.sd:.3g}; {len(training)} of them: what a perfect generator of that side would have"
    return [*rows, Row(3, f"real training patches to {real.name}: KID×1000", 1000 * learned.mean, note=note)]
