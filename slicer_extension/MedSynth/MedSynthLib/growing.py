"""Volumes that grow slice by slice: a node each, made once at full size, written in place, redrawn ten times a second at most.

A node that was deleted, also by closing the scene, is left alone: the result stays in the history. Labels grow into a
segmentation whose segments share one label map on the grid of the volume.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import slicer

from medsynth_core.protocol import LabelInfo, OutputInfo
from MedSynthLib import conversion, number_colors
from MedSynthLib.growing_segments import GrowingSegments

REDRAW_S = 0.1
REDRAW_RENDERED_S = 0.5
"""A volume that is rendered in 3-D is uploaded anew each time."""
RECIPE, SYNTHETIC, JOB = "MedSynth.Recipe", "MedSynth.Synthetic", "MedSynth.Job"


class _Growing(Protocol):
    node: Any

    def put(self, z: int, pixels: np.ndarray) -> None:
        """Write a slice (channel, y, x)."""

    def show(self) -> None:
        """Tell Slicer that the voxels changed."""


class GrowingVolume:
    """One image that grows; its window is fixed by its type, or by the first slice that shows something.

    More labels than a byte holds are instances, as of nuclei: they are a label map, not a segment each.
    """

    def __init__(self, output: OutputInfo, name: str) -> None:
        self.node = conversion.empty_node(output, name)
        if output.kind == "labels":
            number_colors.dress(self.node)
        self._fixed = output.dtype == "uint8"
        if self._fixed:
            conversion.fix_window(self.node, 0, 255)

    def put(self, z: int, pixels: np.ndarray) -> None:
        """Write a slice (channel, y, x)."""
        conversion.put_slice(self.node, z, pixels)
        if not self._fixed:
            low, high = np.percentile(pixels, (0.5, 99.5))
            self._fixed = bool(high > low)
            conversion.fix_window(self.node, float(low), float(high))

    def show(self) -> None:
        """Tell Slicer that the voxels changed."""
        slicer.util.arrayFromVolumeModified(self.node)


class GrowingNodes:
    """The outputs of one job. `added` is told each new node, `drawn` each redraw; `clock` counts seconds."""

    def __init__(
        self,
        name: str,
        labels: tuple[LabelInfo, ...] = (),
        added: Callable[[Any, OutputInfo], None] = lambda node, output: None,
        clock: Callable[[], float] = time.monotonic,
        drawn: Callable[[], None] = lambda: None,
    ) -> None:
        self._drawn = drawn
        self._name, self._labels, self._added, self._clock = name, labels, added, clock
        self._growing: dict[str, _Growing] = {}
        self._changed: set[str] = set()
        self._shown_at = -1e9
        self.redraws = 0
        self.arrived: dict[str, list[int]] = {}
        self.depths: dict[str, int] = {}
        """How many slices each output will have."""

    def announce(self, output: OutputInfo) -> None:
        """Make the node of an output; told again, after a restart of the worker, the node stays as it is."""
        if output.name in self._growing:
            return
        self._growing[output.name] = (
            GrowingSegments(output, self._name, self._labels)
            if output.kind == "labels" and np.dtype(output.dtype) == np.uint8
            else GrowingVolume(output, self._name if output.name == "image" else f"{self._name} {output.name}")
        )
        self.arrived[output.name], self.depths[output.name] = [], output.shape[1]
        self._added(self._growing[output.name].node, output)

    def put(self, output: str, z: int, pixels: np.ndarray) -> None:
        """Write a slice (channel, y, x) into its place; it is drawn with the next redraw."""
        growing = self._alive().get(output)
        if growing is not None:
            growing.put(z, pixels)
            self.arrived[output].append(z)
            self._changed.add(output)
            self.redraw()

    def redraw(self, last: bool = False) -> None:
        """Draw what changed, if the last time is long enough ago; `last` draws in any case."""
        pause = REDRAW_RENDERED_S if any(_is_rendered(g.node) for g in self._growing.values()) else REDRAW_S
        if not self._changed or (not last and self._clock() - self._shown_at < pause):
            return
        alive = self._alive()
        for output in self._changed & set(alive):
            alive[output].show()
        self._changed.clear()
        self._shown_at = self._clock()
        self.redraws += 1
        self._drawn()

    def note(self, facts: Mapping[str, Any], job: str) -> None:
        """Write the recipe into the nodes, as attributes that a saved scene keeps."""
        for growing in self._alive().values():
            mark(growing.node, facts, job)

    def remove(self) -> None:
        """Take all nodes out of the scene."""
        for growing in self._alive().values():
            slicer.mrmlScene.RemoveNode(growing.node)

    def nodes(self) -> dict[str, Any]:
        """Return the nodes that are still in the scene, by output."""
        return {name: growing.node for name, growing in self._alive().items()}

    def _alive(self) -> dict[str, _Growing]:
        return {name: growing for name, growing in self._growing.items() if growing.node.GetScene() is not None}


def mark(node: Any, recipe: Mapping[str, Any], job: str) -> None:
    """Write into a node what repeats it, and whether it is synthetic."""
    node.SetAttribute(RECIPE, json.dumps(dict(recipe), sort_keys=True))
    node.SetAttribute(SYNTHETIC, "true" if recipe.get("synthetic") else "false")
    node.SetAttribute(JOB, job)


def _is_rendered(node: Any) -> bool:
    count = node.GetNumberOfDisplayNodes() if node.GetScene() is not None else 0
    shown = (node.GetNthDisplayNode(n) for n in range(count))
    return any(d is not None and d.IsA("vtkMRMLVolumeRenderingDisplayNode") and d.GetVisibility() for d in shown)
