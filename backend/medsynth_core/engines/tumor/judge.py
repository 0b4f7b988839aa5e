"""What a judge sees of a volume with its tumor, and what it learns from: slices on the model's grid, each with its neighbors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from medsynth_core.engines.tumor.background import Ground, Plane
from medsynth_core.engines.tumor.frame import Frame
from medsynth_core.engines.tumor.stacks import Stack
from medsynth_core.evaluation.flicker import showing
from medsynth_core.evaluation.generator import Images, Pairs
from medsynth_core.evaluation.looks import Look, small_of
from medsynth_core.evaluation.teaching import MOST_PAIRS, Lessons, every, lent
from medsynth_core.evaluation.volume_segmenter import slice_pairs, with_neighbors

MOST_SLICES = 12
"""So many slices through a tumor are looked at, evenly spread."""
Levels = npt.NDArray[np.uint8]


class Witness:
    """Keeps what is seen of a volume while it grows: of every slice the model's grid."""

    def __init__(self, frame: Frame, ground: Ground) -> None:
        self._frame, self._ground = frame, ground
        self._seen: dict[int, tuple[Levels, Levels]] = {}

    def see(self, z: int, image: Plane, mask: Plane) -> None:
        """Take slice z of the frame, (y, x) each; one given again replaces the one before."""
        inside = self._frame.to_model((mask > 0).astype(np.float32)[None])[0] > 0.5
        self._seen[z] = _levels(self._ground.shown(image)), inside.astype(np.uint8)

    def look(self) -> Look:
        """Return what there is to judge, once every slice was seen."""
        images, masks = zip(*(self._seen[z] for z in sorted(self._seen)), strict=True)
        return look_of(np.stack(images), np.stack(masks))


def look_of(image: Levels, mask: Levels) -> Look:
    """Return what is seen of a volume (z, y, x) with its tumor: slices through it, and three that are searched for."""
    through = np.flatnonzero(mask.any(axis=(1, 2)))
    if not len(through):
        through = np.arange(len(image))
    chosen = through[every(len(through), MOST_SLICES)]
    middle = int(mask.sum(axis=(1, 2)).argmax()) if mask.any() else len(image) // 2
    planes = image[[middle // 2, middle, (middle + len(image) - 1) // 2]][:, None]
    return Look(with_neighbors(image)[chosen], mask[chosen], small_of(showing(planes)) if len(showing(planes)) else _NOTHING)


def lessons_of(training: Sequence[Stack], tuning: Sequence[Stack]) -> Lessons:
    """Return what a judge learns from."""
    training, also = lent(training, tuning)
    learned, chosen_by, lent_ones = (_volumes(side) for side in (training, tuning, also))
    pairs = slice_pairs((image, mask > 0) for image, mask in learned)
    some, known = every(len(pairs), MOST_PAIRS), _planes(learned)
    return Lessons(
        Pairs(pairs.images[some], pairs.masks[some], pairs.options[some], pairs.labels),
        known,
        known,
        tuple(look_of(*volume) for volume in learned),
        tuple(look_of(*volume) for volume in chosen_by),
        tuple(look_of(*volume) for volume in lent_ones),
        _planes(lent_ones),
    )


def _volumes(stacks: Sequence[Stack]) -> list[tuple[Levels, Levels]]:
    return [(_levels(stack.image), (stack.mask > 0.5).astype(np.uint8)) for stack in stacks]


def _planes(volumes: Sequence[tuple[Levels, Levels]]) -> Images:
    """Return all slices that show something, as they are searched for."""
    found = (showing(image[:, None]) for image, _ in volumes)
    return np.concatenate([_NOTHING, *(small_of(planes) for planes in found if len(planes))])


_NOTHING: Images = np.zeros((0, 1, 64, 64), np.uint8)


def _levels(image: npt.NDArray[np.float32]) -> Levels:
    return np.rint(image.clip(0, 1) * 255).astype(np.uint8)
