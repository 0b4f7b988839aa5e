"""A refined segmentation is looked at first: Apply writes it into the segments it was made from, as one undo state.

What was painted since is replaced, too, and Undo brings it back. Undo restores the whole segmentation, so it is refused once
somebody painted after the Apply: those strokes would be lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import qt
import slicer

from medsynth_core.errors import InputError, MedSynthError
from medsynth_core.sentences import sentence
from MedSynthLib import conversion
from MedSynthLib.applying import Applying
from MedSynthLib.rewriting import Work, rewriting

STATES = 10
"""How many Applies can be undone; each keeps a copy of the segmentation."""
GONE = "the segments this was made from are gone: the refined ones stay as they are"


@dataclass(frozen=True, eq=False)
class Sent:
    """The segments a run was given: `values` says segment id → label, on a grid of `size` (z, y, x), of slice `k` or all."""

    segmentation: Any
    values: Mapping[str, int]
    affine: np.ndarray
    size: tuple[int, int, int]
    k: int | None
    print: int


def sent(segmentation: Any, values: Mapping[str, int], grid: Any, k: int | None) -> Sent:
    """Return what is sent of a segmentation on the grid of a volume node, to know it again."""
    volume = conversion.volume_of(grid)
    return Sent(segmentation, dict(values), volume.affine, volume.size, k, conversion.fingerprint(segmentation))


class Review:
    """Dresses the three buttons `ui.applyButton`, `discardButton`, `undoButton` in `ui.reviewRow`; `say` shows a sentence.

    `saved` is told the segmentation before an Apply, so that an editor's own undo has that state, too; `written` hears that the
    segments were changed from here. With `own_undo` False the undo is left to the editor.
    """

    def __init__(
        self,
        ui: Any,
        say: Callable[[str], None],
        saved: Callable[[Any], None] = lambda segmentation: None,
        written: Callable[[], None] = lambda: None,
        own_undo: bool = True,
    ) -> None:
        self._ui, self._say = ui, say
        self._saved, self._written, self._own_undo = saved, written, own_undo
        self._sent: Sent | None = None
        self._preview: Any = None
        self._parts: dict[int, str] = {}
        self._undo: Any = None
        self._applied: tuple[Any, int] | None = None
        self._old: list[Any] = []
        self._work: Applying | None = None
        self._later, self._turns = _timer(self._clear), _timer(self._go_on)
        ui.applyButton.connect("clicked()", self.apply)
        ui.discardButton.connect("clicked()", self.discard)
        ui.undoButton.connect("clicked()", self.undo)
        self.show()

    def offer(self, preview: Any, made_of: Sent) -> None:
        """Let a person judge the refined segmentation `preview`, drawn as an outline over what it was made of."""
        self._sent, self._preview, self._work = made_of, preview, None
        if preview in self._old:  # live mode writes into the same node again, and was quicker than the next turn
            self._old.remove(preview)
            preview.SetDisplayVisibility(True)
        inside = preview.GetSegmentation()
        self._parts = {int(inside.GetSegment(segment).GetLabelValue()): segment for segment in inside.GetSegmentIDs()}
        display = preview.GetDisplayNode()
        if display is not None:
            display.SetVisibility2DFill(False)
        self.show()

    def forget(self) -> None:
        """Let go of all nodes, before the scene is closed."""
        self._clear()
        self._sent = self._preview = self._undo = self._applied = self._work = None
        self.show()

    def show(self) -> None:
        """Show what can be done now; nodes may have been deleted since."""
        if self._preview is not None and self._preview.GetScene() is None:
            self._preview = self._sent = self._work = None
        if self._applied is not None and self._applied[0].GetScene() is None:
            self._undo = self._applied = None
        self._ui.applyButton.setVisible(self._preview is not None)
        for button in (self._ui.applyButton, self._ui.discardButton, self._ui.undoButton):
            button.setEnabled(self._work is None)
        self._ui.discardButton.setVisible(self._preview is not None)
        self._ui.undoButton.setVisible(self._applied is not None)
        self._ui.reviewRow.setVisible(self._preview is not None or self._applied is not None)

    def apply(self) -> None:
        """Write the refined segments into the ones they were made from, in some turns if they are large; trouble is said."""
        self.show()
        if self._sent is None or self._preview is None or self._work is not None:
            return
        if self._sent.segmentation.GetScene() is None:
            self._say(f"{sentence(GONE)}.")
            return
        if gone := _gone(self._sent):
            self._say(gone)
            return
        self._work = Applying(self._rewriting(self._sent), self._sent.segmentation, self._preview)
        self._go_on()

    def _go_on(self) -> None:
        """Work on for a moment; what is left waits for the next turn, so that nothing else has to."""
        work = self._work
        if work is None or self._sent is None:
            return
        try:
            if self._sent.segmentation.GetScene() is None:
                raise InputError(GONE)
            put = work.go_on()
            if put is None:
                self._turns.start(0)
                self.show()
                return
            self._put(self._sent, put)
        except MedSynthError as problem:
            self._say(f"{sentence(problem)}.")
        self._work = None
        self.show()

    def _put(self, made_of: Sent, put: Callable[[], None]) -> None:
        """Put in place what is ready, as one undo state."""
        segmentation = made_of.segmentation
        painted_since = conversion.fingerprint(segmentation) != made_of.print
        self._saved(segmentation)
        undo = self._history(segmentation)
        undo.SaveState()
        try:
            with slicer.util.NodeModify(segmentation):
                put()
        except MedSynthError:
            undo.RestorePreviousState()
            raise
        if self._own_undo:
            self._undo, self._applied = undo, (segmentation, conversion.fingerprint(segmentation))
        self._written()
        self._say("What was painted meanwhile was replaced, too: Undo brings it back." if painted_since else "")
        self.discard()

    @property
    def busy(self) -> bool:
        """Whether an Apply is under way."""
        return self._work is not None

    def discard(self) -> None:
        """Take the refined segmentation out of the scene; its job stays in the list.

        It is hidden at once and removed in the next turn: to free a large one takes as long as all of Apply.
        """
        if (preview := self._preview) is not None:
            preview.SetDisplayVisibility(False)
            self._old.append(preview)
            self._later.start(0)
        self._preview = self._sent = self._work = None
        self.show()

    def _clear(self) -> None:
        """Remove what was judged, as far as the scene still has it."""
        for node in self._old:
            if node.GetScene() is not None:
                node.GetScene().RemoveNode(node)
        self._old.clear()

    def undo(self) -> None:
        """Bring back what the last Apply replaced."""
        self.show()
        if self._applied is None or self._work is not None:
            return
        segmentation, after = self._applied
        if conversion.fingerprint(segmentation) != after:
            self._say("The segments were painted on after Apply: undo that first, in the Segment Editor.")
            return
        dress = _dress_of(segmentation)
        self._undo.RestorePreviousState()
        _dress(segmentation, dress)
        self._written()
        more = self._undo.IsRestorePreviousStateAvailable()
        self._applied = (segmentation, conversion.fingerprint(segmentation)) if more else None
        self._say("")
        self.show()

    def _history(self, segmentation: Any) -> Any:
        """Return the undo states of a segmentation, those of the one before are let go."""
        if self._undo is not None and self._undo.GetSegmentation() is segmentation.GetSegmentation():
            return self._undo
        made = slicer.vtkSegmentationHistory()
        made.SetSegmentation(segmentation.GetSegmentation())
        made.SetMaximumNumberOfStates(STATES)
        return made

    def _rewriting(self, made_of: Sent) -> Callable[[], Work]:
        parts = {segment: self._parts.get(value, "") for segment, value in made_of.values.items()}
        inside = self._preview.GetSegmentation()
        kept = {segment: part for segment, part in parts.items() if not part or inside.GetSegment(part) is not None}
        # one taken out of the outline by hand is not wanted, which is not the same as empty
        where = made_of.segmentation, made_of.affine, made_of.size, made_of.k
        return lambda: rewriting(self._preview, kept, *where)


def _timer(act: Callable[[], None]) -> Any:
    timer = qt.QTimer()
    timer.setSingleShot(True)
    timer.connect("timeout()", act)
    return timer


def _gone(made_of: Sent) -> str:
    """Return what to say when a segment is there no more that was sent, empty when all are."""
    inside, name = made_of.segmentation.GetSegmentation(), made_of.segmentation.GetName()
    missing = [segment for segment in made_of.values if inside.GetSegment(segment) is None]
    return f"Segment {missing[0]!r} is gone from {name}: it cannot be refined any more." if missing else ""


def _dress_of(segmentation: Any) -> dict[str, tuple[str, tuple[float, float, float]]]:
    """Return name and color of each segment: undo brings back voxels, not what was renamed since."""
    inside = segmentation.GetSegmentation()
    parts = {segment: inside.GetSegment(segment) for segment in inside.GetSegmentIDs()}
    return {segment: (part.GetName(), part.GetColor()) for segment, part in parts.items()}


def _dress(segmentation: Any, dress: Mapping[str, tuple[str, tuple[float, float, float]]]) -> None:
    for segment, (name, color) in dress.items():
        part = segmentation.GetSegmentation().GetSegment(segment)
        if part is not None:
            part.SetName(name)
            part.SetColor(*color)
