"""A refined mask is no image: what can be judged without the truth is whether the model has learned from such images at all.

    look          17 numbers of the window that the network looks through: colors, spread, brightness, color, texture
    strangeness   distance of a look to the nearest of up to 16 kinds of training images, in the spread that looks have within a
                  kind (Mahalanobis), divided by √17: about 1 is usual
    threshold     what 95 % of the tuning side stays below, but no less than 95 % of the training side

Numbers rather than features of the network: they need no weights, a millisecond, and nothing in them shows an image.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.cluster.vq import kmeans2

from medsynth_core.engines.refine.items import Item
from medsynth_core.engines.refine.windows import squares_over
from medsynth_core.errors import InputError, ModelError
from medsynth_core.evaluation.copies import PERCENTILE
from medsynth_core.evaluation.looks import small_of
from medsynth_core.evaluation.teaching import every
from medsynth_core.models.folder import JUDGE, read_json, write_json
from medsynth_core.protocol import ModelCard, Thresholds, from_json, to_json
from medsynth_core.quality import Badge

FILE = "judge.json"
MOST_KINDS, LEAST_OF_A_KIND = 16, 8
MOST_ITEMS = 400
"""Of each set of images, evenly spread."""
BLURS_PX = (1, 2, 4, 8)
RIDGE = 1e-3
Plane = npt.NDArray[Any]
Looks = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Kinds:
    """What training images are like: `centers` (k, 17) of kinds, of looks less `mean` (17,), times `whitening` (17, 17)."""

    mean: tuple[float, ...]
    whitening: tuple[tuple[float, ...], ...]
    centers: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, looks: Looks) -> Kinds:
        """Return the kinds of looks (n, 17)."""
        mean, spread = looks.mean(axis=0), looks.std(axis=0) + 1e-9
        scaled = (looks - mean) / spread
        count = max(1, min(MOST_KINDS, len(looks) // LEAST_OF_A_KIND))
        centers, kind = kmeans2(scaled, count, minit="++", rng=np.random.default_rng(0))
        within = np.atleast_2d(np.cov((scaled - centers[kind]).T)) + RIDGE * np.eye(looks.shape[1])
        whitening = np.diag(1 / spread) @ np.linalg.cholesky(np.linalg.inv(within)) / np.sqrt(looks.shape[1])
        return cls(_row(mean), _rows(whitening), _rows((centers * spread) @ whitening))

    def strangeness(self, looks: Looks) -> npt.NDArray[np.float64]:
        """Return how far each look (n, 17) is from the nearest kind, (n,)."""
        there = (looks - np.array(self.mean)) @ np.array(self.whitening)
        return np.asarray(np.linalg.norm(there[:, None] - np.array(self.centers), axis=2).min(axis=1))


@dataclass(frozen=True)
class InputJudge:
    """Judges refined masks by the images they were drawn on; without `kinds` nothing is judged."""

    card: ModelCard
    kinds: Kinds | None = None

    def badge(self, image: Plane, mask: npt.NDArray[np.bool_]) -> Badge:
        """Return the badge of a mask (y, x) on an image (3, y, x) in [−1, 1]."""
        look = None if self.kinds is None else look_of((np.clip(image, -1, 1) + 1) * 127.5, mask)
        strange = None if self.kinds is None or look is None else float(self.kinds.strangeness(look[None])[0])
        return Badge.of_input(self.card.quality, strange)


def look_of(image: Plane, mask: npt.NDArray[np.bool_]) -> Looks | None:
    """Return the look (17,) of an image (3, y, x), 0 to 255, round what is painted; None where nothing is."""
    squares = squares_over(mask)
    if not squares:
        return None
    square = squares[len(squares) // 2]
    rows, columns = (
        np.clip(np.arange(start, start + square.side), 0, n - 1)
        for start, n in zip((square.y, square.x), mask.shape, strict=True)
    )
    window = small_of(image[:, rows[:, None], columns].round().astype(np.uint8)[None])[0] / 255.0  # (3, 64, 64)
    grey = window.mean(axis=0)
    red, green, blue = window
    blurred = [grey, *(ndimage.gaussian_filter(grey, sigma) for sigma in BLURS_PX)]
    texture = [np.log((fine - coarse).std() + 1e-3) for fine, coarse in itertools.pairwise(blurred)]
    colors = [np.abs(red - green).mean(), np.abs(green - blue).mean()]
    quantiles = np.percentile(grey, (5, 25, 50, 75, 95))
    return np.array([*window.mean(axis=(1, 2)), *window.std(axis=(1, 2)), *quantiles, *colors, *texture])


def teach(training: Sequence[Sequence[Item]], tuning: Sequence[Item], place: Path) -> Thresholds:
    """Write what sets of training images are like into a folder, and return the threshold that images to choose by give."""
    learned = _looks([items[i] for items in training for i in every(len(items), MOST_ITEMS)])
    chosen_by = _looks(tuning)
    kinds = Kinds.of(learned)
    place.mkdir(parents=True, exist_ok=True)
    write_json(place / FILE, to_json(kinds), indent=0)
    sides = [kinds.strangeness(side) for side in (learned, chosen_by) if len(side)]
    most = max(float(np.percentile(side, PERCENTILE, method="higher")) for side in sides)
    return Thresholds(strangeness=round(most, 4), count=len(chosen_by))


def read_judge(folder: Path, card: ModelCard) -> InputJudge:
    """Return the judge of a verified model folder, with what is there. Raises ModelError for a damaged one."""
    path = folder / JUDGE / FILE
    if not path.is_file():
        return InputJudge(card)
    try:
        return InputJudge(card, from_json(Kinds, read_json(path)))
    except (InputError, OSError, ValueError) as problem:
        raise ModelError(f"the judge of model {card.id} cannot be used ({problem}): get the model again") from None


def _looks(items: Sequence[Item]) -> Looks:
    found = [look for item in items if (look := look_of(item.image, item.mask > 0)) is not None]
    return np.stack(found) if found else np.zeros((0, 17))


def _row(values: npt.NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(f"{value:.6g}") for value in values)


def _rows(values: npt.NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    return tuple(map(_row, values))
