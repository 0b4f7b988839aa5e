"""What is done to an image before a network sees it: the same functions in training and at work.

Every step takes and gives (channel, z, y, x), grey or RGB; a 2-D image has one slice, and a volume is worked on slice by slice.

    scale (percentiles or a window) → denoise → local contrast (CLAHE)

The order is the published system's; `Preprocessing.apply` is the one entry that training and inference share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import convolve
from skimage.exposure import equalize_adapthist
from skimage.restoration import denoise_nl_means
from skimage.transform import resize

from medsynth_core.errors import InputError, ParameterError, ShapeError

Image = npt.NDArray[Any]
FloatImage = npt.NDArray[np.float32]

CLAHE_TILES = 8
CLAHE_CLIP = 2.0
"""Of the published system, as OpenCV counts it."""

GREY_LEVELS = 256
LAPLACIAN_PAIR = np.array([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]])
"""Difference of two Laplacians: blind to constant, sloped and bent ground, it answers to noise (Immerkær 1996)."""


@dataclass(frozen=True)
class Preprocessing:
    """The steps asked for. `window_width` 0 means percentiles `low` to `high`, else the window center ± width / 2.

    Raises ParameterError for a negative width or percentiles that are not 0 ≤ low < high ≤ 100.
    """

    window_center: float = 0.0
    window_width: float = 0.0
    clahe: bool = False
    denoise: bool = False
    low: float = 1.0
    high: float = 99.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.window_width) and self.window_width >= 0 and np.isfinite(self.window_center)):
            raise ParameterError(f"window is {self.window_center:g}, {self.window_width:g}: finite, its width 0 or more")
        if not 0 <= self.low < self.high <= 100:
            raise ParameterError(f"percentiles are {self.low:g} and {self.high:g}: they must be 0 ≤ low < high ≤ 100")

    def apply(self, image: Image) -> FloatImage:
        """Return the image (channel, z, y, x) in [−1, 1]. Raises ShapeError for other axes, InputError for NaN or infinity."""
        if image.ndim != 4 or 0 in image.shape:
            raise ShapeError(f"image is {image.shape}: it must be (channel, z, y, x) with no empty axis")
        if image.dtype.kind == "f" and not np.isfinite(image).all():
            raise InputError("the image holds NaN or infinite values: replace them first")
        scaled = self._scaled(image)
        scaled = denoised(scaled) if self.denoise else scaled
        return local_contrast(scaled) if self.clahe else scaled

    def _scaled(self, image: Image) -> FloatImage:
        if self.window_width:
            return windowed(image, self.window_center, self.window_width)
        return percentile_normalized(image, self.low, self.high)


def percentile_normalized(image: Image, low: float = 1.0, high: float = 99.0) -> FloatImage:
    """Return the image scaled so that its percentiles `low` and `high` become −1 and 1, cut there.

    Percentiles are of all channels and slices together: colors keep their hue and slices their brightness. An image whose
    percentiles coincide is scaled from its least to its greatest value; a constant one becomes −1.
    """
    bottom, top = np.percentile(image, (low, high))
    if top <= bottom:
        bottom, top = float(image.min()), float(image.max())
    return _scaled(image, float(bottom), float(top))


def windowed(image: Image, center: float, width: float) -> FloatImage:
    """Return the image scaled so that intensities center ± width / 2 become ±1, cut there (the window of radiology)."""
    return _scaled(image, center - width / 2, center + width / 2)


def denoised(image: FloatImage) -> FloatImage:
    """Return an image in [−1, 1] without its noise: non-local means, in 5² patches found within 6 pixels.

    Non-local means rather than total variation, which flattens texture to plateaus and rounds corners: it moves the very
    boundary that is to be refined. The strength follows the noise of each slice (h = 0.8 σ, σ after Immerkær 1996), so
    that a clean slice stays as it is.
    """
    return _by_slice(image, _without_noise)


def noise_sd(image: npt.NDArray[np.floating]) -> float:
    """Return the standard deviation of the noise of a slice (channel, y, x), in its own unit; 0 below 3 × 3 pixels.

    Source: Immerkær, Fast noise variance estimation, CVIU 1996, with the median in place of the mean: edges are few.
    """
    if min(image.shape[1:]) < 3:
        return 0.0
    answers = np.stack([convolve(plane, LAPLACIAN_PAIR)[1:-1, 1:-1] for plane in image])
    return float(np.median(np.abs(answers)) / 0.6745 / np.linalg.norm(LAPLACIAN_PAIR))


def local_contrast(image: FloatImage, clip: float = CLAHE_CLIP, tiles: int = CLAHE_TILES) -> FloatImage:
    """Return an image in [−1, 1] after contrast-limited adaptive histogram equalization (CLAHE) on tiles × tiles a slice.

    The published system says clip 2 as OpenCV means it: a bin of the histogram of 256 holds at most clip · area / 256 pixels
    of its tile. skimage's clip_limit is that count as a share of the tile: clip_limit = clip / 256 = 0.0078 for clip 2.

    The brightest channel (HSV value) is equalized and the others follow, so hue and saturation stay. skimage stretches each
    slice to the full range; here a slice keeps its own range, so that the dark ends of a volume stay dark.
    """
    return _by_slice(image, lambda plane: _equalized(plane, clip / GREY_LEVELS, tiles))


def resized(image: Image, size: tuple[int, int]) -> FloatImage:
    """Return an image (channel, z, y, x) as (channel, z, *size): linear, and blurred first where it shrinks (no aliasing).

    The range of the values stays. Masks are not resized so: see `imaging.grid`. Raises ShapeError for an empty size.
    """
    if min(size) < 1:
        raise ShapeError(f"size is {size}: it must be at least (1, 1)")
    if image.shape[2:] == tuple(size):
        return image.astype(np.float32)
    whole = (*image.shape[:2], *size)
    return resize(image.astype(np.float32), whole, order=1, mode="edge", preserve_range=True, anti_aliasing=True)


def _by_slice(image: FloatImage, step: Callable[[FloatImage], FloatImage]) -> FloatImage:
    slices = [step(image[:, z]) for z in range(image.shape[1])]
    return np.clip(np.stack(slices, axis=1), -1, 1).astype(np.float32)


def _without_noise(plane: FloatImage) -> FloatImage:
    sigma = noise_sd(plane)
    if sigma == 0:
        return plane
    made = denoise_nl_means(plane, patch_size=5, patch_distance=6, h=0.8 * sigma, sigma=sigma, channel_axis=0)
    return made.reshape(plane.shape)  # skimage drops an axis of one channel


def _equalized(plane: FloatImage, clip_limit: float, tiles: int) -> FloatImage:
    unit = (plane.astype(np.float64) + 1) / 2  # (channel, y, x) in [0, 1]
    value = unit.max(axis=0)
    low, high = float(value.min()), float(value.max())
    if high <= low:
        return plane
    kernel = [-(-side // tiles) for side in value.shape]
    stretched = equalize_adapthist((value - low) / (high - low), kernel, clip_limit, GREY_LEVELS)
    equalized = stretched * (high - low) + low
    followed = np.where(value > 0, unit * (equalized / np.maximum(value, 1e-12)), equalized)
    return (followed * 2 - 1).astype(np.float32)


def _scaled(image: Image, bottom: float, top: float) -> FloatImage:
    span = max(top - bottom, 1e-12)
    return np.clip((image.astype(np.float32) - bottom) * (2 / span) - 1, -1, 1).astype(np.float32)
