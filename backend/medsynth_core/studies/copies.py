"""Does a model repeat what it learned from? Its samples beside the real held-out images, each by its nearest training image.

What is compared depends on the kind of data: pictures as they are or mirrored; slices of volumes; patches of histology against
all pieces of all training tiles, in all eight orientations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medsynth_core.errors import InputError
from medsynth_core.evaluation.copies import SIDE, CopyCheck, CopyNetwork, CopySettings, judged
from medsynth_core.evaluation.copies_search import ALL_WAYS, Library, Matched, Picture, Way, shrunk
from medsynth_core.evaluation.copies_tiles import LEARNED_STRIDE, SHIFTED, SMALLER, STRIDE, pieces_of, quartered
from medsynth_core.evaluation.flicker import showing
from medsynth_core.evaluation.generator import Images
from medsynth_core.evaluation.judges import prepare_copy_network
from medsynth_core.evaluation.lesson import LessonReport
from medsynth_core.imaging.nuclei_maps import turned
from medsynth_core.studies.items import Item
from medsynth_core.studies.learners import NUCLEI
from medsynth_core.studies.material import Material
from medsynth_core.studies.samples import Kind, Sample, pieces

PICTURE_WAYS: tuple[Way, ...] = ((False, 0), (True, 0))
"""Training mirrors pictures left and right."""


@dataclass(frozen=True, eq=False)
class View:
    """A picture that is looked at: whole (c, y, x) as it is shown to people, and small (c, 64, 64) as it is compared."""

    whole: Picture
    small: Picture


@dataclass(frozen=True, eq=False)
class Flag:
    """A sample that is more like a training image than 95 % of real ones are: both pictures, turned alike, and how like."""

    sample: str
    kind: Kind
    seed: int
    likeness: float
    picture: Picture
    neighbor: Picture
    learned: int


@dataclass(frozen=True)
class Share:
    """How many of the pictures of one kind are flagged; a volume has three."""

    kind: Kind
    samples: int
    pictures: int
    flagged: int

    @property
    def percent(self) -> float:
        """The share of pictures flagged."""
        return 100 * self.flagged / max(1, self.pictures)


@dataclass(frozen=True, eq=False)
class Found:
    """The answer: the threshold, the share of `real` held-out pictures above it, the share of each kind, the flags."""

    threshold: float
    real: int
    real_percent: float
    shares: tuple[Share, ...]
    flags: tuple[Flag, ...]
    judge: str
    learned: int

    @property
    def flagged(self) -> tuple[str, ...]:
        """The names of the flagged samples."""
        return tuple(dict.fromkeys(flag.sample for flag in self.flags))


class Memory:
    """What a model has learned from, ready to be searched: a `Library` that also knows the pictures in full."""

    def __init__(self, material: Material, network: Callable[[Images, CopySettings], CopyNetwork]) -> None:
        """`network` gives the one that knows the images (n, c, 64, 64) again, trained with settings."""
        self._tiles = material.kind == NUCLEI
        if self._tiles:
            self._whole = [item.image[0] for item in material.pool]
            small = [quartered(picture) for picture in self._whole]
            taught = np.concatenate([pieces_of(picture, LEARNED_STRIDE) for picture in small])
            self.library = Library(network(taught, CopySettings(jitter=SHIFTED)), small, STRIDE, ALL_WAYS)
        else:
            seen = [view for item in material.pool for view in views(item, every=True)]
            self._whole, small = [view.whole for view in seen], [view.small for view in seen]
            self.library = Library(network(np.stack(small), CopySettings()), small, SIDE, PICTURE_WAYS)

    def picture(self, piece: int) -> Picture:
        """Return a piece in full."""
        i, y, x = self.library.pieces[piece]
        if not self._tiles:
            return self._whole[i]
        y, x, side = y * SMALLER, x * SMALLER, SIDE * SMALLER
        return self._whole[i][:, y : y + side, x : x + side]


def views(item: Item, every: bool) -> list[View]:
    """Return what is looked at of an item: the picture; of a volume every slice that shows something, or three of them."""
    if len(item.image) == 1:
        return [View(item.image[0], shrunk(item.image[0]))]
    planes = item.image[:, item.image.shape[1] // 2][:, None]  # without the neighbors
    if not every:
        middle = int((item.labels != 0).sum(axis=(1, 2)).argmax())
        planes = planes[[middle // 2, middle, (middle + len(planes) - 1) // 2]]
    return [View(plane, shrunk(plane)) for plane in showing(planes)]


def memory_of(material: Material, judges: Path, data: str, report: LessonReport) -> tuple[Memory, str]:
    """Return what may be copied, with the network kept in `judges` or trained there, and the network's name."""
    names: list[str] = []

    def network(taught: Images, settings: CopySettings) -> CopyNetwork:
        ready, name = prepare_copy_network(judges, data, taught, settings, report)
        names.append(name)
        return ready

    return Memory(material, network), names[0]


def find_copies(memory: Memory, judge: str, material: Material, samples: Sequence[Sample]) -> Found:
    """Return which samples look like copies. Raises InputError where there is nothing to compare."""
    real = [view for item in pieces(material, held_out=True) for view in views(item, every=True)]
    seen = [(sample, view) for sample in samples for view in views(sample.item, every=False)]
    if not real or not seen:
        raise InputError(f"there are {len(real)} held-out pictures and {len(seen)} of samples: a copy check needs both")
    usual = memory.library.nearest(_smalls(real)).likeness
    nearest = memory.library.nearest(_smalls([view for _, view in seen]))
    check = judged(nearest, usual)
    flags = sorted(
        (_flag(memory, *seen[int(i)], nearest, int(i)) for i in np.flatnonzero(check.flags)), key=lambda f: -f.likeness
    )
    shares = tuple(_share(kind, seen, check) for kind in dict.fromkeys(sample.kind for sample in samples))
    return Found(check.threshold, len(usual), 100 * check.held_out_share, shares, tuple(flags), judge, len(memory.library.pieces))


def _flag(memory: Memory, sample: Sample, view: View, nearest: Matched, i: int) -> Flag:
    way, piece = memory.library.ways[int(nearest.way[i])], int(nearest.index[i])
    picture = np.ascontiguousarray(turned(view.whole, *way))
    learned = memory.library.pieces[piece][0]
    return Flag(sample.name, sample.kind, sample.seed, float(nearest.likeness[i]), picture, memory.picture(piece), learned)


def _share(kind: Kind, seen: Sequence[tuple[Sample, View]], check: CopyCheck) -> Share:
    mine = [i for i, (sample, _) in enumerate(seen) if sample.kind is kind]
    return Share(kind, len({seen[i][0].name for i in mine}), len(mine), int(check.flags[mine].sum()))


def _smalls(seen: Sequence[View]) -> Images:
    return np.stack([view.small for view in seen])
