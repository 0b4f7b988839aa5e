"""Stains of H&E as numbers, estimated from an image and changed in it (Macenko et al. 2009, ISBI, "A method for normalizing
histology slides for quantitative analysis").

    I0    white level of each channel           OD = −log((I + 1) / (I0 + 1))        optical density
    V     (3, 2) unit OD of hematoxylin, eosin  OD ≈ V·c                             c: amount of each stain
    c_99  99th percentile of c

Hand-written because the packages that have it (staintools, torchstain) bring an optimizer library or give no stain vector back.
Their white level is fixed at 240; tiles that are dark by nature (NuInsSeg: 150 to 170) need their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medsynth_core.engines.nuclei.grain import Grain, grain_of
from medsynth_core.errors import InputError

LEAST_OD = 0.15
"""Pixels paler than this on average are background. Macenko asks it of each channel, which loses pure eosin: it takes no red."""
ANGLE_PERCENT = 1.0
FULL_PERCENT = 99.0
LEAST_SHARE = 0.005
FULL_MOST = 2.5
"""Amounts above this are ink or a fold."""
CENTER = np.array([0.55, 0.72, 0.40, 0.25, 0.85, 0.35, 1.2, 0.8, 0.8, 0.8, 0.8], np.float32)
SPREAD = np.array([0.15, 0.12, 0.15, 0.15, 0.12, 0.20, 0.5, 0.4, 0.15, 0.15, 0.15], np.float32)
"""What the numbers are like, roughly: they bring a vector to scales of about 1."""

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Stain:
    """hematoxylin, eosin: unit optical density (red, green, blue); full: amounts at the 99th percentile; white: I0, 0 to 255.

    grain: the finest texture of the tile (`grain`), not told to the network; empty where it is not known.
    """

    hematoxylin: tuple[float, float, float]
    eosin: tuple[float, float, float]
    full: tuple[float, float]
    white: tuple[float, float, float]
    grain: Grain = ()

    def vector(self) -> npt.NDArray[np.float32]:
        """Return the eleven numbers on scales of about 1."""
        white = [w / 255 for w in self.white]
        numbers = np.array([*self.hematoxylin, *self.eosin, *self.full, *white], np.float32)
        return (numbers - CENTER) / SPREAD

    @classmethod
    def from_vector(cls, vector: npt.NDArray[np.floating], grain: Grain = ()) -> Stain:
        """Return the stain of eleven numbers, the inverse of `vector`, with its grain."""
        n = [float(v) for v in np.asarray(vector) * SPREAD + CENTER]
        return cls((n[0], n[1], n[2]), (n[3], n[4], n[5]), (n[6], n[7]), (n[8] * 255, n[9] * 255, n[10] * 255), grain)

    @property
    def matrix(self) -> npt.NDArray[np.float64]:
        """The two directions as columns, (3, 2)."""
        return np.array([self.hematoxylin, self.eosin]).T


def stain_of(image: Image) -> Stain:
    """Return the stains of an image (3, y, x). Raises InputError where hardly a pixel is stained."""
    pixels = image.reshape(3, -1).astype(np.float64)
    white = np.percentile(pixels, FULL_PERCENT, axis=1)
    density = _density(pixels, white)
    stained = density[:, density.mean(axis=0) > LEAST_OD]
    if stained.shape[1] < max(LEAST_SHARE * pixels.shape[1], 3):
        raise InputError("the image shows hardly any stain: choose a tile with tissue")
    directions = np.linalg.eigh(np.cov(stained))[1][:, 1:]  # the plane of the two largest, (3, 2)
    directions = directions * np.where(directions.sum(axis=0) < 0, -1, 1)
    angles = np.arctan2(*(directions.T @ stained))
    ends = (directions @ np.array([np.sin(a), np.cos(a)]) for a in np.percentile(angles, (ANGLE_PERCENT, 100 - ANGLE_PERCENT)))
    hematoxylin, eosin = sorted((np.abs(end) / np.linalg.norm(end) for end in ends), key=lambda v: -v[0])  # it takes more red
    amounts = np.linalg.lstsq(np.stack([hematoxylin, eosin], axis=1), stained, rcond=None)[0]
    full = np.percentile(amounts, FULL_PERCENT, axis=1).clip(0.05, FULL_MOST)
    return Stain(_three(hematoxylin), _three(eosin), (float(full[0]), float(full[1])), _three(white), grain_of(image / 255))


def restained(image: Image, stain: Stain, wanted: Stain) -> Image:
    """Return an image (3, y, x) of one stain in another; what neither stain explains stays."""
    pixels = image.reshape(3, -1).astype(np.float64)
    density = _density(pixels, np.array(stain.white))
    amounts = np.linalg.lstsq(stain.matrix, density, rcond=None)[0]
    rest = density - stain.matrix @ amounts
    scale = np.array(wanted.full) / np.array(stain.full)
    changed = wanted.matrix @ (amounts * scale[:, None]) + rest
    light = (np.array(wanted.white)[:, None] + 1) * np.exp(-changed) - 1
    return light.clip(0, 255).round().astype(np.uint8).reshape(image.shape)


def varied(stain: Stain, rng: np.random.Generator, amount: float = 1.0) -> Stain:
    """Return a stain like this one: another tone, strength and white level, by `amount` of what slides of one lab differ."""

    def near(direction: tuple[float, float, float]) -> tuple[float, float, float]:
        moved = np.abs(np.array(direction) + rng.normal(0, 0.03 * amount, 3))
        return _three(moved / np.linalg.norm(moved))

    strength = np.array(stain.full) * np.exp(rng.normal(0, 0.15 * amount, 2))
    white = np.clip(np.array(stain.white) * np.exp(rng.normal(0, 0.04 * amount, 3)), 60, 255)
    return Stain(near(stain.hematoxylin), near(stain.eosin), (float(strength[0]), float(strength[1])), _three(white), stain.grain)


def _density(pixels: npt.NDArray[np.float64], white: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.maximum(-np.log((pixels + 1) / (white[:, None] + 1)), -0.2)


def _three(values: npt.NDArray[np.floating]) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])
