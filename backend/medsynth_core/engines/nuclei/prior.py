"""What the training tiles were like: what is not asked for is drawn from it, and what is made is shown beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from medsynth_core.engines.nuclei.stain import Stain
from medsynth_core.engines.nuclei.tiles import Tile, likeness
from medsynth_core.errors import ModelError
from medsynth_core.imaging.nuclei_maps import areas_px

ROWS = 256
QUANTILES = (5, 25, 50, 75, 95)


@dataclass(frozen=True)
class Likeness:
    """How many nuclei a 256² field has, their mean area in pixels, and the stain of its tile."""

    density: float
    size_px: float
    stain: Stain


@dataclass(frozen=True)
class Prior:
    """Training patches as rows to draw from, and the quantiles of all areas, in pixels."""

    rows: tuple[Likeness, ...]
    area_quantiles_px: tuple[float, ...]

    @classmethod
    def fit(cls, patches: tuple[Tile, ...]) -> Prior:
        """Return the prior of training patches: at most 256 of them, evenly taken; those without nuclei are left out."""
        filled = [patch for patch in patches if (patch.instances > 0).any()]
        taken = np.unique(np.linspace(0, len(filled) - 1, min(ROWS, len(filled))).round().astype(int))
        rows = tuple(Likeness(*likeness(filled[i]), filled[i].stain) for i in taken)
        areas = np.concatenate([areas_px(patch.instances) for patch in filled])
        return cls(rows, tuple(float(q) for q in np.percentile(areas, QUANTILES)))

    def draw(self, seed: int, density: float = 0.0, size_px: float = 0.0) -> Likeness:
        """Return one row by the seed; where density or size are given (above 0), one of the eight rows nearest to them."""
        rng = np.random.default_rng((seed % 2**63, 7))
        asked = [(i, value) for i, value in enumerate((density, size_px)) if value > 0]
        table = np.array([(math.log1p(row.density), math.log(max(row.size_px, 1))) for row in self.rows])
        apart = sum((abs(table[:, i] - (math.log1p(v) if i == 0 else math.log(v))) for i, v in asked), np.zeros(len(table)))
        near = np.argsort(apart, kind="stable")[:8] if asked else np.arange(len(table))
        row = self.rows[int(rng.choice(near))]
        return Likeness(density or row.density, size_px or row.size_px, row.stain)

    def figures(self) -> dict[str, float]:
        """Return what a panel shows beside a field: quantiles of density and of area."""
        density = np.percentile([row.density for row in self.rows], QUANTILES)
        named = {f"density_p{q}": round(float(v), 1) for q, v in zip(QUANTILES, density, strict=True)}
        return named | {f"area_px_p{q}": round(v, 1) for q, v in zip(QUANTILES, self.area_quantiles_px, strict=True)}

    def to_json(self) -> dict[str, Any]:
        """Return the JSON value of the prior."""
        rows = [[row.density, row.size_px, *map(float, row.stain.vector()), *row.stain.grain] for row in self.rows]
        return {"rows": [[round(v, 5) for v in row] for row in rows], "area_quantiles_px": list(self.area_quantiles_px)}

    @classmethod
    def from_json(cls, content: Any) -> Prior:
        """Return the prior of a JSON value. Raises ModelError for another."""
        try:
            rows = tuple(
                Likeness(row[0], row[1], Stain.from_vector(np.array(row[2:13]), tuple(row[13:]))) for row in content["rows"]
            )
            return cls(rows, tuple(float(q) for q in content["area_quantiles_px"]))
        except (KeyError, TypeError, IndexError, ValueError):
            raise ModelError("the prior of this nuclei model is damaged: get the model again") from None


def scaled(density: float, size_px: float) -> tuple[float, float]:
    """Return density and size as the network is told them, on scales of about 1."""
    return (math.log1p(density) - 2.8) / 0.8, (math.log(max(size_px, 1.0)) - 6.0) / 0.7
