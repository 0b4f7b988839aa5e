"""Whether an uncertainty map tells the truth about the errors of its mask.

    u           uncertainty in [0, 1]: 0 = sure, 1 = both answers equally likely; as uint8 0 to 255
    confidence  = 1 − u / 2                       (a pixel of probability p has u = 1 − |2p − 1|, confidence max(p, 1 − p))
    ECE         = Σ_bins n_bin / n · |share correct − mean confidence|        (Guo et al. 2017, arXiv 1706.04599, eq. 3)
    r           = Pearson correlation of u and error (0 or 1) over pixels
    x times     = error rate among the most uncertain tenth of the pixels / error rate among all

All are meant for the pixels of a band round the boundary: over a whole image the sure background alone would make any map look
good.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from medsynth_core.errors import InputError, ShapeError

Values = npt.NDArray[np.generic]


def confidence_of(uncertainty: Values) -> npt.NDArray[np.float64]:
    """Return the confidence, 0.5 to 1, that an uncertainty map states; uint8 0 to 255, or floats in [0, 1]."""
    u = uncertainty.astype(np.float64) / (255 if uncertainty.dtype.kind in "iu" else 1)
    if u.size and not (u.min() >= 0 and u.max() <= 1):
        raise InputError(f"uncertainty reaches from {u.min():g} to {u.max():g}: it must be uint8, or floats in [0, 1]")
    return 1 - u / 2


def expected_calibration_error(confidence: Values, correct: Values, bins: int = 10) -> float:
    """Return the mean gap between stated confidence (0.5 to 1) and the share correct, over bins of equal width.

    Pixels are taken in any shape, the same for both. Raises ShapeError when the shapes differ, InputError when there are none.
    """
    stated, right = _flat(confidence, correct)
    place = np.minimum(((stated - 0.5) * 2 * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    gap = np.abs(np.bincount(place, right, bins) - np.bincount(place, stated, bins))  # n_bin · |share − mean|
    return float(gap.sum() / count.sum())


def uncertainty_error_correlation(uncertainty: Values, wrong: Values) -> float:
    """Return the correlation of uncertainty and error over pixels; 0 where one of them is the same everywhere."""
    u, error = _flat(uncertainty, wrong)
    if np.ptp(u) == 0 or np.ptp(error) == 0:
        return 0.0
    return float(np.corrcoef(u, error)[0, 1])


def error_concentration(uncertainty: Values, wrong: Values, share: float = 0.1) -> float:
    """Return how many times as often a pixel is wrong among the most uncertain `share` of the pixels as among all.

    Where the limit falls among pixels of one uncertainty, each of them counts in part, so that their order does not matter: a
    constant map gives 1. NaN where no pixel is wrong.
    """
    u, error = _flat(uncertainty, wrong)
    if not error.any():
        return float("nan")
    wanted = share * len(u)
    limit = np.sort(u)[::-1][min(len(u) - 1, int(np.ceil(wanted)) - 1)]
    above, at = u > limit, u == limit
    errors = error[above].sum() + error[at].mean() * (wanted - above.sum())
    return float(errors / wanted / error.mean())


def _flat(a: Values, b: Values) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    if a.shape != b.shape:
        raise ShapeError(f"the maps are {a.shape} and {b.shape}: they must be of one shape")
    if not a.size:
        raise InputError("there is no pixel to measure: widen the band")
    return a.ravel().astype(np.float64), b.ravel().astype(np.float64)
