"""Copies planted on purpose, slightly warped and recolored: what a search for copies must find. Written apart from its training.

place    zoom 0.9 to 1.1, turn ± 8°, shift ± 5 % of the side, smooth displacement of 2 % of the side (root mean square)
color    gamma exp(N(0, 0.3)), gain 0.8 to 1.2, in color one gain more for each channel, noise of 2 % of the full scale
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from medsynth_core.evaluation.generator import Images

Picture = npt.NDArray[np.uint8]
ZOOM, TURN_DEGREES, SHIFT, WARP = 0.1, 8.0, 0.05, 0.02
SMOOTH = 7
"""The displacement is noise blurred with a standard deviation of the side / 7."""
GAMMA, GAIN, NOISE = 0.3, 0.2, 0.02


def planted(images: Images, seed: int) -> Images:
    """Return a copy of each image (n, c, y, x), slightly warped and recolored."""
    rng = np.random.default_rng(seed)
    return np.stack([recolored(warped(image, rng), rng) for image in images])


def warped(image: Picture, rng: np.random.Generator) -> Picture:
    """Return an image (c, y, x) zoomed, turned, moved and bent a little; what lies outside repeats the edge."""
    height, width = image.shape[1:]
    zoom, turn = math.exp(rng.uniform(-ZOOM, ZOOM)), math.radians(rng.uniform(-TURN_DEGREES, TURN_DEGREES))
    y, x = np.mgrid[:height, :width] - np.array([height - 1, width - 1])[:, None, None] / 2
    noise = rng.standard_normal((2, height, width))
    bend = ndimage.gaussian_filter(noise, (0, height / SMOOTH, width / SMOOTH))
    bend *= WARP * height / bend.std()
    shift = rng.uniform(-SHIFT, SHIFT, 2) * (height, width)
    rows = (height - 1) / 2 + zoom * (math.cos(turn) * y - math.sin(turn) * x) + shift[0] + bend[0]
    columns = (width - 1) / 2 + zoom * (math.sin(turn) * y + math.cos(turn) * x) + shift[1] + bend[1]
    moved = [ndimage.map_coordinates(plane, [rows, columns], order=1, mode="nearest") for plane in image.astype(np.float32)]
    return np.stack(moved).round().astype(np.uint8)


def recolored(image: Picture, rng: np.random.Generator) -> Picture:
    """Return an image (c, y, x) under another light."""
    share = (image / 255.0) ** math.exp(rng.normal(0, GAMMA)) * rng.uniform(1 - GAIN, 1 + GAIN)
    if len(image) > 1:
        share = share * rng.uniform(1 - GAIN, 1 + GAIN, (len(image), 1, 1))
    noisy = share + rng.normal(0, NOISE, image.shape)
    return (noisy.clip(0, 1) * 255).round().astype(np.uint8)
