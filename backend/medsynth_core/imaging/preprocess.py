"""What is done to an image before a network sees it: the same functions in training and at work.

Every step takes and gives (channel, z, y, x); grey or RGB.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.generic]
FloatImage = npt.NDArray[np.float32]


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


def _scaled(image: Image, bottom: float, top: float) -> FloatImage:
    span = max(top - bottom, 1e-12)
    return np.clip((image.astype(np.float32) - bottom) * (2 / span) - 1, -1, 1).astype(np.float32)
