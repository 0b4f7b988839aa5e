"""3D Slicer's module MedSynth: the same engines, jobs and history as in napari. What it does is in MedSynthLib."""

from __future__ import annotations

from typing import Any

import slicer
from MedSynthLib import startup
from MedSynthLib.logic import MedSynthLogic
from MedSynthLib.panel import Panel
from MedSynthLib.selftest import MedSynthTest
from MedSynthLib.settings import Settings
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleWidget
from slicer.util import VTKObservationMixin

__all__ = ["MedSynth", "MedSynthLogic", "MedSynthTest", "MedSynthWidget"]  # what Slicer looks for, by name


class MedSynth(ScriptedLoadableModule):
    """Title, category and help."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = "MedSynth"
        parent.categories = ["Segmentation"]
        parent.dependencies = ["Segmentations", "Volumes", "SubjectHierarchy"]
        parent.contributors = ["MedSynth developers"]
        parent.helpText = (
            "Paint segments and synthesize the image that goes with them; refine a rough segmentation; grow a tumor volume; "
            "make nuclei with their histology. For research and for training algorithms, never for diagnosis."
        )
        parent.acknowledgementText = "Methods were implemented from their papers; THIRD_PARTY.md names them."
        slicer.app.connect("startupCompleted()", startup.register)


class MedSynthWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Binds the panel to Slicer's life: shown, scene closed, module unloaded."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.bound: tuple[Settings, int] | None = None

    def setup(self) -> None:
        """Called once, when the module is first opened."""
        ScriptedLoadableModuleWidget.setup(self)
        self.logic = MedSynthLogic()
        self.page = slicer.util.loadUI(self.resourcePath("UI/MedSynth.ui"))
        self.layout.addWidget(self.page)
        self.page.setMRMLScene(slicer.mrmlScene)
        self.panel = Panel(slicer.util.childWidgetVariables(self.page))
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, lambda *_: self.unbind())
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, lambda *_: self.bind())
        self.bind()
        self.panel.open()

    def enter(self) -> None:
        """Called when the module is shown."""
        self.panel.editor.enter()

    def exit(self) -> None:
        """Called when another module is shown."""
        self.panel.editor.leave()

    def bind(self) -> None:
        """Let the widgets show, and write, the settings of this scene."""
        self.unbind()
        settings = self.logic.settings()
        self.bound = settings, settings.connectGui(self.page)
        self.addObserver(settings.parameterNode, "ModifiedEvent", self.onSettings)
        self.panel.set_settings(settings)

    def onSettings(self, caller: Any, event: str) -> None:
        """Another volume or other segments were chosen, by the widgets or by a script."""
        self.panel.check()

    def unbind(self) -> None:
        """Let go of the settings, before the scene takes their node away."""
        self.removeObservers(self.onSettings)
        if self.bound is not None:
            settings, tag = self.bound
            settings.disconnectGui(tag)
            self.bound = None
        self.panel.set_settings(None)

    def cleanup(self) -> None:
        """Called when the module is unloaded, also by Reload, and when Slicer ends."""
        self.removeObservers()
        self.unbind()
        self.panel.close()
        self.logic.engine.close()
