"""One tab: an engine's summary, models, forms and inputs with a box of their own, all from the capability document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import qt
import slicer

from medsynth_core.protocol import Capabilities, EngineInfo, InputInfo, ModelCard, Scalar
from MedSynthLib import inputs
from MedSynthLib.forms import ParamForm


class EnginePage:
    """The page of one engine, `page`. Of nodes it knows those chosen in its own boxes."""

    def __init__(self, engine: EngineInfo, capabilities: Capabilities) -> None:
        self.engine = engine
        self._models = [m for m in capabilities.models if m.engine == engine.name and m.card is not None and not m.card.role]
        self.page = qt.QWidget()
        self._column = qt.QVBoxLayout(self.page)
        summary = qt.QLabel(engine.summary)
        summary.setWordWrap(True)
        self._column.addWidget(summary)
        self._models_box = qt.QComboBox()
        self._models_box.setObjectName("model")
        self._models_box.addItems([m.card.title for m in self._models if m.card is not None])
        self._models_box.setVisible(bool(self._models))
        self._column.addWidget(self._models_box)
        self.form = ParamForm(tuple(p for p in engine.params if not p.advanced))
        self.advanced = ParamForm(tuple(p for p in engine.params if p.advanced))
        self.options = ParamForm(())
        self._column.addWidget(self.form.page)
        self._column.addWidget(self.options.page)
        self._add_advanced()
        self._uses = {info.name: self._add_use(info) for info in inputs.offered(engine)}
        self._pickers = {info.name: self._add_picker(info) for info in inputs.picked(engine)}
        self._column.addStretch(1)  # a short form stays on top of a tab that a longer one made high
        self._models_box.connect("currentIndexChanged(int)", self._model_changed)
        self._model_changed(0)

    def close(self) -> None:
        """Take the page off the screen and let Qt delete it, with all that is on it."""
        self.page.setParent(None)
        self.page.deleteLater()

    @property
    def card(self) -> ModelCard | None:
        """The chosen model's card, None for an engine without models."""
        return self._models[self._models_box.currentIndex].card if self._models else None

    def values(self) -> dict[str, Scalar]:
        """Return parameters and model options by name, checked. Raises ParameterError naming the field."""
        return self.form.values() | self.advanced.values() | self.options.values()

    @property
    def used(self) -> frozenset[str]:
        """The optional inputs that are to be sent."""
        return frozenset(name for name, box in self._uses.items() if box.checked)

    @property
    def chosen(self) -> dict[str, Any]:
        """The nodes that were chosen for inputs with a box of their own, by input."""
        nodes = {name: picker.currentNode() for name, picker in self._pickers.items()}
        return {name: node for name, node in nodes.items() if node is not None}

    def choose(self, name: str, node: Any) -> None:
        """Choose a node for an input with a box of its own, None for none."""
        self._pickers[name].setCurrentNode(node)

    def choose_model(self, model: str) -> bool:
        """Choose a model by its id; return whether it is there."""
        ids = [info.id for info in self._models]
        if model in ids:
            self._models_box.setCurrentIndex(ids.index(model))
        return model in ids

    def card_of(self, model: str) -> ModelCard | None:
        """Return a model's card by its id, None when it is none of this engine's."""
        return next((info.card for info in self._models if info.id == model), None)

    def use(self, name: str, wanted: bool) -> None:
        """Send an optional input, or do not."""
        self._uses[name].setChecked(wanted)

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the engine's parameters by name."""
        return self.form.fields | self.advanced.fields

    def set_values(self, values: Mapping[str, Scalar]) -> None:
        """Show values; those of unknown fields, and those a field refuses, are left out."""
        for form in (self.form, self.advanced, self.options):
            form.set_values(values)

    def _add_use(self, info: InputInfo) -> Any:
        """Return a box that says whether an optional input is sent: segments are, unless said otherwise, a volume is not."""
        box = qt.QCheckBox(f"{info.label}: the chosen {'volume' if info.kind == 'image' else 'segments'}")
        box.setObjectName(f"use_{info.name}")
        box.setChecked(info.kind != "image")
        self._column.addWidget(box)
        return box

    def _add_picker(self, info: InputInfo) -> Any:
        """Return a box for a node: any segments or label map, for instances a label map whose numbers are the objects."""
        kinds = ["vtkMRMLLabelMapVolumeNode"] if info.instances else ["vtkMRMLSegmentationNode", "vtkMRMLLabelMapVolumeNode"]
        picker = slicer.qMRMLNodeComboBox()
        picker.setObjectName(f"pick_{info.name}")
        picker.nodeTypes = kinds
        picker.noneEnabled, picker.addEnabled, picker.removeEnabled = True, False, False
        picker.noneDisplay = "As painted" if info.instances else "None"
        picker.setMRMLScene(slicer.mrmlScene)
        row = qt.QFormLayout()
        row.addRow(f"{info.label}, numbered" if info.instances else info.label, picker)
        self._column.addLayout(row)
        return picker

    def _add_advanced(self) -> None:
        if not self.advanced.fields:
            return
        toggle = qt.QPushButton("Advanced")
        toggle.setStyleSheet("text-align: left; padding: 4px 0;")
        toggle.setCheckable(True)
        toggle.setFlat(True)
        self.advanced.page.setVisible(False)
        toggle.connect("toggled(bool)", self.advanced.page.setVisible)
        self._column.addWidget(toggle)
        self._column.addWidget(self.advanced.page)

    def _model_changed(self, _: int) -> None:
        kept: dict[str, Any] = self.options.values()
        fresh = ParamForm(self.card.options if self.card is not None else ())
        fresh.set_values(kept)
        self._column.replaceWidget(self.options.page, fresh.page)
        fresh.page.setVisible(bool(fresh.fields))
        self.options.page.deleteLater()
        self.options = fresh
