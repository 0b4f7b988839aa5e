"""The fields of a training beside its folder: name, preset, base, steps, license, labels; the rest is folded."""

from __future__ import annotations

from dataclasses import replace

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFormLayout, QLineEdit, QSizePolicy, QSpinBox, QVBoxLayout, QWidget

from medsynth_core.protocol import EngineInfo, ModelInfo
from medsynth_core.training_form import LABELED, UNLABELED, VOLUMES, TrainingForm
from medsynth_core.training_words import grouped
from napari_medsynth import theme
from napari_medsynth.elided_box import ElidedBox
from napari_medsynth.panel import new_fold, new_form

MOST = 10**8
MOST_LABELS = 8
LABEL_PX = 58
VOLUME_FIELDS = {
    "images": ("Images", "**/*_flair.nii.gz", "Which files below the folder are images; only with Masks"),
    "masks": ("Masks", "**/*_seg.nii.gz", "Their masks: paired by what the wildcards mean"),
    "modality": ("Modality", "flair", "Which of several images of a patient: flair, t1ce, … or a number from 0"),
    "tumor_label": ("Tumor label", "all but 0", "Values that count as tumor, such as 1,4"),
    "stack_height_mm": (
        "Stack height",
        "as the headers say",
        "Height of every head in mm, where headers have no true slice distance",
    ),
}
"""Options for volumes by name: title, what stands there while it is empty, what it is for."""


