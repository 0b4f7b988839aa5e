"""What is asked of the nuclei engine, as the panel shows it, and what the model's card says of its reference tiles. No Qt."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from medsynth_core.protocol import ModelCard, Scalar
from medsynth_core.tumor_request import Range


class Source(enum.StrEnum):
    """Where the nuclei come from: nowhere, or a Labels layer that is completed, or painted just as it is."""

    NEW = "new"
    COMPLETE = "complete"
    KEEP = "keep"


@dataclass(frozen=True)
class Reference:
    """What the tiles that a model learned from were like: from the 5th to the 95th percentile, and the median; None if unsaid."""

    density: Range | None = None
    typical_density: float | None = None
    area_px: Range | None = None
    typical_area_px: float | None = None

    @classmethod
    def of(cls, card: ModelCard | None) -> Reference:
        """Return what stands on a card."""
        figures = card.figures if card else {}
        return cls(
            _range(figures, "density"),
            figures.get("density_p50"),
            _range(figures, "area_px"),
            figures.get("area_px_p50"),
        )


@dataclass(frozen=True)
class NucleiRequest:
    """A request; a number left at 0 is drawn, sides left at 0 are the model's."""

    source: Source = Source.NEW
    density: float = 0.0
    size_px: float = 0.0
    height: int = 0
    width: int = 0

    @classmethod
    def of(cls, params: Mapping[str, Scalar]) -> NucleiRequest:
        """Return the request in an engine's parameters; without the word about given nuclei it is a new field."""
        numbers = {name: float(value) for name, value in params.items() if isinstance(value, (int, float))}
        known = {source.value: source for source in Source}
        return cls(
            known.get(str(params.get("given", "")), Source.NEW),
            numbers.get("density", 0.0),
            numbers.get("size", 0.0),
            int(numbers.get("height", 0)),
            int(numbers.get("width", 0)),
        )

    def remembered(self) -> dict[str, Scalar]:
        """Return all of it as parameters: what `of` reads."""
        numbers: dict[str, Scalar] = {"density": self.density, "size": self.size_px, "height": self.height, "width": self.width}
        return numbers if self.source is Source.NEW else {"given": self.source.value, **numbers}

    def params(self) -> dict[str, Scalar]:
        """Return what matters to the engine: a given field has its own grid, and one that is kept its own nuclei."""
        matters: dict[Source, tuple[str, ...]] = {
            Source.NEW: ("density", "size", "height", "width"),
            Source.COMPLETE: ("given", "density", "size"),
            Source.KEEP: ("given",),
        }
        return {name: value for name, value in self.remembered().items() if name in matters[self.source]}


def _range(figures: Mapping[str, float], name: str) -> Range | None:
    low, high = figures.get(f"{name}_p5"), figures.get(f"{name}_p95")
    return None if low is None or high is None else Range(low, high)
