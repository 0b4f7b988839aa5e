"""The Segment Editor effect Refine (diffusion): the selected segment, roughly painted, gets the boundary that the image shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qt
import slicer
from SegmentEditorEffects import AbstractScriptedSegmentEditorEffect

import MedSynthLib
from MedSynthLib.refine_options import RefineOptions

NAME = "Refine (diffusion)"
ICON = Path(__file__).parents[1] / "Resources" / "Icons" / "MedSynth.svg"
SOURCE = Path(__file__).as_posix()
HELP = (
    "<html>Paint roughly what you mean, then click <b>Refine</b>: a diffusion model proposes a better boundary, as an outline."
    "<p><ul><li><b>Apply</b> writes it into the selected segment, of a single slice into that slice alone; Undo takes it back."
    "<li>Masking settings are ignored.<li>For research and for training algorithms, never for diagnosis.</ul></html>"
)


class RefineEffect(AbstractScriptedSegmentEditorEffect):
    """Slicer's side of the effect: one is registered, and each segment editor works with a clone of it."""

    def __init__(self, scriptedEffect: Any) -> None:
        AbstractScriptedSegmentEditorEffect.__init__(self, scriptedEffect)
        scriptedEffect.name = scriptedEffect.title = NAME
        scriptedEffect.perSegment = True
        scriptedEffect.requireSegments = True
        self.options: RefineOptions | None = None

    def clone(self) -> Any:
        """Return another one, for another editor."""
        return make()

    def icon(self) -> Any:
        """Return the picture on the button."""
        return qt.QIcon(str(ICON)) if ICON.is_file() else qt.QIcon()

    def helpText(self) -> str:
        """Return what to do."""
        return HELP

    def setupOptionsFrame(self) -> None:
        """Called once by each editor."""
        self.options = RefineOptions(self)
        self.scriptedEffect.addOptionsWidget(self.options.page)

    def createCursor(self, widget: Any) -> Any:
        """Keep the arrow: nothing is done by clicks in the views."""
        return slicer.util.mainWindow().cursor

    def activate(self) -> None:
        """The effect was chosen."""
        if self.options is not None:
            self.options.open()

    def deactivate(self) -> None:
        """Another effect was chosen: an outline stays until it is judged."""

    def updateGUIFromMRML(self) -> None:
        """Another segment, segmentation or volume may have been chosen."""
        if self.options is not None:
            self.options.check()

    sourceVolumeNodeChanged = updateGUIFromMRML

    def cleanup(self) -> None:
        """The editor is going away."""
        if self.options is not None:
            self.options.close()

    def segmentation(self) -> Any:
        """Return the segmentation node that is edited."""
        editor = self.scriptedEffect.parameterSetNode()
        return editor.GetSegmentationNode() if editor is not None else None

    def image(self) -> Any:
        """Return the volume node it is edited over."""
        editor = self.scriptedEffect.parameterSetNode()
        return editor.GetSourceVolumeNode() if editor is not None else None

    def segment(self) -> str:
        """Return the id of the selected segment, empty without one."""
        editor = self.scriptedEffect.parameterSetNode()
        return (editor.GetSelectedSegmentID() or "") if editor is not None else ""

    def save_state(self) -> None:
        """Keep what is there now for the editor's undo."""
        self.scriptedEffect.saveStateForUndo()


def register() -> None:
    """Add the effect to all segment editors; told by Slicer once it has started."""
    make().self().register()


def make() -> Any:
    """Return Slicer's adaptor of the effect.

    It finds the class by the names of this file and its folder: as an attribute of the package, named after the file.
    """
    from qSlicerSegmentationsEditorEffectsPythonQt import qSlicerSegmentEditorScriptedEffect

    setattr(MedSynthLib, f"{Path(SOURCE).stem}Effect", RefineEffect)
    adaptor = qSlicerSegmentEditorScriptedEffect(None)
    adaptor.setPythonSource(SOURCE)
    return adaptor
