"""What Slicer has for effects of the Segment Editor: their base, the adaptor that finds one by its file, the list."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any, ClassVar

import slicer


class AbstractScriptedSegmentEditorEffect:
    """What every scripted effect is made of."""

    def __init__(self, scriptedEffect: Any) -> None:
        self.scriptedEffect = scriptedEffect

    def register(self) -> None:
        """Offer the effect in all editors."""
        slicer.qSlicerSegmentEditorEffectFactory.instance().registerEffect(self.scriptedEffect)


class qSlicerSegmentEditorScriptedEffect:
    """The C++ side of an effect; `editor` is the node a test lets it work on."""

    def __init__(self, parent: None) -> None:
        self.name = self.title = ""
        self.perSegment = self.requireSegments = False
        self.editor: Any = None
        self.widgets: list[Any] = []
        self.history = slicer.vtkSegmentationHistory()
        self._self: Any = None

    def setPythonSource(self, source: str) -> bool:
        """Find the class as Slicer does: named after the file, in the module named after the folder."""
        path = Path(source)
        name = path.stem if path.stem.endswith("Effect") else f"{path.stem}Effect"
        self._self = getattr(sys.modules[path.parent.name], name)(self)
        setattr(slicer, path.parent.name, self._self)
        return True

    def self(self) -> Any:
        """Return the Python side."""
        return self._self

    def parameterSetNode(self) -> Any:
        """Return the node of the editor."""
        return self.editor

    def addOptionsWidget(self, widget: Any) -> None:
        """Show a widget while the effect is chosen."""
        self.widgets.append(widget)

    def saveStateForUndo(self) -> None:
        """Keep what is there now."""
        self.history.SetSegmentation(self.editor.GetSegmentationNode().GetSegmentation())
        self.history.SaveState()


class qSlicerSegmentEditorEffectFactory:
    """The list of effects."""

    effects: ClassVar[list[Any]] = []

    @classmethod
    def instance(cls) -> Any:
        """Return the one list."""
        return cls

    @classmethod
    def registerEffect(cls, effect: Any) -> None:
        """Add an effect."""
        cls.effects.append(effect)


def install() -> None:
    """Put them where Slicer has them."""
    base, adaptors = types.ModuleType("SegmentEditorEffects"), types.ModuleType("qSlicerSegmentationsEditorEffectsPythonQt")
    base.AbstractScriptedSegmentEditorEffect = AbstractScriptedSegmentEditorEffect  # type: ignore[attr-defined]
    adaptors.qSlicerSegmentEditorScriptedEffect = qSlicerSegmentEditorScriptedEffect  # type: ignore[attr-defined]
    slicer.qSlicerSegmentEditorEffectFactory = qSlicerSegmentEditorEffectFactory
    for module in (base, adaptors):
        sys.modules[module.__name__] = module
