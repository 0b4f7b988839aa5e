"""What is asked of a tumor, in world millimeters (RAS), and what the model knows of tumors and heads.

Triples run (x, y, z). A number that is not asked for (0, or a center of None) is drawn by the engine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from medsynth_core.protocol import ModelCard, Scalar
from medsynth_core.tumor_words import GIVEN, PLACE, TRIPLES, spread

Triple = tuple[float, float, float]
AXES = ("x", "y", "z")
BALL = 4 / 3 * math.pi
GROUND = 0.09
"""Share of the bright end (percentile 99.5) above which a voxel counts as head, about as in training."""


@dataclass(frozen=True)
class Ellipsoid:
    """An upright ellipsoid: center and half axes (x, y, z) in world mm."""

    center_mm: Triple
    half_mm: Triple

    def holds(self, point: Triple) -> bool:
        """Return whether a point lies within."""
        return self.reach(point) <= 1

    def reach(self, point: Triple) -> float:
        """Return how far out a point lies: 0 is the center, 1 the surface."""
        return math.hypot(*((p - c) / h for p, c, h in zip(point, self.center_mm, self.half_mm, strict=True)))


@dataclass(frozen=True)
class Range:
    """From the least to the greatest of what training patients had."""

    low: float
    high: float


@dataclass(frozen=True)
class Trained:
    """What a model's card tells of its training patients; None where it does not say. `extent_mm` is the typical one."""

    volume_ml: Range | None = None
    sphericity: Range | None = None
    extents_mm: tuple[Range, Range, Range] | None = None
    typical_ml: float | None = None
    extent_mm: Triple | None = None
    head: Ellipsoid | None = None
    slice_mm: float | None = None
    stack_mm: float | None = None

    @classmethod
    def of(cls, card: ModelCard | None) -> Trained:
        """Return what stands on a card. Its head lies in the frame of the volume (LPS), here it is in the world (RAS)."""
        figures = card.figures if card else {}
        extents = [_range(figures, f"extent_{axis}_mm") for axis in AXES]
        center, half = _triple(figures, "head_center_{}_mm"), _triple(figures, "head_half_{}_mm")
        return cls(
            volume_ml=_range(figures, "volume_ml"),
            sphericity=_range(figures, "sphericity"),
            extents_mm=(extents[0], extents[1], extents[2]) if extents[0] and extents[1] and extents[2] else None,
            typical_ml=figures.get("volume_ml"),
            extent_mm=_triple(figures, "extent_{}_mm"),
            head=Ellipsoid((-center[0], -center[1], center[2]), half) if center and half else None,
            slice_mm=figures.get("slice_mm"),
            stack_mm=figures.get("stack_mm"),
        )


@dataclass(frozen=True)
class TumorRequest:
    """A tumor as it is asked for."""

    volume_ml: float = 0.0
    center_mm: Triple | None = None
    extent_mm: Triple = (0.0, 0.0, 0.0)
    sphericity: float = 0.0

    @classmethod
    def of(cls, params: Mapping[str, Scalar]) -> TumorRequest:
        """Return the request in an engine's parameters."""
        numbers = {name: float(value) for name, value in params.items() if isinstance(value, (int, float))}
        center, extent = (tuple(numbers.get(part, 0.0) for part in TRIPLES[name]) for name in ("center_mm", "extent_mm"))
        return cls(
            numbers.get("volume_ml", 0.0),
            _three(center) if params.get(PLACE) == GIVEN else None,
            _three(extent),
            numbers.get("sphericity", 0.0),
        )

    def params(self) -> dict[str, Scalar]:
        """Return the engine's parameters."""
        asked = {"volume_ml": self.volume_ml, "extent_mm": self.extent_mm, "sphericity": self.sphericity}
        return spread(asked | ({"center_mm": self.center_mm} if self.center_mm is not None else {}))

    def outline(self, trained: Trained) -> Ellipsoid | None:
        """Return the ellipsoid that the tumor is asked to fill, None without a center or anything that says a size.

        Extents that were asked for are its axes. The others are typical ones, enlarged together until a typical share of the
        box is the volume asked for; without a volume, as much as those that were asked for differ from typical.
        """
        half = _half_axes(self, trained)
        return Ellipsoid(self.center_mm, half) if self.center_mm is not None and half is not None else None


def head_of(image: np.ndarray, affine: np.ndarray) -> Ellipsoid | None:
    """Return the upright ellipsoid with the moments of the foreground of a grey volume (z, y, x), None without foreground.

    `affine` (4, 4) leads from voxel (x, y, z) to world mm. Large volumes are looked at in steps: this is for a warning.
    """
    step = tuple(max(1, n // 64) for n in image.shape)
    small = image[:: step[0], :: step[1], :: step[2]].astype(np.float32)
    small = small - small.min()
    inside = np.argwhere(small > GROUND * np.percentile(small, 99.5)) if small.any() else np.zeros((0, 3))
    if len(inside) < 8:
        return None
    points = (inside * step)[:, ::-1] @ affine[:3, :3].T + affine[:3, 3]  # (n, 3) x y z in mm
    half = math.sqrt(5) * points.std(axis=0)  # of a solid ellipsoid
    return Ellipsoid(_three(points.mean(axis=0)), _three(np.maximum(half, 1.0)))


def _half_axes(request: TumorRequest, trained: Trained) -> Triple | None:
    asked, volume = request.extent_mm, request.volume_ml or trained.typical_ml
    if all(asked):
        return _three(e / 2 for e in asked)
    if volume is None:
        return None
    typical, typical_ml = trained.extent_mm, trained.typical_ml
    if typical is None or typical_ml is None:
        side = 2 * (1000 * volume / BALL) ** (1 / 3)
        typical, typical_ml = (side, side, side), volume
    given = [i for i in range(3) if asked[i]]
    ratio = math.prod(asked[i] / typical[i] for i in given)
    free = 3 - len(given)
    scale = (volume / typical_ml / ratio) ** (1 / free) if request.volume_ml or not given else ratio ** (1 / len(given))
    return _three((asked[i] or scale * typical[i]) / 2 for i in range(3))


def _range(figures: Mapping[str, float], name: str) -> Range | None:
    ends = figures.get(f"{name}_min"), figures.get(f"{name}_max")
    return None if ends[0] is None or ends[1] is None else Range(ends[0], ends[1])


def _triple(figures: Mapping[str, float], name: str) -> Triple | None:
    values = [figures.get(name.format(axis)) for axis in AXES]
    known = [value for value in values if value is not None]
    return _three(known) if len(known) == 3 else None


def _three(values: object) -> Triple:
    x, y, z = (float(v) for v in values)  # type: ignore[attr-defined]
    return x, y, z
