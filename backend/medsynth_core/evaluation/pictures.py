"""Pictures of one plane before and after: overlay, contours, what changed, where the runs disagree. PNG bytes out.

Colors are of Okabe and Ito's palette, told apart with any color vision; what was removed is hatched besides.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from skimage.measure import find_contours

ADDED, REMOVED, RELABELED = "#56b4e9", "#e69f00", "#cc79a7"
LABEL_COLORS = ("#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#56b4e9", "#e69f00")
SIDE_PX = 300
FINE = 2
"""Lines are drawn this much larger and shrunk, which smooths them."""
LEAST_CROP = 40
Labels = npt.NDArray[Any]
Picture = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Plane:
    """One plane, upright: image (y, x, 3) uint8, labels (y, x) before, if any, and after, uncertainty (y, x) uint8, if any.

    `spacing` is (y, x) in mm; `values` are the labels of the whole case, which decide the colors.
    """

    image: npt.NDArray[np.uint8]
    before: Labels | None
    after: Labels
    uncertainty: npt.NDArray[np.uint8] | None
    spacing: tuple[float, float]
    values: tuple[int, ...]


@dataclass(frozen=True)
class Box:
    """A part of a plane, in pixels."""

    top: int
    left: int
    bottom: int
    right: int

    def of(self, array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """Return that part of an array (y, x, ...)."""
        return array[self.top : self.bottom, self.left : self.right]


@dataclass(frozen=True)
class Pane:
    """A picture with its title; `png` holds the bytes of the file, `size` is (height, width) in pixels."""

    title: str
    png: bytes
    size: tuple[int, int]


def panes(plane: Plane) -> tuple[Pane, ...]:
    """Return the pictures of one plane: all of it, then enlarged: before, after, what changed, uncertainty."""
    box = box_of_interest(plane)
    whole, part = _Canvas(plane, Box(0, 0, *plane.after.shape)), _Canvas(plane, box)
    made = [("Whole picture", whole.labels(plane.after, box))]
    if plane.before is not None:
        made.append(("Before", part.labels(plane.before)))
    made.append(("After", part.labels(plane.after)))
    if plane.before is not None:
        made.append(("What changed", part.change(plane.before, plane.after)))
    if plane.uncertainty is not None:
        made.append(("Uncertainty", part.heat(plane.uncertainty)))
    return tuple(_pane(title, picture) for title, picture in made)


def outlined(title: str, plane: Plane) -> Pane:
    """Return the whole plane with its labels as tints with contours."""
    return _pane(title, _Canvas(plane, Box(0, 0, *plane.after.shape)).labels(plane.after))


def box_of_interest(plane: Plane) -> Box:
    """Return the part that holds the mask, before and after, with some surroundings; all of it when there is no mask."""
    painted = plane.after != 0 if plane.before is None else (plane.after != 0) | (plane.before != 0)
    if not painted.any():
        return Box(0, 0, *painted.shape)
    limits = []
    for axis, extent in enumerate(painted.shape):
        places = np.flatnonzero(painted.any(axis=1 - axis))
        first, last = int(places[0]), int(places[-1]) + 1
        margin = max((LEAST_CROP - (last - first)) // 2, round(0.25 * (last - first)), 6)
        limits.append((max(0, first - margin), min(extent, last + margin)))
    return Box(limits[0][0], limits[1][0], limits[0][1], limits[1][1])


def displayed(image: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Return pixels (y, x) or (y, x, 3) as colors (y, x, 3) uint8: 8-bit colors as they are, others from percentile 1 to 99."""
    colors = np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image
    if image.ndim == 3 and image.dtype == np.uint8:
        return colors.astype(np.uint8)
    low, high = np.percentile(colors, (1, 99)).astype(np.float64)
    return (np.clip((colors.astype(np.float64) - low) / max(high - low, 1e-9), 0, 1) * 255).astype(np.uint8)


