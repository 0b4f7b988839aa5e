"""A judge that only remembers what it was shown, for tests of engines."""

from __future__ import annotations

from typing import Any

from medsynth_core.protocol import Thresholds
from medsynth_core.quality import Badge


class Watching:
    """Stands in for what a model's folder carries."""

    def __init__(self) -> None:
        self.shown: tuple[Any, ...] = ()

    def badge(self, *shown: Any) -> Badge:
        """Remember what is shown and judge nothing."""
        self.shown = shown
        return Badge.of(Thresholds(), None, None, None)
