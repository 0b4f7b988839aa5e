"""The layers a pair arrives in: nuclei first, then their image, tile by tile; several tiles are one stack.

A layer is made when its first tile comes, so that nothing black covers what is there. What the user removed meanwhile takes no
more tiles; the job's result is in the history all the same.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import napari
import numpy as np
from napari.layers import Image, Labels, Layer

from medsynth_core.protocol import OutputInfo
from medsynth_core.volume import Volume
from napari_medsynth import layers, nuclei_look
from napari_medsynth.layers import RESULT_PREFIX, Cut
from napari_medsynth.placement import spatial_shape, transforms

IMAGE, INSTANCES = "image", "instances"


@dataclass(frozen=True, eq=False)
class Ground:
    """What pairs lie on: the cut of the layer with the nuclei given and that layer, None for new fields.

    `outputs` are those that get a layer: nuclei that are painted as they are have one already.
    """

    cut: Cut | None = None
    under: weakref.ref[Labels] | None = None
    outputs: tuple[str, ...] = (IMAGE, INSTANCES)


class Pair:
    """One job's layers in the viewer; `visible` shows and hides them together."""

    def __init__(self, viewer: napari.Viewer, ground: Ground, title: str, seed: int) -> None:
        self._viewer, self._ground, self._title, self._seed = viewer, ground, title, seed
        self._announced: dict[str, OutputInfo] = {}
        self._made: dict[str, Layer] = {}
        self._tiles: dict[str, set[int]] = {IMAGE: set(), INSTANCES: set()}

    @property
    def image(self) -> Image | None:
        """The image, None while there is none in the viewer."""
        return self._present(IMAGE)

    @property
    def instances(self) -> Labels | None:
        """The nuclei, None while there are none in the viewer."""
        return self._present(INSTANCES)

    @property
    def visible(self) -> bool:
        """Whether its layers are shown."""
        return any(layer.visible for layer in self.layers)

    @visible.setter
    def visible(self, shown: bool) -> None:
        for layer in self.layers:
            layer.visible = shown

    @property
    def layers(self) -> list[Layer]:
        """Its layers that are in the viewer."""
        return [layer for layer in self._made.values() if layer in self._viewer.layers]

    def announce(self, output: OutputInfo) -> None:
        """Know what will come."""
        if output.name in self._ground.outputs:
            self._announced[output.name] = output

    def drop(self, output: str, z: int, pixels: np.ndarray) -> None:
        """Put tile z (channel, y, x) of an output in its place."""
        info = self._announced.get(output)
        if info is None:
            return
        layer = self._made.get(output)
        if layer is None:
            layer = self._made[output] = self._add(info)
        self._tiles[output].add(z)
        if layer not in self._viewer.layers:
            return
        plane = np.moveaxis(pixels, 0, -1) if output == IMAGE else pixels[0]
        if info.shape[1] > 1:
            layer.data[z] = plane
        else:
            layer.data[...] = plane if self._ground.cut is None else layers.put_back(plane, self._ground.cut)
        layer.refresh(highlight=False, extent=False)

    def finish(self, recipe: Mapping[str, Any]) -> None:
        """Write what repeats the pair into its layers."""
        for layer in self.layers:
            layer.metadata["medsynth"] = {**layer.metadata["medsynth"], **recipe}

    def cut_short(self) -> None:
        """Keep the tiles that are whole; without one, nothing."""
        whole = min(len(self._tiles[name]) for name in self._ground.outputs)
        for layer in self.layers:
            if not whole:
                self._viewer.layers.remove(layer)
            elif spatial_shape(layer)[0] > whole and layer.ndim == 3:
                layer.data = layer.data[:whole]

    def _present(self, output: str) -> Any:
        layer = self._made.get(output)
        return layer if layer is not None and layer in self._viewer.layers else None

    def _add(self, info: OutputInfo) -> Layer:
        """Add the layer of an output: the image under the nuclei, both under the layer the nuclei were given in."""
        layer = self._labels(info) if info.name == INSTANCES else self._image(info)
        listed, given = self._viewer.layers, self._ground.under() if self._ground.under else None
        above = self.instances if info.name == IMAGE and self.instances is not None else given
        active = listed.selection.active
        listed.insert(listed.index(above) if above in listed else len(listed), layer)
        if active in listed:
            listed.selection.active = active
        return layer

    def _name(self, output: str) -> str:
        return f"{RESULT_PREFIX} {self._title} · seed {self._seed}" + (" nuclei" if output == INSTANCES else "")

    def _image(self, info: OutputInfo) -> Image:
        name, metadata, cut = self._name(IMAGE), {"synthetic": True, "output": IMAGE}, self._ground.cut
        empty = np.zeros(info.shape, np.uint8)
        if cut is not None:
            return layers.result_layer(Volume(empty, np.array(info.affine)), cut, name, metadata)
        shape = info.shape[1:] if info.shape[1] > 1 else info.shape[2:]
        return Image(np.zeros((*shape, 3), np.uint8), rgb=True, name=name, metadata={"medsynth": metadata})

    def _labels(self, info: OutputInfo) -> Labels:
        like = self._image(OutputInfo(IMAGE, "image", (3, *info.shape[1:]), "uint8", info.affine))
        metadata = {"medsynth": {"synthetic": True, "output": INSTANCES}}
        labels = Labels(
            np.zeros(spatial_shape(like), np.uint16),
            name=self._name(INSTANCES),
            metadata=metadata,
            **transforms(like),
        )
        nuclei_look.dress(labels)
        nuclei_look.outline(labels)
        return labels
