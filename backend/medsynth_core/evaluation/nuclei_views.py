"""Pieces of labeled histology as a segmenter of nuclei sees them, all chance from one generator.

    OD  = −log((I + 1) / 256)          optical density (Ruifrok & Johnston 2001, the constants of skimage.color)
    HED = M⁻¹·OD                       amounts of hematoxylin, eosin and a third that stands for the rest
    OD' = M·(α·HED + β)                α, β drawn for each stain and piece: "HED-light" (Tellez et al. 2018, IEEE TMI 37(9))

A piece is smaller than the patches it is cut from, so that it can be moved and made smaller without inventing a border.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from skimage.color import rgb_from_hed
from torch.nn import functional

from medsynth_core.errors import ShapeError
from medsynth_core.imaging.nuclei_maps import turned

Image = npt.NDArray[np.uint8]
Light = npt.NDArray[np.float32]
"""(3, y, x), 0 to 255."""
STAINS = rgb_from_hed.T
"""M: columns are the optical densities of the three stains."""
SELDOM = 0.3
"""How often a piece is blurred, and how often it is noisy."""


@dataclass(frozen=True, eq=False)
class Labeled:
    """An image (3, y, x) and its instances (y, x), 0 = background."""

    image: Image
    instances: npt.NDArray[np.integer]


@dataclass(frozen=True)
class Augmentation:
    """What is drawn for each piece: mirrors and quarter turns, zoom, stains (α ± stain, β ± stain / 4), contrast and brightness
    ± light, blur of at most `blur_px` standard deviation, noise of at most `noise` gray values."""

    turns: bool = True
    zoom: tuple[float, float] = (0.75, 1.5)
    stain: float = 0.2
    light: float = 0.1
    blur_px: float = 1.0
    noise: float = 8.0


CLASSIC = Augmentation()
NONE = Augmentation(False, (1.0, 1.0), 0.0, 0.0, 0.0, 0.0)
"""Only where the piece lies in the patch is drawn."""


def piece(labeled: Labeled, side: int, augmentation: Augmentation, rng: np.random.Generator) -> Labeled:
    """Return `side`² pixels of a labeled image. Raises ShapeError for an image smaller than the widest view."""
    zoom = float(np.exp(rng.uniform(*np.log(augmentation.zoom))))
    seen = round(side / zoom)
    if min(labeled.instances.shape) < seen:
        raise ShapeError(f"the image is {labeled.instances.shape}, a view {seen}² pixels: give larger patches")
    y, x = (int(rng.integers(n - seen + 1)) for n in labeled.instances.shape)
    turn = (bool(rng.random() < 0.5), int(rng.integers(4))) if augmentation.turns else (False, 0)
    image, instances = (
        torch.from_numpy(np.ascontiguousarray(turned(part[..., y : y + seen, x : x + seen], *turn)).astype(np.float32))
        for part in (labeled.image, labeled.instances[None])
    )
    if seen != side:  # a picture made smaller is smoothed first
        image = functional.interpolate(image[None], (side, side), mode="bilinear", align_corners=False, antialias=True)[0]
        instances = functional.interpolate(instances[None], (side, side), mode="nearest-exact")[0]
    return Labeled(_recolored(image.numpy(), augmentation, rng), instances[0].numpy().astype(np.int32))


def _recolored(light: Light, augmentation: Augmentation, rng: np.random.Generator) -> Image:
    """Return an image (3, y, x) in another stain and light, sometimes blurred or noisy."""
    if augmentation.stain:
        light = _restained(light, augmentation.stain, rng)
    if augmentation.light:
        contrast, brightness = rng.uniform(-augmentation.light, augmentation.light, 2)
        mean = light.mean()
        light = (light - mean) * np.float32(1 + contrast) + mean * np.float32(1 + brightness)
    if augmentation.blur_px and rng.random() < SELDOM:
        sigma = rng.uniform(0, augmentation.blur_px)
        light = ndimage.gaussian_filter(light, (0, sigma, sigma), truncate=3)
    if augmentation.noise and rng.random() < SELDOM:
        light = light + rng.standard_normal(light.shape, np.float32) * np.float32(rng.uniform(0, augmentation.noise))
    return light.clip(0, 255).round().astype(np.uint8)


def _restained(light: Light, amount: float, rng: np.random.Generator) -> Light:
    alpha, beta = 1 + rng.uniform(-amount, amount, 3), rng.uniform(-amount, amount, 3) / 4
    change = (STAINS * alpha) @ np.linalg.inv(STAINS)
    density = -np.log((light.reshape(3, -1) + 1) / 256)
    changed = change.astype(np.float32) @ density + (STAINS @ beta).astype(np.float32)[:, None]
    return (256 * np.exp(-changed) - 1).reshape(light.shape)
