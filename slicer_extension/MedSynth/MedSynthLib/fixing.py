"""What a Fix does to segments where it has to ask first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt

from medsynth_core.protocol import LabelInfo
from medsynth_core.vocabulary import foreground
from MedSynthLib import segments


class Fixing:
    """`beside` is the widget a menu comes up at; `done` is told when a choice in it was made."""

    def __init__(self, beside: Any, done: Callable[[], None]) -> None:
        self._beside, self._done = beside, done
        self.menu: Any = None

    def map_labels(self, segmentation: Any, labels: tuple[LabelInfo, ...]) -> None:
        """Name the segments a model does not know after a label it knows; where it knows several, ask which."""
        unknown, named = segments.unknown_segments(segmentation, labels), foreground(labels)
        if len(named) == 1:
            segments.rename(segmentation, unknown, named[0])
            return
        names = segments.segment_names(segmentation)
        self.menu = qt.QMenu(self._beside)
        for label in named:
            action = self.menu.addAction(f"{', '.join(names[segment] for segment in unknown)} → {label.name}")
            action.connect("triggered()", lambda label=label: self._chosen(segmentation, unknown, label))
        self.menu.popup(qt.QCursor.pos())

    def _chosen(self, segmentation: Any, unknown: tuple[str, ...], label: LabelInfo) -> None:
        if segmentation.GetScene() is not None:
            segments.rename(segmentation, unknown, label)
            self._done()
