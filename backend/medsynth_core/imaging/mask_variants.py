"""Other masks of the same kind: a label mask mirrored, made larger or smaller, moved, turned a little and bent.

Draw the parameters, then apply them: the same seed gives the same mask. Nothing is smoothed between labels, so a variant holds
only values of its source.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Labels = npt.NDArray[np.integer]
TRIES = 12


@dataclass(frozen=True)
class MaskJitter:
    """What may be drawn: mirrors (left-right, up-down), size in [`zoom`], shift ± `shift` of the side, turn ± `turn` radians,
    and a bend of ± `bend` of the side between `bend_points`² points.

    Up and down stay by default: anatomy and light have an upper side, and the models were taught none that stands on its head.
    A variant that keeps less than `least` of the foreground that its size asks for has left the picture: it is drawn again.
    """

    mirror: tuple[bool, bool] = (True, False)
    zoom: tuple[float, float] = (0.8, 1.25)
    shift: float = 0.1
    turn: float = 0.25
    bend: float = 0.02
    bend_points: int = 4
    least: float = 0.7


@dataclass(frozen=True, eq=False)
class Variant:
    """What was drawn: the matrix (2, 2) from places in the variant to places in the source, both from the middle; the shift
    (y, x) and the bend (2, points, points) in shares of the side; and the zoom that is in the matrix."""

    matrix: npt.NDArray[np.float64]
    shift: npt.NDArray[np.float64]
    bend: npt.NDArray[np.float64]
    zoom: float


USUAL = MaskJitter()


def draw(jitter: MaskJitter, rng: np.random.Generator) -> Variant:
    """Return the parameters of one variant."""
    zoom = float(np.exp(rng.uniform(*np.log(jitter.zoom))))
    angle = rng.uniform(-jitter.turn, jitter.turn)
    flip_x, flip_y = (-1.0 if on and rng.random() < 0.5 else 1.0 for on in jitter.mirror)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    bend = rng.uniform(-jitter.bend, jitter.bend, (2, jitter.bend_points, jitter.bend_points))
    return Variant(turn @ np.diag([flip_y, flip_x]) / zoom, rng.uniform(-jitter.shift, jitter.shift, 2), bend, zoom)


def apply(variant: Variant, labels: Labels) -> Labels:
    """Return the labels (y, x) as the variant has them, in their dtype; what lies outside is background."""
    sides = np.array(labels.shape, float)
    places = np.stack(np.meshgrid(*(np.arange(n, dtype=float) for n in labels.shape), indexing="ij"))  # (2, y, x)
    middle = ((sides - 1) / 2)[:, None, None]
    seen = np.tensordot(variant.matrix, places - middle, axes=1) + middle
    seen += (variant.shift * sides)[:, None, None] + _bent(variant.bend, labels.shape) * sides[:, None, None]
    return ndimage.map_coordinates(labels, seen, order=0, mode="constant", cval=0, output=labels.dtype)


def mask_variant(labels: Labels, seed: int, jitter: MaskJitter = USUAL) -> Labels:
    """Return a variant of a mask (y, x) that still shows its foreground; the same for the same seed.

    Where none of a dozen draws keeps it in the picture, such as for a mask that fills it, the mask comes back as it is.
    """
    before = int((labels != 0).sum())
    for attempt in range(TRIES):
        variant = draw(jitter, np.random.default_rng((seed, attempt)))
        made = apply(variant, labels)
        if (made != 0).sum() >= jitter.least * min(before * variant.zoom**2, labels.size) and made.any():
            return made
    return labels.copy()


def _bent(bend: npt.NDArray[np.float64], shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Return displacements (2, y, x), smooth between the points of the grid."""
    points = bend.shape[1] - 1
    places = np.meshgrid(*(np.linspace(0, points, n) for n in shape), indexing="ij")
    return np.stack([ndimage.map_coordinates(part, places, order=3, mode="nearest") for part in bend])
