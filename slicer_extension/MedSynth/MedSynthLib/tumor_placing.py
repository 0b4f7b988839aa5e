"""A box for an engine whose parameters are a center and an extent in world mm: fields and box follow each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from medsynth_core.tumor_words import TRIPLES, spread
from MedSynthLib import tumor_roi
from MedSynthLib.engine_page import EnginePage
from MedSynthLib.tumor_roi import BoxWatch, Triple

FIRST_EXTENT_MM = (30.0, 30.0, 30.0)
NAMES = (*TRIPLES["center_mm"], *TRIPLES["extent_mm"])


class TumorPlacing:
    """Dresses the checkable button that shows the box. `middle` says where a box without a given center begins."""

    def __init__(self, button: Any, middle: Callable[[], Triple]) -> None:
        self._button, self._middle = button, middle
        self._page: EnginePage | None = None
        self._watch: BoxWatch | None = None
        self._telling = False
        button.connect("toggled(bool)", self._toggled)
        self.set_page(None)

    def set_page(self, page: EnginePage | None) -> None:
        """Serve another engine's page; the button is there if that engine can be told a place."""
        if page is self._page and page is not None:
            return
        self._page = page if page is not None and set(NAMES) <= set(page.fields) else None
        self._button.setVisible(self._page is not None)
        self._button.setChecked(False)
        if self._page is not None:
            for name in NAMES:
                self._page.fields[name].connect("valueChanged(double)", self._typed)

    def forget(self) -> None:
        """Let go of the box, before the scene is closed."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        self._button.setChecked(False)

    @property
    def box(self) -> Any:
        """The box's node, None while there is none."""
        return self._watch.box if self._watch is not None else None

    def _toggled(self, shown: bool) -> None:
        if not shown or self._page is None:
            if self.box is not None and self.box.GetScene() is not None:
                self.box.GetScene().RemoveNode(self.box)
            self.forget()
            return
        center, extent = self._numbers()
        given = self._page.values().get("place") == "given"
        box = tumor_roi.new_box(center if given else self._middle(), extent if min(extent) > 0 else FIRST_EXTENT_MM)
        self._watch = BoxWatch(box, self._moved)
        self._moved(*tumor_roi.read(box))

    def _moved(self, center: Triple, extent: Triple) -> None:
        if self._page is not None:
            self._telling = True
            self._page.set_values(spread({"center_mm": center, "extent_mm": extent}))
            self._telling = False

    def _typed(self, _: float) -> None:
        if self._watch is not None and not self._telling:
            center, extent = self._numbers()
            if min(extent) > 0:
                self._watch.place(center, extent)

    def _numbers(self) -> tuple[Triple, Triple]:
        assert self._page is not None
        x, y, z, width, depth, height = (float(self._page.fields[name].value) for name in NAMES)
        return (x, y, z), (width, depth, height)
