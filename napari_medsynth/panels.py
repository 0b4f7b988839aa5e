"""Which panel belongs to which engine, and how one panel brings another into the window."""

from __future__ import annotations

import importlib
from typing import Any

import napari
from qtpy.QtWidgets import QDockWidget, QWidget

TRAIN, JOBS = "train", "jobs"
PANELS = {
    "synthesize": ("Synthesize", "synthesize_widget:SynthesizeWidget"),
    "refine": ("Refine", "refine_widget:RefineWidget"),
    "tumor": ("Grow a tumor volume", "tumor_widget:TumorWidget"),
    "nuclei": ("Nuclei + histology", "nuclei_widget:NucleiWidget"),
    TRAIN: ("Train on your own cases", "train_widget:TrainWidget"),
    JOBS: ("Jobs", "jobs_widget:JobsWidget"),
}
"""Name and widget by engine, as the manifest has them. Imported late: panels open one another."""


def open_panel(viewer: napari.Viewer, which: str) -> Any:
    """Return a panel by its key in PANELS: the one that is open, brought to the front, else a new one."""
    name, where = PANELS[which]
    module, kind_name = where.split(":")
    kind = getattr(importlib.import_module(f"napari_medsynth.{module}"), kind_name)
    for widget in _docked(viewer):
        if isinstance(widget, kind):
            _bring_to_front(widget)
            return widget
    widget = kind(viewer)
    viewer.window.add_dock_widget(widget, name=name, area="right", tabify=True)
    _bring_to_front(widget)
    return widget


def use_model(panel: Any, model: str) -> None:
    """Let the panel of an engine pick a model, also one that was installed a moment ago."""
    panel.model.want(model)
    panel.session.ask(lambda client: client.capabilities(), panel.capabilities_changed)


def _docked(viewer: napari.Viewer) -> list[QWidget]:
    """Return the widgets in docks; those of napari that are no Qt widgets themselves are left out."""
    widgets = [getattr(widget, "native", widget) for widget in viewer.window.dock_widgets.values()]
    return [widget for widget in widgets if isinstance(widget, QWidget)]


def _bring_to_front(widget: QWidget) -> None:
    around: QWidget | None = widget
    while around is not None and not isinstance(around, QDockWidget):
        around = around.parentWidget()
    if around is not None:
        around.show()
        around.raise_()
