"""What live runs made, in the scene: one node for each output, written anew in place, so that nothing flickers or piles up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import slicer

from medsynth_core.protocol import OutputInfo
from medsynth_core.run import Made
from MedSynthLib import inputs, results
from MedSynthLib.growing import GrowingNodes
from MedSynthLib.live_subject import Subject
from MedSynthLib.review import Review

LIVE, IMAGE = "live", "image"


class LivePreview:
    """The nodes of live mode. Refined segments go on to `review`, where Apply writes them into the user's."""

    def __init__(self, review: Review) -> None:
        self._review = review
        self._growing: GrowingNodes | None = None
        self._outputs: tuple[OutputInfo, ...] = ()
        self._title = ""
        """What the result is called once it is pinned, empty for an outline."""

    def present(self, made: Made, subject: Subject, arrived: Mapping[str, tuple[OutputInfo, dict[int, np.ndarray]]]) -> None:
        """Show what a run gave: `arrived` says output → what it is, and slice z → pixels (channel, y, x)."""
        if any(node is not None and node.GetScene() is None for node in (subject.source,)):
            return  # deleted meanwhile: the result stays in the history
        wanted = {name: parts for name, parts in arrived.items() if subject.sent is None or name == inputs.MAIN_LABELS}
        growing = self._nodes_for(tuple(info for info, _ in wanted.values()), subject)
        for name, (info, pixels) in wanted.items():
            growing.announce(info)
            for z, plane in pixels.items():
                growing.put(name, z, plane)
        growing.redraw(last=True)
        growing.note(made.recipe, made.job)
        preview = growing.nodes().get(inputs.MAIN_LABELS)
        if subject.sent is not None and preview is not None:
            self._review.offer(preview, subject.sent)

    @property
    def can_pin(self) -> bool:
        """Whether there is a result of its own, not an outline that is to be applied."""
        return bool(self.nodes()) and self._title != ""

    def pin(self) -> None:
        """Let what is shown be a result like any other: the next stroke makes a new one beside it."""
        for output, node in self.nodes().items() if self.can_pin else ():
            title = self._title if output == IMAGE else f"{self._title} {output}"
            node.SetName(slicer.mrmlScene.GenerateUniqueName(title))
        self.forget()

    def clear(self) -> None:
        """Take the nodes out of the scene."""
        for node in self._growing.nodes().values() if self._growing is not None else ():
            node.GetScene().RemoveNode(node)
        self.forget()

    def forget(self) -> None:
        """Let go of the nodes; they stay where they are."""
        self._growing, self._outputs, self._title = None, (), ""

    def nodes(self) -> dict[str, Any]:
        """Return the nodes that are shown, by output."""
        return self._growing.nodes() if self._growing is not None else {}

    def _nodes_for(self, outputs: tuple[OutputInfo, ...], subject: Subject) -> GrowingNodes:
        """Return the nodes there are if they fit, new ones if the slice, the engine or the labels are other ones."""
        if self._growing is not None and outputs == self._outputs and len(self._growing.nodes()) == len(outputs):
            return self._growing
        self.clear()
        source = subject.source
        title = results.name_for(subject.engine, source)
        name = f"{title} {LIVE}"
        self._outputs, self._title = outputs, title if subject.sent is None else ""
        self._growing = GrowingNodes(name, subject.labels, lambda node, output: results.present(node, output, source))
        return self._growing
