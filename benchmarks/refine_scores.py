"""Figures of one refined mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medsynth_core.evaluation.calibration import (
    confidence_of,
    error_concentration,
    expected_calibration_error,
    uncertainty_error_correlation,
)
from medsynth_core.evaluation.metrics import boundary_iou, dice, standard_width_px
from medsynth_core.evaluation.surface import surface_distances

Mask = npt.NDArray[np.bool_]
TOLERANCE_PX = 2.0
NARROW_PX = 2
FIGURES = ("dice", "boundary_iou", "boundary_iou_2px", "hd95_px", "surface_dice")


@dataclass(frozen=True)
class Score:
    """Overlap of one mask with the truth. Dice, boundary IoU and surface Dice in percent, HD95 in pixels.

    `boundary_iou` has the published width (2 % of the diagonal), `boundary_iou_2px` a band of 2 pixels: at the size of a nucleus
    the former is hardly more than IoU. The tolerance of the surface Dice is 2 pixels.
    """

    dice: float
    boundary_iou: float
    boundary_iou_2px: float
    hd95_px: float
    surface_dice: float


@dataclass(frozen=True)
class Trust:
    """What an uncertainty map is worth in the band that could be changed."""

    correlation: float
    calibration_error: float
    concentration: float


def score(made: Mask, truth: Mask) -> Score:
    """Return the figures of a mask (y, x)."""
    a, b = made[None], truth[None]
    apart = surface_distances(made, truth)
    wide, narrow = (float(100 * boundary_iou(a, b, w)[0]) for w in (standard_width_px(truth.shape), NARROW_PX))
    return Score(float(100 * dice(a, b)[0]), wide, narrow, apart.hd95(), 100 * apart.surface_dice(TOLERANCE_PX))


def trust(uncertainty: npt.NDArray[np.uint8], made: Mask, truth: Mask, band: Mask) -> Trust:
    """Return what an uncertainty map (y, x) says of the errors in the band; NaN where there is no error, or no band."""
    if not band.any():
        return Trust(float("nan"), float("nan"), float("nan"))
    u, wrong = uncertainty[band], (made != truth)[band]
    correlation = uncertainty_error_correlation(u, wrong) if wrong.any() else float("nan")
    return Trust(correlation, expected_calibration_error(confidence_of(u), ~wrong), error_concentration(u, wrong))
