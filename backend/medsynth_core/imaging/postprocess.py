"""What may be done to a mask after a network made it: steps that know several labels and can be put in a row.

    closing → opening → specks → holes → smoothing

Every step takes and gives whole label numbers (…, y, x) of one dtype and works on the last two axes, slice by slice. For all:

    A label grows into background only: no label eats another. Background that two labels would take stays background.
    An object (8-connected, of one label) never disappears, save where `remove_specks` is asked for: one that a step would
    wipe out is left as it was.
    An object that touches the frame is taken to go on behind it.

Specks go before holes (the published system has them after), so that the place of a speck within an object is filled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.measure import label as components
from skimage.morphology import closing, disk, opening

from medsynth_core.errors import ParameterError, ShapeError

Labels = npt.NDArray[np.generic]
Foreground = npt.NDArray[np.bool_]
GAUSSIAN_REACH = 3.0
"""Standard deviations after which the kernel is cut."""


@dataclass(frozen=True)
class Postprocessing:
    """The steps asked for; 0 leaves one out. Radii in pixels, sizes in pixels of area. Raises ParameterError if negative."""

    closing: int = 0
    opening: int = 0
    remove_specks: int = 0
    fill_holes: int = 0
    smooth: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (np.isfinite(value) and value >= 0):
                raise ParameterError(f"{name} is {value}: it must be 0 or more")

    def apply(self, labels: Labels) -> Labels:
        """Return the label map (…, y, x) after the steps, same dtype. Raises ShapeError for fewer than two axes."""
        if labels.ndim < 2:
            raise ShapeError(f"labels are {labels.shape}: they must be (…, y, x)")
        made = closed(labels, self.closing) if self.closing else labels.copy()
        made = opened(made, self.opening) if self.opening else made
        made = without_specks(made, self.remove_specks) if self.remove_specks else made
        made = without_holes(made, self.fill_holes) if self.fill_holes else made
        made = smoothed(made, self.smooth) if self.smooth else made
        # one step may free a pixel and the next give it to a neighbor: hold the whole row to the rules of its steps
        kept = without_specks(labels, self.remove_specks) if self.remove_specks else labels
        return _by_slice(_held_to_rules, kept, made)


def opened(labels: Labels, radius_px: int) -> Labels:
    """Return the labels without what a disk of this radius does not fit into: thin bridges, spikes."""
    ball = disk(radius_px)
    return _by_slice(lambda plane: _each(plane, lambda mask: opening(mask, ball), radius_px), labels)


def closed(labels: Labels, radius_px: int) -> Labels:
    """Return the labels with the background filled that a disk of this radius does not fit into: cracks, narrow bays."""
    ball = disk(radius_px)
    return _by_slice(lambda plane: _each(plane, lambda mask: closing(mask, ball), 2 * radius_px), labels)


def smoothed(labels: Labels, radius_px: float) -> Labels:
    """Return the labels with smoother boundaries: bumps and notches narrower than the radius go.

    Each label is blurred by a Gaussian of σ = radius / 2 and cut at one half; a disk of radius R loses about σ² / 2R.
    """
    sigma = radius_px / 2

    def blurred(mask: Foreground) -> Foreground:
        return ndimage.gaussian_filter(mask.astype(np.float32), sigma, mode="nearest", truncate=GAUSSIAN_REACH) > 0.5

    return _by_slice(lambda plane: _each(plane, blurred, int(np.ceil(GAUSSIAN_REACH * sigma)) + 1), labels)


def without_specks(labels: Labels, up_to_px: int) -> Labels:
    """Return the labels without objects (8-connected) of `up_to_px` pixels or fewer: whole objects, since they were asked for."""
    return _by_slice(lambda plane: _without_specks(plane, up_to_px), labels)


def without_holes(labels: Labels, up_to_px: int) -> Labels:
    """Return the labels with holes of `up_to_px` pixels or fewer filled.

    A hole is background (4-connected) that does not touch the frame and borders on one label only: it takes that label.
    """
    return _by_slice(lambda plane: _without_holes(plane, up_to_px), labels)


def _by_slice(step: Callable[..., Labels], *maps: Labels) -> Labels:
    if 0 in maps[0].shape:
        return maps[0].copy()
    planes = (labels.reshape(-1, *labels.shape[-2:]) for labels in maps)
    return np.stack([step(*plane) for plane in zip(*planes, strict=True)]).reshape(maps[0].shape)


def _each(plane: Labels, operation: Callable[[Foreground], Foreground], margin: int) -> Labels:
    """Apply an operation to every label of a plane (y, x) in a window round it, under the rules at the top of the file."""
    padded = np.pad(plane, margin, mode="edge")
    values, ordinal = np.unique(padded, return_inverse=True)
    ordinal = ordinal.reshape(padded.shape) + 1  # find_objects wants small numbers from 1
    result, claims = padded.copy(), np.zeros(padded.shape, np.uint8)
    for number, window in enumerate(ndimage.find_objects(ordinal)):
        if values[number] == 0 or window is None:
            continue
        around = tuple(slice(max(0, s.start - margin), s.stop + margin) for s in window)
        mask = padded[around] == values[number]
        made = operation(np.pad(mask, margin, mode="edge"))[margin:-margin, margin:-margin]
        taken = made & (padded[around] == 0)
        result[around][mask & ~made] = 0
        result[around][taken] = values[number]
        claims[around] += taken & (claims[around] < 2)
    result[claims > 1] = 0
    inside = (slice(margin, -margin),) * 2
    return _with_lost_objects(plane, result[inside])


def _held_to_rules(before: Labels, after: Labels) -> Labels:
    eaten = (before != 0) & (after != 0) & (before != after)
    return _with_lost_objects(before, np.where(eaten, before, after))


def _with_lost_objects(before: Labels, after: Labels) -> Labels:
    objects = components(before, background=0, connectivity=2)
    survivors = np.bincount(objects[before == after], minlength=objects.max() + 1) > 0
    survivors[0] = True  # the background is no object
    return np.where(survivors[objects], after, before)


def _without_specks(plane: Labels, up_to_px: int) -> Labels:
    objects = components(plane, background=0, connectivity=2)
    small = np.bincount(objects.ravel()) <= up_to_px
    small[0] = False
    return np.where(small[objects], plane.dtype.type(0), plane)


def _without_holes(plane: Labels, up_to_px: int) -> Labels:
    holes = components(plane == 0, background=0, connectivity=1)
    values, ordinal = np.unique(plane, return_inverse=True)
    framed = np.pad(ordinal.reshape(plane.shape), 1, constant_values=len(values))  # the frame is a neighbor of its own
    least = np.full(holes.max() + 1, len(values) + 1)
    most = np.full(holes.max() + 1, -1)
    for dy, dx in ((0, 1), (2, 1), (1, 0), (1, 2)):
        beside = framed[dy : dy + plane.shape[0], dx : dx + plane.shape[1]]
        # beside background stands the frame (its own number) or a label
        at_edge = (plane == 0) & ((beside == len(values)) | (values[beside % len(values)] != 0))
        np.minimum.at(least, holes[at_edge], beside[at_edge])
        np.maximum.at(most, holes[at_edge], beside[at_edge])
    fit = (np.bincount(holes.ravel(), minlength=len(least)) <= up_to_px) & (least == most) & (most < len(values))
    fit[0] = False
    return np.where(fit[holes], values[np.where(fit, most, 0)][holes], plane)
