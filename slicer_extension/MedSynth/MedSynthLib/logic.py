"""The module's logic: the engines from a script, and what the panel remembers in the scene."""

from __future__ import annotations

from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

from MedSynthLib.scripting import Engine
from MedSynthLib.settings import Settings


class MedSynthLogic(ScriptedLoadableModuleLogic):
    """The engines from a script: `engine` has synthesize, refine, grow_tumor, make_nuclei and run."""

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self.engine = Engine()

    def settings(self) -> Settings:
        """Return what the panel remembers in this scene."""
        return Settings(self.getParameterNode())
