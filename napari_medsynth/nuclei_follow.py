"""From the hand to the image: edits of the mouse wait until the engine is free, are made anew, and can be taken back."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import napari
import numpy as np
from napari.layers import Image, Labels

from medsynth_core.errors import MedSynthError
from medsynth_core.lamp import Lamp
from medsynth_core.run import Made
from medsynth_core.sentences import sentence
from napari_medsynth.message_panel import Message
from napari_medsynth.nuclei_desk import NucleiDesk
from napari_medsynth.nuclei_edit import NucleusEditor
from napari_medsynth.nuclei_panel import NucleiPanel
from napari_medsynth.nuclei_repaint import Edit, Repaints, digest, plane_of

NO_IMAGE = "The nuclei are edited, but there is no image of them yet: Paint these makes one."
STOPPED = "The image does not show the last edit yet."
AGAIN = "Make it anew"


class Follow:
    """Keeps image and nuclei together. It calls `ready` when there is an edit to be made and `trouble` with what cannot be done.

    `making` is the edit under way; those in `waiting` come after it.
    """

    def __init__(
        self,
        viewer: napari.Viewer,
        panel: NucleiPanel,
        desk: NucleiDesk,
        editor: NucleusEditor,
        ready: Callable[[], None],
        trouble: Callable[[MedSynthError], None],
    ) -> None:
        self._viewer, self._panel, self._desk, self._editor = viewer, panel, desk, editor
        self._ready, self._trouble = ready, trouble
        self._repaints = Repaints(viewer)
        self.waiting: list[Edit] = []
        self.making: Edit | None = None
        panel.hand.tool_wanted.connect(self._tool_wanted)
        panel.hand.undo_wanted.connect(self.undo)
        editor.tool_changed.connect(lambda tool: panel.hand.show_tool("" if tool is None else str(tool)))
        editor.refused.connect(lambda text: self._warn(f"{sentence(text)}."))
        editor.edited.connect(self._edited)
        desk.changed.connect(self.look)

    def next_edit(self) -> Edit | None:
        """Return the edit that is to be made now, None if nothing waits; one that was taken back meanwhile does not."""
        self.waiting = [edit for edit in self.waiting if edit.mask in self._viewer.layers and edit.now != edit.before]
        self.making = self.waiting.pop(0) if self.waiting else None
        return self.making

    def made(self, made: Made) -> None:
        """Put what was made into the image, unless the edit was taken back meanwhile or its image is gone."""
        edit = self.making
        if edit is None or edit.now == edit.before or edit.image not in self._viewer.layers:
            return
        recipe = {**made.recipe, "job": made.job, "seed": made.seed, "synthetic": True}
        target = self._repaints.write(edit, made.volume, recipe)
        if target != edit.image:  # a copy of a real one: from now on it is what is edited
            later = [e for e in self.waiting if e.image == edit.image]
            self.waiting = [dataclasses.replace(e, image=target) if e in later else e for e in self.waiting]
            self._desk.edit_in(target)

    def ended(self, done: bool) -> None:
        """The run has ended; an edit that was not made waits again."""
        edit, self.making = self.making, None
        if edit is not None and not done:
            self.waiting.insert(0, edit)
            if not self._panel.message.text or self._panel.message.text.startswith("Cancelled"):
                self._panel.message.show_message(Message(Lamp.AMBER, STOPPED, AGAIN, self._ready))
        self.look()

    def undo(self) -> None:
        """Take the last edit back, in nuclei and image."""
        try:
            if self.waiting or self.making is not None:
                edit = self.waiting[-1] if self.waiting else self.making
                assert edit is not None
                edit.take_back()
                self.waiting = self.waiting[:-1]
                self._panel.message.clear()
            else:
                self._repaints.undo()
        except MedSynthError as problem:
            self._trouble(problem)
        self.look()

    def look(self) -> None:
        """Let the image follow an undo or a redo of the nuclei, and show what can be taken back."""
        if self.making is None and not self.waiting:
            self._repaints.follow()
        undone = self.making is not None and self.making.now == self.making.before
        count = self._repaints.count + len(self.waiting) + (self.making is not None and not undone)
        self._panel.hand.show_undo(count)

    def _tool_wanted(self, tool: str) -> None:
        """Take a tool: it works on the nuclei that are picked, which have a number each."""
        if not tool:
            self._editor.set_tool(None)
            return
        mask = self._desk.mask
        if mask is None:
            self._panel.hand.show_tool("")
            self._warn("There are no nuclei to edit: make a field, or paint some.")
            return
        self._viewer.layers.selection.active = mask
        try:
            self._desk.recount()
            self._desk.give_numbers()
            self._editor.set_tool(tool)
        except MedSynthError as problem:
            self._panel.hand.show_tool("")
            self._trouble(problem)

    def _edited(self, layer: Labels, before: np.ndarray, region: np.ndarray, z: int) -> None:
        self._desk.pick(layer)
        image: Image | None = self._desk.image
        if image is None:
            self._warn(NO_IMAGE)
            return
        if not region.any() or self._repaints.went_back(layer, digest(before)):
            return
        cut = plane_of(layer, z)
        edit = Edit(layer, image, cut, region, digest(before), b"")
        edit = dataclasses.replace(edit, after=edit.now)
        if self.waiting and self.waiting[-1].belongs(edit):
            self.waiting[-1] = self.waiting[-1].joined(edit)
        else:
            self.waiting.append(edit)
        self.look()
        self._ready()

    def _warn(self, text: str) -> None:
        self._panel.message.show_message(Message(Lamp.AMBER, text))
