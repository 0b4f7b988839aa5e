"""Images with masks as the refiner trains on them, and the windows that are cut from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from medsynth_core.imaging.preprocess import Preprocessing
from medsynth_core.strength import object_width_px

ZOOMS = (1.3, 3.5)
"""Side of a window, in widths of the object it shows."""
LEAST_SIDE_PX = 40.0
SINGLE_SHARE = 0.3
ANISOTROPY = 0.12


@dataclass(frozen=True)
class Item:
    """One image with its mask. Items of one group (patient, slide, scene) never part in a split.

    image: (3, y, x) uint8, red, green and blue, or the slices below, at and above, normalized as `normalized` does; mask: (y, x)
    of labels or, with `instances`, of one number an object.
    """

    source: str
    name: str
    group: str
    image: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.uint16]
    instances: bool = False
    color: bool = False


@dataclass(frozen=True)
class Window:
    """Where a window lies: center (y, x) in pixels, side in pixels, and how it is turned, mirrored and stretched."""

    center: tuple[float, float]
    side: float
    angle: float = 0.0
    mirrored: bool = False
    stretch: float = 1.0


def normalized(image: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Return an image (channel, z, y, x) as the network sees it, −1 and 1 kept as 0 and 255: a quarter of the memory."""
    return ((Preprocessing().apply(image) + 1) * 127.5).round().astype(np.uint8)


def draw_target(item: Item, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Return the mask (y, x) to be learned: one label, or of instances now and then a single one, else all."""
    values = np.unique(item.mask)
    values = values[values > 0]
    if item.instances and rng.random() > SINGLE_SHARE:
        return item.mask > 0
    return item.mask == rng.choice(values)


def draw_window(target: npt.NDArray[np.bool_], rng: np.random.Generator) -> Window:
    """Return a window round the object, or round a place of its rim where the object is larger than the window."""
    side = max(LEAST_SIDE_PX, object_width_px(target) * float(rng.uniform(*ZOOMS)))
    rows, columns = np.nonzero(target)
    box = max(np.ptp(rows), np.ptp(columns)) + 1
    if box < side:
        center = np.array([rows.min() + rows.max(), columns.min() + columns.max()]) / 2
        center = center + rng.uniform(-0.5, 0.5, 2) * (side - box) * 0.7
    else:
        rim = np.argwhere(target & ~ndimage.binary_erosion(target))
        center = rim[rng.integers(len(rim))] + rng.uniform(-0.25, 0.25, 2) * side
    stretch = float(np.exp(rng.uniform(-ANISOTROPY, ANISOTROPY)))
    return Window(tuple(center.tolist()), side, float(rng.uniform(0, 2 * np.pi)), bool(rng.random() < 0.5), stretch)


def cut(array: npt.NDArray[np.generic], window: Window, pixels: int, order: int) -> npt.NDArray[np.float32]:
    """Return the window of an array (C, y, x) as (C, pixels, pixels) float32; beyond the rim the edge repeats.

    Where the window is shrunk, the array is averaged first, so that fine structure fades instead of aliasing.
    """
    scale = window.side / pixels
    factor = max(1, int(scale / 1.3)) if order else 1
    source = array.astype(np.float32)
    if factor > 1:
        source = _averaged(source, factor)
    c, s = np.cos(window.angle), np.sin(window.angle)
    turn = np.array([[c, -s], [s, c]]) @ np.diag([window.stretch, (-1 if window.mirrored else 1) / window.stretch])
    matrix = turn * scale / factor
    middle = (np.array(window.center) + 0.5) / factor - 0.5
    offset = middle - matrix @ np.full(2, (pixels - 1) / 2)
    return np.stack(
        [
            ndimage.affine_transform(channel, matrix, offset, (pixels, pixels), order=order, mode="nearest", prefilter=False)
            for channel in source
        ]
    )


def _averaged(source: npt.NDArray[np.float32], factor: int) -> npt.NDArray[np.float32]:
    channels, y, x = source.shape
    padded = np.pad(source, ((0, 0), (0, -y % factor), (0, -x % factor)), mode="edge")
    return padded.reshape(channels, padded.shape[1] // factor, factor, padded.shape[2] // factor, factor).mean(axis=(2, 4))