class _Canvas:
    """A part of a plane at the size it is shown; every method returns a new picture of it."""

    def __init__(self, plane: Plane, box: Box) -> None:
        self._plane, self._box = plane, box
        height, width = (box.bottom - box.top) * plane.spacing[0], (box.right - box.left) * plane.spacing[1]
        scale = SIDE_PX * FINE / max(height, width)
        self._size = max(FINE, round(width * scale)), max(FINE, round(height * scale))
        cut = Image.fromarray(np.ascontiguousarray(box.of(plane.image)))
        self._ground = np.asarray(cut.resize(self._size, Image.Resampling.BICUBIC), np.float32)  # (y, x, 3)

    def labels(self, labels: Labels, frame: Box | None = None) -> Image.Image:
        """Return the labels as tints with contours; `frame` marks the part that the other pictures enlarge."""
        picture = self._ground.copy()
        for i, value in enumerate(self._plane.values):
            _tint(picture, self._large(labels == value), LABEL_COLORS[i % len(LABEL_COLORS)], 0.22)
        drawn = _drawable(picture)
        for i, value in enumerate(self._plane.values):
            self._contour(drawn, labels == value, LABEL_COLORS[i % len(LABEL_COLORS)])
        if frame is not None and frame != self._box:
            step = self._step()
            rectangle = [frame.left * step[1], frame.top * step[0], frame.right * step[1] - 1, frame.bottom * step[0] - 1]
            ImageDraw.Draw(drawn).rectangle(rectangle, outline="white", width=FINE)
        return drawn

    def change(self, before: Labels, after: Labels) -> Image.Image:
        """Return what was added, removed (hatched) and given another label, with both contours."""
        picture = self._ground * 0.75
        _tint(picture, self._large((before == 0) & (after != 0)), ADDED, 0.6)
        _tint(picture, _hatched(self._large((before != 0) & (after == 0))), REMOVED, 0.8)
        _tint(picture, self._large((before != after) & (before != 0) & (after != 0)), RELABELED, 0.6)
        drawn = _drawable(picture)
        for value in self._plane.values:
            self._contour(drawn, before == value, REMOVED)
        for value in self._plane.values:
            self._contour(drawn, after == value, ADDED)
        return drawn

    def heat(self, uncertainty: npt.NDArray[np.uint8]) -> Image.Image:
        """Return the uncertainty in the colors of inferno over the darkened picture."""
        from matplotlib import colormaps

        cut = Image.fromarray(np.ascontiguousarray(self._box.of(uncertainty)))
        share = np.asarray(cut.resize(self._size, Image.Resampling.BILINEAR), np.float32)[..., None] / 255
        colors = colormaps["inferno"](0.25 + 0.75 * share[..., 0])[..., :3].astype(np.float32) * 255
        visible = np.sqrt(share)
        return _drawable(self._ground * 0.6 * (1 - visible) + colors * visible)

    def _large(self, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        cut = Image.fromarray(np.ascontiguousarray(self._box.of(mask)).astype(np.uint8))
        return np.asarray(cut.resize(self._size, Image.Resampling.NEAREST)) != 0

    def _step(self) -> tuple[float, float]:
        """Return how many pixels of the canvas one of the plane takes, along (y, x)."""
        width, height = self._size
        return height / (self._box.bottom - self._box.top), width / (self._box.right - self._box.left)

    def _contour(self, drawn: Image.Image, mask: npt.NDArray[np.bool_], color: str) -> None:
        pen, (down, right) = ImageDraw.Draw(drawn), self._step()
        for line in find_contours(np.pad(self._box.of(mask).astype(np.float32), 1), 0.5):
            points = [((x - 0.5) * right, (y - 0.5) * down) for y, x in line]
            pen.line(points, fill="black", width=3 * FINE, joint="curve")
            pen.line(points, fill=color, width=round(1.5 * FINE), joint="curve")


def _tint(picture: Picture, where: npt.NDArray[np.bool_], color: str, strength: float) -> None:
    rgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)], np.float32)
    picture[where] = picture[where] * (1 - strength) + rgb * strength


def _hatched(where: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    rows, columns = np.indices(where.shape)
    return where & ((rows + columns) % (5 * FINE) < 3 * FINE)


def _drawable(picture: Picture) -> Image.Image:
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


def _pane(title: str, picture: Image.Image) -> Pane:
    small = picture.resize((picture.width // FINE, picture.height // FINE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.quantize(255).save(file, "PNG", optimize=True)  # a quarter of the bytes, with no difference to be seen
    return Pane(title, file.getvalue(), (small.height, small.width))
