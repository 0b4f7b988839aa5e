"""Who judges the synthetic heads: networks trained on real patients of the training side only, once, and kept with their cards.

    runs/bench/judges/lgg-flair/            segmenter of slices, each with its two neighbors; the network that knows copies
    runs/bench/judges/lgg-flair-axial/      features of axial slices, for KID
    runs/bench/judges/lgg-flair-coronal/    features of coronal planes

A judge that is there and fits its card is used again, so a bench can be repeated without training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from medsynth_core.evaluation.copies import CopyNetwork, CopySettings
from medsynth_core.evaluation.features import FeatureNetwork, FeatureSettings, features
from medsynth_core.evaluation.flicker import Stack, axial, coronal
from medsynth_core.evaluation.generator import Images, Masks, Pairs
from medsynth_core.evaluation.judges import prepare_copy_network, prepare_features, prepare_segmenter
from medsynth_core.evaluation.lesson import LessonReport
from medsynth_core.evaluation.metrics import Features
from medsynth_core.evaluation.plain_unet import PlainUNet
from medsynth_core.evaluation.segmenter import SegmenterSettings, segment
from medsynth_core.evaluation.volume_segmenter import slice_pairs

DATA = "lgg-flair"
CORONAL_ROWS = 80
"""A head of 145 mm takes 77 rows of 1.875 mm."""
MOST_PLANES = 2000


@dataclass(frozen=True)
class TumorJudgeSettings:
    """How the judges are trained; the segmenter takes four minutes of one core, the others one and a half each."""

    segmenter: SegmenterSettings = field(
        default_factory=partial(SegmenterSettings, steps=1200, batch=12, widths=(24, 48, 72, 96))
    )
    features: FeatureSettings = field(default_factory=partial(FeatureSettings, steps=600, batch=32))
    copies: CopySettings = field(default_factory=CopySettings)


@dataclass(frozen=True)
class TumorJudges:
    """All judges, ready, and the names that stand beside the figures."""

    segmenter: PlainUNet
    axial: FeatureNetwork
    coronal: FeatureNetwork
    copies: CopyNetwork
    names: tuple[str, ...]

    def segment(self, images: Images) -> Masks:
        """Return the labels (n, y, x) seen in slices with their neighbors (n, 3, y, x)."""
        return segment(self.segmenter, images)

    def axial_features(self, stacks: Sequence[Stack]) -> Features:
        """Return the features of all axial slices that show head."""
        return features(self.axial, np.concatenate([axial(stack) for stack in stacks]))

    def coronal_features(self, stacks: Sequence[Stack]) -> Features:
        """Return the features of every third coronal plane that shows head."""
        return features(self.coronal, coronal_planes(stacks))


def prepare_tumor_judges(
    folder: Path, training: Callable[[], Sequence[Stack]], settings: TumorJudgeSettings, report: LessonReport, device: str = "cpu"
) -> TumorJudges:
    """Return the judges trained on the stacks of the training side, or read from `folder`."""
    real = training()
    pairs = slice_pairs((stack.image, stack.mask) for stack in real)
    segmenter, segmenter_name = prepare_segmenter(folder / DATA, DATA, pairs, settings.segmenter, report, device)
    slices = np.concatenate([axial(stack) for stack in real])
    named = [
        prepare_features(folder / f"{DATA}-{plane}", f"{DATA}-{plane}", bare(images), settings.features, report, device)
        for plane, images in (("axial", slices), ("coronal", coronal_planes(real)))
    ]
    copies, copies_name = prepare_copy_network(folder / DATA, DATA, slices, settings.copies, report, device)
    names = (segmenter_name, *(name for _, name in named), copies_name)
    return TumorJudges(segmenter, named[0][0], named[1][0], copies, names)


def coronal_planes(stacks: Sequence[Stack]) -> Images:
    """Return coronal planes (n, 1, 80, x) of stacks of one width."""
    return np.concatenate([coronal(stack, CORONAL_ROWS) for stack in stacks])


def bare(images: Images) -> Pairs:
    """Return at most 2000 images, drawn by chance, without masks: what a feature network learns from."""
    chosen = np.sort(np.random.default_rng(0).permutation(len(images))[:MOST_PLANES])
    empty = np.zeros((len(chosen), *images.shape[2:]), np.uint8)
    return Pairs(images[chosen], empty, np.zeros((len(chosen), 0), np.int64), labels=1)
