"""The outline of the nucleus in the hand: a layer of lines over all others, so that no labels are drawn anew while it moves."""

from __future__ import annotations

import napari
import numpy as np
from napari.layers import Labels, Vectors
from skimage.measure import find_contours

from medsynth_core.nuclei_edits import Mask
from napari_medsynth.layers import Cut
from napari_medsynth.placement import spatial_shape, transforms

NAME = "Nucleus in hand"
COLOR = "#f0e442"
"""Yellow (Okabe and Ito): it stands out from the pink and violet of a stained tissue, for every kind of color vision."""
WIDTH_PX = 3.5
"""How wide the line is on the screen, whatever the zoom."""


class Outline:
    """At most one layer; it is added when there is something to show, and taken away by `close`."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._layer: Vectors | None = None
        self._lines = np.zeros((0, 2, 2))

    @property
    def layer(self) -> Vectors | None:
        """The layer, None while there is none; the user may have removed it."""
        return self._layer if self._layer in self._viewer.layers else None

    @property
    def shown(self) -> bool:
        """Whether an outline is seen."""
        return self.layer is not None and bool(self.layer.visible) and len(self.layer.data) > 0

    def show(self, labels: Labels, cut: Cut, nucleus: Mask) -> None:
        """Draw the outline of a nucleus (y, x) that lies on a plane of `labels`."""
        self._lines = _on_plane(contour(nucleus), cut)
        layer = self.layer
        if layer is None or layer.ndim != labels.ndim:
            self.close()
            layer = self._added(labels)
        for name, value in transforms(labels).items():
            if not np.array_equal(getattr(layer, name), value):
                setattr(layer, name, value)
        layer.data = self._lines
        layer.edge_width = _width(self._viewer, labels)
        layer.visible = True
        if self._viewer.layers[-1] != layer:
            self._viewer.layers.move(self._viewer.layers.index(layer), len(self._viewer.layers))

    def shift(self, dy: int, dx: int) -> None:
        """Draw it (dy, dx) pixels from where it was shown."""
        if (layer := self.layer) is not None:
            lines = self._lines.copy()
            lines[:, 0, -2:] += (dy, dx)
            layer.data = lines

    def hide(self) -> None:
        """Draw nothing."""
        if (layer := self.layer) is not None and layer.visible:
            layer.visible = False

    def close(self) -> None:
        """Take the layer away; may be called twice."""
        layer, self._layer = self.layer, None
        if layer is not None:
            self._viewer.layers.remove(layer)

    def _added(self, labels: Labels) -> Vectors:
        """Add a layer without taking another one out of the user's hand."""
        active = self._viewer.layers.selection.active
        self._layer = Vectors(
            self._lines,
            ndim=labels.ndim,
            name=NAME,
            edge_color=COLOR,
            vector_style="line",
            opacity=1.0,
            metadata={"medsynth": {"part": "outline"}},
            **transforms(labels),
        )
        self._viewer.add_layer(self._layer)
        if active in self._viewer.layers:
            self._viewer.layers.selection.active = active
        return self._layer


def contour(nucleus: Mask) -> np.ndarray:
    """Return the outline of a mask (y, x) as lines (n, 2, 2): where each begins, and its vector, in pixels."""
    ys, xs = np.nonzero(nucleus)
    if not ys.size:
        return np.zeros((0, 2, 2))
    corner = np.array([ys.min(), xs.min()])
    small = np.pad(nucleus[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1], 1)  # it closes at the edge of the field, too
    rings = [ring + corner - 1 for ring in find_contours(small.astype(float), 0.5)]
    return np.concatenate([np.stack([ring[:-1], np.diff(ring, axis=0)], axis=1) for ring in rings])


def _on_plane(lines: np.ndarray, cut: Cut) -> np.ndarray:
    """Return lines (n, 2, 2) of a plane as those (n, 2, ndim) of its layer."""
    placed = np.zeros((len(lines), 2, len(cut.index)))
    placed[:, 0] = [0 if i is None else i for i in cut.index]
    placed[..., cut.axes] = lines
    return placed


def _width(viewer: napari.Viewer, labels: Labels) -> float:
    """Return how many pixels of the layer are WIDTH_PX on the screen; never more than the field is wide."""
    pixel = float(np.mean(np.abs(labels.scale[-2:]) * np.linalg.norm(labels.affine.affine_matrix[:-1, :-1], axis=0)[-2:]))
    return min(WIDTH_PX / (viewer.camera.zoom * pixel), float(max(spatial_shape(labels))))
