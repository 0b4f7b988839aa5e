"""Slicer's own segment editor inside the panel: painting needs no other module.

It has an editor node of its own, so the Segment Editor module keeps what it was doing; the panel chooses segments and volume.
"""

from __future__ import annotations

from typing import Any

import slicer

from MedSynthLib.review import STATES

TAG = "MedSynth"
BRUSH = "Paint"


class Editor:
    """Drives a qMRMLSegmentEditorWidget."""

    def __init__(self, widget: Any) -> None:
        self._widget = widget
        self._shown: tuple[Any, Any] = (None, None)
        self._entered = False
        widget.setMaximumNumberOfUndoStates(STATES)
        widget.setSegmentationNodeSelectorVisible(False)
        widget.setSourceVolumeNodeSelectorVisible(False)

    def show(self, mask: Any, image: Any) -> None:
        """Edit the segments `mask` over the volume `image`, nothing when either is None or no longer in the scene."""
        wanted = tuple(node if node is not None and node.GetScene() is not None else None for node in (mask, image))
        if wanted == self._shown:
            return
        self._shown = (wanted[0], wanted[1])
        self._widget.setMRMLSegmentEditorNode(_editor_node())  # before the scene, so that what the scene selects is kept there
        self._widget.setMRMLScene(slicer.mrmlScene)
        self._widget.setSegmentationNode(wanted[0])
        self._widget.setSourceVolumeNode(wanted[1])

    def take_brush(self) -> None:
        """Choose the brush: the next stroke paints."""
        if self._shown[0] is not None:
            self._widget.setActiveEffectByName(BRUSH)

    def enter(self) -> None:
        """The module is shown: strokes in the views and the editor's keys are ours."""
        if not self._entered:
            self._entered = True
            self._widget.setupViewObservations()
            self._widget.installKeyboardShortcuts()
            self._widget.updateWidgetFromMRML()

    def leave(self) -> None:
        """Another module is shown: the views and the keys are its own again. May be called twice."""
        if self._entered:
            self._entered = False
            self._widget.setActiveEffect(None)
            self._widget.uninstallKeyboardShortcuts()
            self._widget.removeViewObservations()

    def forget(self) -> None:
        """Let go of all nodes, before the scene is closed."""
        self._shown = (None, None)
        self._widget.setActiveEffect(None)
        self._widget.setSegmentationNode(None)
        self._widget.setSourceVolumeNode(None)

    def save_state(self, segmentation: Any) -> None:
        """Let the editor's own Undo bring back what is there now, if these segments are the ones it edits."""
        if segmentation is not None and segmentation is self._shown[0]:
            self._widget.saveStateForUndo()


def _editor_node() -> Any:
    """Return the node that remembers this editor's state in the scene, made if need be: closing the scene takes it away."""
    scene = slicer.mrmlScene
    node = scene.GetSingletonNode(TAG, "vtkMRMLSegmentEditorNode")
    if node is None:
        node = scene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
        node.UnRegister(None)
        node.SetSingletonTag(TAG)
        node = scene.AddNode(node)
    return node
