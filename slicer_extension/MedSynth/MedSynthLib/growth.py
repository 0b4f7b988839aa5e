"""What one run makes in the scene while it runs and when it ends: nodes, ruler, uncertainty, a result stopped half-way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from medsynth_core.growth_words import unfinished
from medsynth_core.protocol import LabelInfo, OutputInfo
from medsynth_core.run import Ending, Run, RunRequest
from MedSynthLib import results
from MedSynthLib.growing import GrowingNodes
from MedSynthLib.partial_row import PartialRow
from MedSynthLib.ruler import Ruler
from MedSynthLib.uncertainty import Uncertainty

Post = Callable[[Callable[[], None]], None]


class Growth:
    """Dresses `ui.growthRow` and what is in it. `resume` is told a request that goes on; `post`: see `Uncertainty`."""

    def __init__(self, ui: Any, resume: Callable[[RunRequest], None], post: Post) -> None:
        self._ui = ui
        self._source: Any = None
        self.nodes: GrowingNodes | None = None
        self.ruler = Ruler(ui)
        self.doubt = Uncertainty(ui, post)
        self.partial = PartialRow(ui, resume, self._drop)
        ui.growthRow.setVisible(False)

    def begin(self, name: str, labels: tuple[LabelInfo, ...], source: Any) -> None:
        """Let a new result grow, beside `source` if there is one; what was kept of the one before stays as it is."""
        self._source = source
        self.partial.withdraw()
        self._ui.growthRow.setVisible(False)
        self.nodes = GrowingNodes(name, labels, self._added, drawn=self._drawn)

    def announce(self, output: OutputInfo) -> None:
        """Make the node of an output, at full size."""
        if self.nodes is not None:
            self.nodes.announce(output)

    def put(self, output: str, z: int, pixels: np.ndarray) -> None:
        """Put a slice in its place."""
        if self.nodes is not None:
            self.nodes.put(output, z, pixels)

    def note(self, recipe: Mapping[str, Any], job: str) -> None:
        """Write the recipe into the nodes."""
        if self.nodes is not None:
            self.nodes.note(recipe, job)

    def end(self, run: Run, ending: Ending, synthetic: bool) -> None:
        """Draw what is left to draw; offer what can be done with a result that is not whole."""
        if self.nodes is None:
            return
        self.nodes.redraw(last=True)
        if ending is Ending.DONE:
            self.doubt.take(self.nodes.nodes().get(results.UNCERTAINTY))
            return
        standing = run.standing or run.request.goes_on
        if standing is not None and any(self.nodes.arrived.values()) and self.nodes.nodes():
            first = next(iter(self.nodes.arrived.values()))
            self.note(unfinished({"synthetic": synthetic, **run.recipe}, standing.job, first), standing.job)
            self._ui.growthRow.setVisible(True)
            self.partial.offer(replace(run.request, inputs={}, goes_on=standing, again=None))
        else:
            self._drop()

    def look(self) -> None:
        """Follow what changed in the scene meanwhile."""
        self.ruler.look()
        self.doubt.show()
        if self.partial.request is not None and self.nodes is not None and not self.nodes.nodes():
            self.partial.withdraw()

    def forget(self) -> None:
        """Let go of all nodes, before the scene is closed."""
        self.partial.withdraw()
        self.ruler.forget()
        self.doubt.forget()
        self._ui.growthRow.setVisible(False)

    def _added(self, node: Any, output: OutputInfo) -> None:
        results.present(node, output, self._source)

    def _drawn(self) -> None:
        """Show which slices are there; a single one needs no ruler. Views go to the slices of a volume, segments have none."""
        if self.nodes is None:
            return
        volumes = {name: node for name, node in self.nodes.nodes().items() if node.IsA("vtkMRMLVolumeNode")}
        name = next(iter([*volumes, *self.nodes.depths]))
        depth = self.nodes.depths[name]
        self._ui.growthRow.setVisible(depth > 1)
        if depth > 1:
            self.ruler.show(volumes.get(name), self.nodes.arrived[name], depth)

    def _drop(self) -> None:
        self._ui.growthRow.setVisible(False)
        self.ruler.forget()
        if self.nodes is not None:
            self.nodes.remove()
