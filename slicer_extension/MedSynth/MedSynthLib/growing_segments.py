"""Labels that grow into a segmentation: one segment for each label, all in one label map that is written in place."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer

from medsynth_core.protocol import LabelInfo, OutputInfo
from medsynth_core.vocabulary import foreground
from MedSynthLib import conversion


class GrowingSegments:
    """A segmentation on the grid of an announced output; a label without a name in `labels` gets its number for one."""

    def __init__(self, output: OutputInfo, name: str, labels: tuple[LabelInfo, ...]) -> None:
        self.node = slicer.mrmlScene.AddNewNodeByClass(
            "vtkMRMLSegmentationNode", slicer.mrmlScene.GenerateUniqueName(f"{name} {output.name}")
        )
        self.node.CreateDefaultDisplayNodes()
        self._image, self._voxels = conversion.label_map(output)
        self._labels = {label.value: label for label in foreground(labels)}
        self._known: set[int] = set()
        for value in self._labels:
            self._add(value)

    def put(self, z: int, pixels: np.ndarray) -> None:
        """Write a slice (1, y, x)."""
        self._voxels[z] = pixels[0]
        for value in sorted({int(v) for v in np.unique(pixels)} - {0} - self._known):
            self._add(value)

    def show(self) -> None:
        """Tell Slicer that the voxels changed."""
        conversion.tell_changed(self.node, self._image)

    def _add(self, value: int) -> None:
        label = self._labels.get(value)
        conversion.share_label_map(self.node, self._image, value, label.name if label else f"label {value}", color_of(label))
        self._known.add(value)


def color_of(label: LabelInfo | None) -> tuple[float, float, float] | None:
    """Return a label's color as three shares, None without one: Slicer then chooses."""
    text = label.color.removeprefix("#") if label else ""
    return (int(text[:2], 16) / 255, int(text[2:4], 16) / 255, int(text[4:6], 16) / 255) if len(text) == 6 else None


def segment_ids(node: Any) -> list[str]:
    """Return the ids of a segmentation's segments, in their order."""
    return list(node.GetSegmentation().GetSegmentIDs())
