"""A new training as it is made up: what the user has said of it, what the doctor found, and what still stands in its way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from medsynth_core import preflight
from medsynth_core.protocol import Capabilities
from medsynth_core.protocol_training import TrainingInfo
from medsynth_core.session import Session
from medsynth_core.training_form import LABELED, TrainingForm, blocking, counted, foreground, stopping
from medsynth_core.training_words import fact_lines, in_a_form
from napari_medsynth.panels import PANELS
from napari_medsynth.train_doctor import DoctorDesk
from napari_medsynth.train_panel import TrainPanel

LOOK_MS = 400
"""For so long what the doctor is asked must be left alone before he looks again."""


class OrderDesk(QObject):
    """Keeps the form and the page of a new training together. `trainings` tells which there are: names may be taken."""

    examining = Signal()

    def __init__(
        self, panel: TrainPanel, session: Session, form: TrainingForm, trainings: Callable[[], tuple[TrainingInfo, ...]]
    ) -> None:
        super().__init__(panel)
        self._panel, self._trainings = panel, trainings
        self.doctor = DoctorDesk(session, self)
        self.form = form
        self._capabilities: Capabilities | None = None
        self._asked = form.look()
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.timeout.connect(self.examine)
        self._wire()
        panel.folder.show_folder(form.data)
        panel.settings.show_form(form)
        self.show_report()

    def offer(self, capabilities: Capabilities) -> None:
        """Offer the engines that can be trained, with their presets, and their models as bases."""
        self._capabilities = capabilities
        box = self._panel.engine
        box.blockSignals(True)
        box.clear()
        for engine in capabilities.engines:
            if engine.presets and not engine.problem:
                box.addItem(PANELS[engine.name][0] if engine.name in PANELS else engine.name, engine.name)
        box.setCurrentIndex(max(0, box.findData(self.form.engine)))
        box.setToolTip(box.currentText())
        box.blockSignals(False)
        self._offer_settings()

    def examine(self) -> None:
        """Let the doctor look at the folder, as it is now."""
        self._pause.stop()
        if self.form.data and self._capabilities is not None:
            self._asked = self.form.look()
            self.examining.emit()
            self.doctor.look(self._asked)

    def judge(self) -> str:
        """Let the button follow, and return why it cannot be clicked."""
        reason = "" if self._capabilities else preflight.lacking(None, self.form.engine, "")
        models = [model.id for model in self._capabilities.models] if self._capabilities else []
        unsure = self.doctor.looking or self._pause.isActive()
        reason = reason or in_a_form(blocking(self.form, self.doctor.report, unsure, models, self._trainings()))
        self._panel.button.block(reason)
        return reason

    def begin_anew(self) -> None:
        """Let the next training have another name."""
        self.form = replace(self.form, name="")
        self._panel.settings.show_form(self.form)
        self.judge()

    def show_report(self) -> None:
        """Show what the doctor found, or that he looks."""
        report, panel, looking = self.doctor.report, self._panel, self.doctor.looking
        line = "The doctor looks at every case…" if looking else ""
        if report is not None and not looking:
            line = "Nothing stops the training." if report.ready else f"{counted(stopping(report))}."
        panel.look.setVisible(bool(self.form.data))
        panel.look.show_look(looking, line, report is not None)
        panel.facts.show_lines(fact_lines(report.facts) if report and report.facts.cases else {})
        panel.findings.show_findings(report.findings if report else (), self.form.excluded)
        panel.findings.setEnabled(not looking)
        if report is not None and not looking:
            panel.settings.show_labels(foreground(report) if self.form.engine in LABELED else (), self.form.labels)
        self.judge()

    def _offer_settings(self) -> None:
        engine = self._panel.engine.currentData()
        info = next((e for e in self._capabilities.engines if e.name == engine), None) if self._capabilities else None
        if info is not None and self._capabilities is not None:
            self.form = replace(self.form, engine=info.name)
            self._panel.settings.offer(info, self._capabilities.models, self.form)
            self.form = self._panel.settings.fill(self.form)
        self.judge()

    def _folder_picked(self, folder: str) -> None:
        self.form = replace(self.form, data=folder, excluded=(), labels={})
        self._panel.settings.show_labels((), {})
        self.doctor.forget()
        self.examine()

    def _engine_picked(self, *_: Any) -> None:
        self.form = replace(self.form, engine=self._panel.engine.currentData(), preset="", base="")
        self._offer_settings()
        self._look_soon()

    def _fields_changed(self) -> None:
        self.form = self._panel.settings.fill(self.form)
        self._look_soon()

    def _look_soon(self) -> None:
        """Let the doctor look again if what he is asked is another thing than the last time."""
        knows = self.doctor.report is not None or self.doctor.looking
        if knows and self.form.look() != self._asked:
            self._pause.start(LOOK_MS)
        self.judge()

    def _exclude(self, findings: Any) -> None:
        self.form = self.form.without(findings)
        self.examine()

    def _undo(self, exclusion: Any) -> None:
        self.form = self.form.with_again(exclusion)
        self.examine()

    def _wire(self) -> None:
        panel, doctor = self._panel, self.doctor
        panel.engine.currentIndexChanged.connect(self._engine_picked)
        panel.folder.picked.connect(self._folder_picked)
        panel.look.look.clicked.connect(lambda: self.examine())
        panel.look.cancel.clicked.connect(lambda: doctor.cancel())
        panel.findings.exclude_wanted.connect(self._exclude)
        panel.findings.undo_wanted.connect(self._undo)
        panel.settings.changed.connect(self._fields_changed)
        doctor.changed.connect(self.show_report)
        doctor.pictured.connect(panel.findings.show_picture)
