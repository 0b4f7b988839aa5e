"""Is a model faithful? Its samples beside the real held-out items; the kind of data decides which figures there are.

    every kind   KID beside its floor, diversity beside that of real pictures
    synthesize   mask adherence, over all masks and over the third with the smallest lesions
    nuclei       the nuclei seen in an image beside those it was painted for; fields beside real ones
    tumor        asked beside got; adherence of image and mask; how the slices hang together

Judges learn from the training side alone and are kept with their cards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from medsynth_core.evaluation import flicker
from medsynth_core.evaluation.adherence import adherence
from medsynth_core.evaluation.features import FeatureSettings, features
from medsynth_core.evaluation.figure import Figure
from medsynth_core.evaluation.flicker import Stack
from medsynth_core.evaluation.generator import Images, Pairs
from medsynth_core.evaluation.judges import (
    JudgeSettings,
    prepare_features,
    prepare_judges,
    prepare_nuclei_segmenter,
    prepare_segmenter,
)
from medsynth_core.evaluation.lesson import LessonReport
from medsynth_core.evaluation.likeness_figures import diversity_figures, kid_figure
from medsynth_core.evaluation.metrics import Features
from medsynth_core.evaluation.nuclei_segmenter import NucleiSegmenterSettings
from medsynth_core.evaluation.nuclei_views import Labeled
from medsynth_core.evaluation.segmenter import SegmenterSettings, segment
from medsynth_core.evaluation.volume_segmenter import slice_pairs, volume_dices
from medsynth_core.studies.at_work import Report
from medsynth_core.studies.fidelity_nuclei import field_distances, structure_figures
from medsynth_core.studies.fidelity_volumes import asked_figures, flicker_figures, grow_like, real_stacks
from medsynth_core.studies.items import Item
from medsynth_core.studies.material import Material, volume_item
from medsynth_core.studies.questioned import Question, Questioned, training_told
from medsynth_core.studies.samples import Kind, Sample, Wish, make_samples, pieces, wishes
from medsynth_core.training.sides import SIDES

REPEATED_MASKS, REPEATS = 6, 4
CORONAL_ROWS, MOST_PLANES = 80, 2000
"""A head of 145 mm takes 77 rows of 1.875 mm."""
MOST_TAUGHT = 1000
"""Patches of nuclei that the feature network learns from: float copies of all would take 1.5 GB."""


@dataclass(frozen=True)
class FidelitySettings:
    """How the judges are trained."""

    judges: JudgeSettings = field(default_factory=JudgeSettings)
    nuclei_features: FeatureSettings = field(default_factory=partial(FeatureSettings, steps=400, batch=16))
    nuclei_segmenter: NucleiSegmenterSettings = field(default_factory=NucleiSegmenterSettings)
    slices: SegmenterSettings = field(default_factory=partial(SegmenterSettings, steps=1200, batch=12, widths=(24, 48, 72, 96)))
    planes: FeatureSettings = field(default_factory=partial(FeatureSettings, steps=600, batch=32))


@dataclass(frozen=True, eq=False)
class Bench:
    """What a question needs: the model with its data, where judges are kept, how many samples, in how many processes."""

    question: Question
    asked: Questioned
    data: str
    judges: Path
    count: int
    workers: int
    report: Report
    settings: FidelitySettings = field(default_factory=FidelitySettings)

    def samples(self, asked: Sequence[Wish]) -> list[Sample]:
        """Return what was wished for."""
        return make_samples(self.asked.folder, asked, self.workers, self.report)

    @property
    def told(self) -> LessonReport:
        """What judges tell while they are trained."""
        return training_told(self.report)


@dataclass(frozen=True, eq=False)
class Faithful:
    """The figures, and pairs of pictures to look at: a real item (None where there is none) and the sample beside it."""

    figures: tuple[Figure, ...]
    shown: tuple[tuple[Item | None, Item], ...]


def fidelity(bench: Bench) -> Faithful:
    """Return the figures of the engine's kind of data."""
    return STUDIES[bench.asked.card.engine](bench)


def _pairs(bench: Bench) -> Faithful:
    material = bench.asked.material
    judges = prepare_judges(bench.judges, bench.data, _as_pairs(material, material.pool), bench.settings.judges, bench.told)
    asked = wishes(material, Kind.HELD_OUT, bench.count)
    real, made = [wish.source for wish in asked if wish.source], [sample.item for sample in bench.samples(asked)]
    repeated = _repeated(bench, asked, made, judges.features)
    found = adherence(judges.segment, _as_pairs(material, real), _images(made))
    by = f"Dice of {judges.segmenter_name} on {len(made)} made images over its Dice on the real images of the same masks"
    small = f"the same over the {max(1, len(made) // 3)} masks with the smallest lesions"
    figures = [
        Figure("adherence", "Mask adherence", found.ratio, by, "", None, found.real, "Dice on real images"),
        Figure(
            "adherence_small",
            "Mask adherence, smallest third",
            found.ratio_small,
            small,
            "",
            None,
            found.real_small,
            "Dice on real images",
        ),
        kid_figure(judges.features(_images(made)), judges.features(_images(real)), judges.features_name),
        *diversity_figures(repeated, judges.features(_images(made)), judges.features(_images(real)), judges.features_name),
    ]
    return Faithful(tuple(figures), tuple(zip(real, made, strict=True)))