class SettingsForm(QWidget):
    """Shows a TrainingForm; `changed` says that the user changed it. A field the engine does not heed is hidden."""

    changed = Signal()

    def __init__(self, theme_name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.name, self.license = _line("such as My polyps"), _line("not stated")
        self.preset, self.base = ElidedBox(self), ElidedBox(self)
        self.steps, self.batch, self.seed = _number("the preset's"), _number("the preset's"), _number("")
        self.grey, self.judge = QCheckBox(self), QCheckBox(self)
        self.metadata, self.group_by, self.unlabeled = _line("a CSV file"), _line("a column of the table"), _line("a folder")
        self.volumes = {name: _line(example) for name, (_, example, _) in VOLUME_FIELDS.items()}
        self.labels: dict[str, QLineEdit] = {}
        self._form, self._advanced = new_form(), new_form()
        self._engine, self._titles = "", {"": "none, from the beginning"}
        self._steps_of: dict[str, int] = {}
        self._lay_out()
        self._wire()
        self.set_theme(theme_name)

    def set_theme(self, name: str) -> None:
        """Follow the viewer's theme."""
        self._fold.setCollapsedIcon(theme.icon("folded", name))
        self._fold.setExpandedIcon(theme.icon("unfolded", name))

    def show_form(self, form: TrainingForm) -> None:
        """Show these values."""
        self.blockSignals(True)
        for line, text in ((self.name, form.name), (self.license, form.license), (self.metadata, form.metadata)):
            line.setText(text)
        for line, text in ((self.group_by, form.group_by), (self.unlabeled, form.unlabeled)):
            line.setText(text)
        for name, line in self.volumes.items():
            line.setText(form.volumes.get(name, ""))
        for box, number in ((self.steps, form.steps), (self.batch, form.batch), (self.seed, form.seed)):
            box.setValue(number)
        self.grey.setChecked(form.grey)
        self.judge.setChecked(form.judge)
        _choose(self.preset, form.preset)
        _choose(self.base, form.base)
        self.blockSignals(False)

    def fill(self, form: TrainingForm) -> TrainingForm:
        """Return a form with the values shown."""
        return replace(
            form,
            name=self.name.text(),
            preset=self.preset.currentData() or "",
            base=self.base.currentData() or "",
            steps=self.steps.value(),
            batch=self.batch.value(),
            seed=self.seed.value(),
            grey=self.grey.isChecked(),
            judge=self.judge.isChecked(),
            license=self.license.text(),
            labels={value: line.text() for value, line in self.labels.items()} or form.labels,
            metadata=self.metadata.text().strip(),
            group_by=self.group_by.text(),
            unlabeled=self.unlabeled.text().strip(),
            volumes={name: line.text() for name, line in self.volumes.items()},
        )

    def offer(self, engine: EngineInfo, models: tuple[ModelInfo, ...], form: TrainingForm) -> None:
        """Offer an engine's presets and models, and show those of the form; one that is gone gives way to the default."""
        self.blockSignals(True)
        _list(self.preset, {one.name: f"{one.name}: {one.says}" for one in engine.presets}, form.preset)
        bases = {"": "none, from the beginning"} | {m.id: _title(m) for m in models if m.engine == engine.name and m.card}
        _list(self.base, bases, form.base)
        self._steps_of = {one.name: one.steps for one in engine.presets}
        self._advanced.setRowVisible(self.grey, engine.name in LABELED)
        self._advanced.setRowVisible(self.unlabeled, engine.name == UNLABELED)
        for line in self.volumes.values():
            self._advanced.setRowVisible(line, engine.name == VOLUMES)
        self.blockSignals(False)
        self._say_steps()

    def show_labels(self, values: tuple[str, ...], names: dict[str, str]) -> None:
        """Let these label values be named; none for an engine whose masks hold no label numbers."""
        values = values[:MOST_LABELS]
        if tuple(self.labels) == values:
            return
        for line in self.labels.values():
            self._form.removeRow(line)
        self.labels = {value: _line(f"label {value}") for value in values}
        for value, line in self.labels.items():
            line.setText(names.get(value, ""))
            line.setToolTip("What this value of the masks stands for; the model's palette shows it")
            line.editingFinished.connect(self.changed.emit)
            self._form.addRow(f"Label {value}", line)

    def _say_steps(self) -> None:
        steps = self._steps_of.get(self.preset.currentData() or "")
        number = f" {grouped(steps)}" if steps else ""
        self.steps.setSpecialValueText(f"the preset's{number}")

    def _wire(self) -> None:
        for line in (self.name, self.license):
            line.textChanged.connect(lambda _: self.changed.emit())
        for line in (
            self.metadata,
            self.group_by,
            self.unlabeled,
            *self.volumes.values(),
        ):  # these ask for a new look of the doctor's
            line.editingFinished.connect(self.changed.emit)
        for box in (self.preset, self.base):
            box.currentIndexChanged.connect(lambda _: self.changed.emit())
        self.preset.currentIndexChanged.connect(lambda _: self._say_steps())
        for number in (self.steps, self.batch, self.seed):
            number.valueChanged.connect(lambda _: self.changed.emit())
        for mark in (self.grey, self.judge):
            mark.toggled.connect(lambda _: self.changed.emit())

    def _lay_out(self) -> None:
        tips: dict[QWidget, str] = {
            self.name: "What lists call the new model",
            self.preset: "How to train: what the network is, and for how long",
            self.base: "Go on from this model: quicker, where its images are like yours",
            self.steps: "Optimizer steps of the whole training; 0 is the preset's number",
            self.license: "Terms of your data; they stand on the model's card",
            self.batch: "Cases a step; 0 is the preset's number. Fewer need less memory",
            self.seed: "The same seed and the same cases give the same model",
            self.grey: "One channel instead of three, for images without color",
            self.judge: "First teach what measures the results; without it they have no badge",
            self.metadata: "A table with a column `file` and one for the group",
            self.group_by: "Patient, slide or sequence: never on both sides of the split",
            self.unlabeled: "A folder of images without masks that teach how images look",
            **{self.volumes[name]: tip for name, (_, _, tip) in VOLUME_FIELDS.items()},
        }
        for part, tip in tips.items():
            part.setToolTip(tip)
        rows = {"Name": self.name, "Preset": self.preset, "Base": self.base, "Steps": self.steps, "License": self.license}
        folded = {"Batch": self.batch, "Seed": self.seed, "Judge": self.judge, "Grey": self.grey, "Table": self.metadata}
        for title, field in rows.items():
            self._form.addRow(title, field)
        for title, field in {**folded, "Group by": self.group_by, "Unlabeled": self.unlabeled}.items():
            self._advanced.addRow(title, field)
        for name, (title, _, _) in VOLUME_FIELDS.items():
            self._advanced.addRow(title, self.volumes[name])
        self._fold = new_fold(self._advanced)
        self._fold.setVisible(True)
        align(self._form)
        align(self._advanced)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(self._form)
        column.addWidget(self._fold)


def align(form: QFormLayout) -> None:
    """Let the fields of a form stand under those of the other forms."""
    for row in range(form.rowCount()):
        if (item := form.itemAt(row, QFormLayout.ItemRole.LabelRole)) is not None and (label := item.widget()) is not None:
            label.setMinimumWidth(LABEL_PX)


def _line(placeholder: str) -> QLineEdit:
    line = QLineEdit()
    line.setPlaceholderText(placeholder)
    return line


def _number(zero: str) -> QSpinBox:
    box = QSpinBox()
    box.setRange(0, MOST)
    box.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
    box.setSpecialValueText(zero)
    box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return box


def _list(box: ElidedBox, choices: dict[str, str], picked: str) -> None:
    box.blockSignals(True)
    box.clear()
    for value, title in choices.items():
        box.addItem(title, value)
    box.blockSignals(False)
    _choose(box, picked)


def _choose(box: ElidedBox, value: str) -> None:
    box.setCurrentIndex(max(0, box.findData(value)))
    box.setToolTip(box.currentText())


def _title(model: ModelInfo) -> str:
    card = model.card
    title = card.title if card and card.title else model.id
    return f"{title} ({card.role})" if card and card.role else title
