"""What anybody can do to a coarse mask without a network: the rivals of the refine engine, on scikit-image.

All have one signature, (image, mask) → mask: image (y, x) or (y, x, 3) uint8, mask (y, x) bool, whatever is painted taken as
one foreground. Radii and iterations follow the object: w is its width, 4 · area / perimeter (see `strength`). Where a method has
nothing to work on (an empty mask, a full one, a picture of one color), or gives an empty mask, the input comes back.

    opening + closing       Serra 1982
    Gaussian smoothing      of the mask, cut at one half
    random walker           Grady, IEEE TPAMI 2006
    Chan–Vese, geodesic     Márquez-Neila et al., morphological snakes, IEEE TPAMI 2014

The shares of w, beta and iterations were chosen by mean boundary IoU on the tuning side of our split, which no figure uses
(`python -m benchmarks.refine_tune` repeats it); all else is as skimage has it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.color import rgb2gray
from skimage.morphology import closing, disk, opening
from skimage.segmentation import (
    inverse_gaussian_gradient,
    morphological_chan_vese,
    morphological_geodesic_active_contour,
    random_walker,
)
from skimage.util import img_as_float

from medsynth_core.errors import ShapeError
from medsynth_core.strength import object_width_px

Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Refiner = Callable[[Image, Mask], Mask]


def open_and_close(image: Image, mask: Mask, share: float = 0.06) -> Mask:
    """Return the mask opened, then closed, by a disk of radius share · w."""
    ball = disk(max(1, round(share * object_width_px(mask))))
    return _or_input(mask, lambda: closing(opening(mask, ball), ball))


def gaussian_smoothed(image: Image, mask: Mask, share: float = 0.06) -> Mask:
    """Return the mask blurred by σ = share · w and cut at one half."""
    sigma = max(0.5, share * object_width_px(mask))
    return _or_input(mask, lambda: ndimage.gaussian_filter(mask.astype(np.float32), sigma, mode="nearest") > 0.5)


def walked_randomly(image: Image, mask: Mask, share: float = 0.1, beta: float = 1000.0) -> Mask:
    """Return what a random walker finds between sure foreground and background, share · w inside and outside the boundary.

    A part thinner than that keeps its middle as a seed.
    """

    def walk() -> Mask:
        window = _around(mask, share)
        inside = ndimage.distance_transform_edt(mask[window])
        outside = ndimage.distance_transform_edt(~mask[window])
        reach = share * object_width_px(mask)
        depth = ndimage.maximum_filter(inside, size=2 * int(np.ceil(reach)) + 1)  # about how deep the part is here
        seeds = np.where(outside > reach, 2, np.where((inside > 0) & (inside >= np.minimum(reach, depth)), 1, 0))
        if set(np.unique(seeds)) != {0, 1, 2} or not _shows(image[window]):
            return mask
        part = img_as_float(image[window])
        axis = -1 if image.ndim == 3 else None
        found = random_walker(
            part, seeds, beta=beta, mode="bf", channel_axis=axis
        )  # the direct solver: conjugate gradients take seconds
        return _placed(mask, window, found == 1)

    return _or_input(mask, walk)


def chan_vese(image: Image, mask: Mask, share: float = 0.02) -> Mask:
    """Return the mask after share · w iterations of morphological Chan–Vese, in a window a width larger than it."""

    def evolve() -> Mask:
        window = _around(mask, 0.5)
        if not _shows(image[window]):
            return mask
        made = morphological_chan_vese(_grey(image[window]), _iterations(mask, share), mask[window].astype(np.int8), smoothing=1)
        return _placed(mask, window, made > 0)

    return _or_input(mask, evolve)


def geodesic(image: Image, mask: Mask, share: float = 0.05, sigma: float = 0.5) -> Mask:
    """Return the mask after share · w iterations of a morphological geodesic contour, without balloon force."""

    def evolve() -> Mask:
        window = _around(mask, 0.5)
        if not _shows(image[window]):
            return mask
        stop = inverse_gaussian_gradient(_grey(image[window]), sigma=sigma)
        made = morphological_geodesic_active_contour(stop, _iterations(mask, share), mask[window].astype(np.int8), smoothing=1)
        return _placed(mask, window, made > 0)

    return _or_input(mask, evolve)


RIVALS: dict[str, Refiner] = {
    "opening + closing": open_and_close,
    "Gaussian smoothing": gaussian_smoothed,
    "random walker": walked_randomly,
    "Chan–Vese": chan_vese,
    "geodesic contour": geodesic,
}
"""Name in a table → method."""


def refined_by(name: str, image: Image, mask: Mask) -> Mask:
    """Return what one of RIVALS makes of a mask. Raises ShapeError when image and mask do not fit."""
    if image.shape[:2] != mask.shape or image.ndim not in (2, 3):
        raise ShapeError(f"image is {image.shape}, mask {mask.shape}: the image must be (y, x) or (y, x, 3) on the mask's grid")
    return RIVALS[name](image, mask)


def _or_input(mask: Mask, method: Callable[[], Mask]) -> Mask:
    if not mask.any() or mask.all():
        return mask.copy()
    made = method()
    return made if made.any() else mask.copy()


def _shows(part: Image) -> bool:
    """Return whether there is anything to see: three pixels each way at least, not all of one color."""
    return min(part.shape[:2]) >= 3 and bool(np.ptp(part))


def _iterations(mask: Mask, share: float) -> int:
    return max(1, round(share * object_width_px(mask)))


def _grey(image: Image) -> npt.NDArray[np.float64]:
    return rgb2gray(image) if image.ndim == 3 else img_as_float(image)


def _around(mask: Mask, share: float) -> tuple[slice, slice]:
    """Return the box of a mask, wider by share · w (4 pixels at least) on every side."""
    margin = max(4, int(np.ceil(share * object_width_px(mask))) + 2)
    (box,) = ndimage.find_objects(mask.astype(np.uint8))
    return tuple(slice(max(0, s.start - margin), s.stop + margin) for s in box)  # type: ignore[return-value]


def _placed(mask: Mask, window: tuple[slice, slice], part: Mask) -> Mask:
    whole = np.zeros_like(mask)
    whole[window] = part
    return whole
