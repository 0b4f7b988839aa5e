"""Grain: the finest texture of a tile as four numbers, and how a made image gets it.

A prediction is a mean and lacks what cannot be predicted: camera noise, the finest chromatin. What is missing is drawn instead,
as a Gaussian field whose bands are as strong as those of the tile wanted:

    OD      optical density, mean of the channels           S = G_8(OD)         what is smooth
    q       (OD − S) / (S + S_0)                            relative, so that glass stays white and nuclei get the most
    b_k     (G_σk − G_σk+1) q,   k = 1 … 4                  bands of one octave, G_σ: Gaussian of σ pixels, G_0: nothing
    s_k     median |b_k| / 0.6745                           robust: outlines are few and do not count
    OD'     OD · (1 + g · (S + S_0) / OD),   g = Σ_k √a_k · unit noise of band k

Bands overlap, so the shares a_k ≥ 0 are those under which each band gains s_k² wanted − s_k² there, as nearly as can be. Colors
keep their direction, for all channels are scaled alike. Hand-written, because grain synthesis for film works on brightness and
needs a codec.
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.optimize import nnls

SIGMAS_PX = (0.0, 0.7, 1.4, 2.8, 5.6)
BANDS = len(SIGMAS_PX) - 1
SMOOTH_PX = 8.0
LEAST_OD = 0.1
"""S_0: where less is stained, the texture of glass and camera is what counts."""
DARKEST = 2 / 255
NORMAL_MEDIAN = 0.6745
"""Median of |x| for a standard normal x."""

Grain = tuple[float, ...]
Plane = npt.NDArray[np.float64]


def grain_of(light: npt.NDArray[np.floating], where: npt.NDArray[np.bool_] | None = None) -> Grain:
    """Return s_1 … s_4 of an image (3, y, x) in 0 … 1, measured `where` (y, x) it is True."""
    mean = _density(light).mean(axis=0)
    return _strengths(mean, _smooth(mean), where)


def with_grain(
    light: npt.NDArray[np.floating], wanted: Grain, noise: npt.NDArray[np.floating], where: npt.NDArray[np.bool_]
) -> Plane:
    """Return an image (3, y, x) in 0 … 1 whose grain is at least `wanted` `where` (y, x) it is True, the rest as it was.

    noise: (BANDS, y, x) standard normal.
    """
    density = _density(light)
    mean = density.mean(axis=0)
    smooth = _smooth(mean)
    lacks = np.maximum(np.square(wanted) - np.square(_strengths(mean, smooth, where)), 0)
    bands = [_band(plane, k) for k, plane in enumerate(noise.astype(np.float64))]
    units = [band / max(float(band.std()), 1e-9) for band in bands]
    gained = np.array([[band.var() for band in _bands(unit)] for unit in units]).T  # of band k by noise of band j
    field = np.tensordot(np.sqrt(nnls(gained, lacks)[0]), units, 1)
    scale = np.maximum(mean + field * (smooth + LEAST_OD), 0) / np.maximum(mean, 1e-3)
    return np.where(where, np.exp(-density * scale), light)


def _density(light: npt.NDArray[np.floating]) -> Plane:
    return -np.log(np.clip(light.astype(np.float64), DARKEST, 1))


def _strengths(mean: Plane, smooth: Plane, where: npt.NDArray[np.bool_] | None) -> Grain:
    """Return s_1 … s_4 of an optical density (y, x) and what is smooth of it."""
    bands = _bands((mean - smooth) / (smooth + LEAST_OD))
    return tuple(float(np.median(np.abs(band if where is None else band[where]))) / NORMAL_MEDIAN for band in bands)


def _smooth(plane: Plane) -> Plane:
    return _blurred(plane, SMOOTH_PX)


def _bands(plane: Plane) -> list[Plane]:
    return [fine - coarse for fine, coarse in itertools.pairwise(_blurred(plane, sigma) for sigma in SIGMAS_PX)]


def _band(plane: Plane, k: int) -> Plane:
    return _blurred(plane, SIGMAS_PX[k]) - _blurred(plane, SIGMAS_PX[k + 1])


def _blurred(plane: Plane, sigma_px: float) -> Plane:
    return plane if sigma_px == 0 else ndimage.gaussian_filter(plane, sigma_px, mode="reflect")
