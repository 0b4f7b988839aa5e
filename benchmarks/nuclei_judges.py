"""Who judges the made tiles: networks trained on real tiles of the training side only, once, and kept with their cards.

    runs/bench/judges/nuclei-he/          features of 256² patches, for KID; the network that knows images again
    runs/bench/judges/nuclei-he-fields/   the network that knows fields of nuclei again

A judge that is there and fits its card is used again, so a bench can be repeated without training. The segmenter of row 3 is that
of the downstream part, trained on all real tiles of the training side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.nuclei_copies import field_crops, image_crops
from benchmarks.nuclei_tiles import patches_of
from benchmarks.tumor_judges import bare
from medsynth_core.engines.nuclei.tiles import Tile
from medsynth_core.evaluation.copies import CopyNetwork, CopySettings
from medsynth_core.evaluation.copies_tiles import SHIFTED
from medsynth_core.evaluation.features import FeatureNetwork, FeatureSettings
from medsynth_core.evaluation.generator import Images
from medsynth_core.evaluation.judges import prepare_copy_network, prepare_features
from medsynth_core.evaluation.lesson import LessonReport

DATA = "nuclei-he"
MOST_PATCHES = 1000
"""What the feature network learns from: float copies of all patches would take 1.5 GB."""


@dataclass(frozen=True)
class NucleiJudgeSettings:
    """How the judges are trained; each takes a minute or two of four cores."""

    features: FeatureSettings = field(default_factory=partial(FeatureSettings, steps=400, batch=16))
    images: CopySettings = field(default_factory=partial(CopySettings, jitter=SHIFTED))
    fields: CopySettings = field(default_factory=partial(CopySettings, jitter=SHIFTED))


def feature_judge(
    folder: Path, training: Sequence[Tile], settings: NucleiJudgeSettings, report: LessonReport
) -> tuple[FeatureNetwork, str]:
    """Return the feature network trained on patches of the training side, or read from `folder`, and its name."""
    return prepare_features(folder / DATA, DATA, bare(some_patches(training)), settings.features, report)


def copy_judges(
    folder: Path, training: Sequence[Tile], settings: NucleiJudgeSettings, report: LessonReport
) -> tuple[CopyNetwork, CopyNetwork, tuple[str, str]]:
    """Return the networks that know images and fields again, trained or read from `folder`, and their names."""
    named = [
        prepare_copy_network(folder / name, name, crops(training), chosen, report)
        for name, crops, chosen in (
            (DATA, image_crops, settings.images),
            (f"{DATA}-fields", field_crops, settings.fields),
        )
    ]
    return named[0][0], named[1][0], (named[0][1], named[1][1])


def some_patches(tiles: Sequence[Tile]) -> Images:
    """Return at most 1000 of the patches (n, 3, 256, 256) of tiles, evenly taken."""
    every = patches_of(tiles)
    taken = np.unique(np.linspace(0, len(every) - 1, min(MOST_PATCHES, len(every))).round().astype(int))
    return np.stack([every[i].image for i in taken])
