"""A normal distribution of a few numbers: fitted, drawn from, and drawn from when some of the numbers are known.

x ~ N(μ, Σ);   x_open | x_known ~ N(μ_o + Σ_ok Σ_kk⁻¹ (x_k − μ_k),  Σ_oo − Σ_ok Σ_kk⁻¹ Σ_ko)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medsynth_core.errors import InputError

Rows = npt.NDArray[np.float64]

LEAST_SPREAD = 0.05
"""Standard deviation added to each number, so that few or equal examples still give a distribution."""


@dataclass(frozen=True)
class Gaussian:
    """Mean (d,) and covariance (d, d): all that is kept of the examples. Raises InputError when they do not fit together."""

    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        d = len(self.mean)
        if len(self.covariance) != d or any(len(row) != d for row in self.covariance):
            raise InputError(f"covariance must be ({d}, {d}), as many rows and columns as the mean has numbers")

    @classmethod
    def fit(cls, rows: npt.ArrayLike, least_spread: float = LEAST_SPREAD) -> Gaussian:
        """Return the distribution of rows (n, d). Correlations are shrunk by 1 / (n + 1): few examples prove little."""
        x = np.atleast_2d(np.asarray(rows, float))
        if x.size == 0 or not np.isfinite(x).all():
            raise InputError(f"rows are {x.shape}: a distribution needs at least one, of finite numbers")
        centered = x - x.mean(axis=0)
        raw = centered.T @ centered / max(len(x) - 1, 1)
        share = 1 / (len(x) + 1)
        covariance = (1 - share) * raw + np.diag(share * np.diag(raw) + least_spread**2)
        return cls(tuple(x.mean(axis=0).tolist()), tuple(tuple(row) for row in covariance.tolist()))

    def draw(self, rng: np.random.Generator, count: int, known: Mapping[int, float] | None = None) -> Rows:
        """Return `count` rows (count, d); the numbers at the places in `known` are the given ones in each."""
        mean, covariance = np.array(self.mean), np.array(self.covariance)
        fixed = sorted(known or {})
        open_ = [i for i in range(len(mean)) if i not in fixed]
        rows = np.tile(mean, (count, 1))
        rows[:, fixed] = values = np.array([(known or {})[i] for i in fixed])
        if not open_:
            return rows
        pull = np.linalg.solve(covariance[np.ix_(fixed, fixed)], covariance[np.ix_(fixed, open_)])  # (k, o)
        left = covariance[np.ix_(open_, open_)] - covariance[np.ix_(open_, fixed)] @ pull
        noise = rng.standard_normal((count, len(open_))) @ np.linalg.cholesky(left).T
        rows[:, open_] = mean[open_] + (values - mean[fixed]) @ pull + noise
        return rows