def _nuclei(bench: Bench) -> Faithful:
    material, settings = bench.asked.material, bench.settings
    taught = pieces(material, held_out=False)
    labeled = [Labeled(item.image[0], item.labels[0]) for item in taught]
    segmenter, name = prepare_nuclei_segmenter(bench.judges, bench.data, labeled, settings.nuclei_segmenter, bench.told)
    some = [taught[int(i)] for i in np.unique(np.linspace(0, len(taught) - 1, min(MOST_TAUGHT, len(taught))).round().astype(int))]
    network, judge = prepare_features(bench.judges, bench.data, _as_pairs(material, some), settings.nuclei_features, bench.told)
    asked = wishes(material, Kind.HELD_OUT, bench.count)
    real, painted = [wish.source for wish in asked if wish.source], [sample.item for sample in bench.samples(asked)]
    drawn = [sample.item for sample in bench.samples(wishes(material, Kind.DRAWN, bench.count))]
    see = partial(features, network)
    figures = [
        *structure_figures(segmenter, name, real, painted),
        *field_distances(drawn, pieces(material, held_out=True)),
        kid_figure(see(_images(painted)), see(_images(real)), judge),
        *diversity_figures(_repeated(bench, asked, painted, see), see(_images(drawn)), see(_images(real)), judge),
    ]
    return Faithful(tuple(figures), (*zip(real, painted, strict=True), *((None, item) for item in drawn)))


def _volumes(bench: Bench) -> Faithful:
    learned = real_stacks(bench.question, SIDES[0])
    real = real_stacks(bench.question, bench.question.side, bench.asked.material.met)[: bench.count]
    grown = grow_like(bench.asked.folder, real)
    made = [one.stack for one in grown]
    figures = [
        *asked_figures(grown),
        _volume_adherence(bench, learned, real, made),
        *flicker_figures(grown, real),
        *_plane_figures(bench, "axial slices", flicker.axial, learned, real, made),
        *_plane_figures(bench, "coronal planes", partial(flicker.coronal, rows=CORONAL_ROWS), learned, real, made),
    ]
    shown = [[volume_item(str(i), "", s.image, s.mask) for i, s in enumerate(part)] for part in (real, made)]
    return Faithful(tuple(figures), tuple(zip(*shown, strict=True)))


def _volume_adherence(bench: Bench, learned: Sequence[Stack], real: Sequence[Stack], made: Sequence[Stack]) -> Figure:
    pairs = slice_pairs((stack.image, stack.mask) for stack in learned)
    segmenter, name = prepare_segmenter(bench.judges, bench.data, pairs, bench.settings.slices, bench.told)
    see = partial(segment, segmenter)
    on_made, on_real = (float(volume_dices(see, [(s.image, s.mask) for s in part]).mean()) for part in (made, real))
    by = f"mean Dice of {name} on {len(made)} grown volumes over its mean Dice on {len(real)} real ones"
    ratio = on_made / on_real if on_real > 0 else float("nan")
    return Figure("adherence", "Mask adherence", ratio, by, "", None, on_real, "Dice on real volumes")


def _plane_figures(
    bench: Bench,
    planes: str,
    cut: Callable[[Stack], Images],
    learned: Sequence[Stack],
    real: Sequence[Stack],
    made: Sequence[Stack],
) -> list[Figure]:
    way = planes.split()[0]
    taught = _bare(np.concatenate([cut(stack) for stack in learned]))
    network, judge = prepare_features(bench.judges / way, bench.data, taught, bench.settings.planes, bench.told)
    ours, theirs = (features(network, np.concatenate([cut(stack) for stack in part])) for part in (made, real))
    (across,) = diversity_figures([], ours, theirs, judge)
    across = replace(across, key=f"diversity_{way}", title=f"Diversity of {planes}")
    return [kid_figure(ours, theirs, judge, f"kid_{way}", planes), across]


def _bare(images: Images) -> Pairs:
    """Return at most 2000 images, drawn by chance, without masks: what a feature network learns from."""
    chosen = np.sort(np.random.default_rng(0).permutation(len(images))[:MOST_PLANES])
    return Pairs(images[chosen], np.zeros((len(chosen), *images.shape[2:]), np.uint8), np.zeros((len(chosen), 0), np.int64), 1)


def _repeated(bench: Bench, asked: Sequence[Wish], made: Sequence[Item], see: Callable[[Images], Features]) -> list[Features]:
    """Return the features of images of a few masks, at four seeds each, of which the first is there."""
    few = list(zip(asked, made, strict=True))[:REPEATED_MASKS]
    more = [replace(wish, number=wish.number + 1000 * turn) for wish, _ in few for turn in range(1, REPEATS)]
    others = [sample.item for sample in bench.samples(more)]
    again = REPEATS - 1
    return [see(_images([item, *others[i * again : (i + 1) * again]])) for i, (_, item) in enumerate(few)]


def _as_pairs(material: Material, items: Sequence[Item]) -> Pairs:
    """Return items of one picture each as judges take them; nuclei are one label."""
    masks = np.stack([item.labels[0] for item in items])
    known = np.minimum(masks, material.labels - 1).astype(np.uint8)
    return Pairs(_images(items), known, np.zeros((len(items), 0), np.int64), material.labels)


def _images(items: Sequence[Item]) -> Images:
    return np.stack([item.image[0] for item in items])


STUDIES: dict[str, Callable[[Bench], Faithful]] = {"synthesize": _pairs, "nuclei": _nuclei, "tumor": _volumes}
