"""A folder of a tumor model with small random networks and a prior of a few made-up patients; and what a run of it gave."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from medsynth_core.engines._base import EngineEvent, Note, Progress, Slice
from medsynth_core.engines.tumor.autoencoder import PATCH, SliceAutoencoder
from medsynth_core.engines.tumor.model import save_model
from medsynth_core.engines.tumor.network import SlabNetwork
from medsynth_core.engines.tumor.prior import Prior
from medsynth_core.engines.tumor.shape import TumorShape, surface_of
from medsynth_core.engines.tumor.style import Head, Style
from medsynth_core.models.folder import finish_folder
from medsynth_core.protocol import LabelInfo, ModelCard, OutputInfo
from medsynth_core.volume import Volume

CARD = ModelCard(
    id="toy-tumor",
    title="Toy",
    engine="tumor",
    channels=1,
    size=(128, 128),
    labels=(LabelInfo(1, "tumor", "#e45756"),),
    license="none",
    data="random weights",
)


def write_tumor_model(folder: Path) -> Path:
    """Write a model folder with random weights and return it."""
    torch.manual_seed(0)
    autoencoder, network = SliceAutoencoder((8, 16)), SlabNetwork((16, 48), depth=1)
    _shake(network)
    _thin(autoencoder)
    save_model(autoencoder, network, toy_prior(), folder)
    finish_folder(folder, CARD)
    return folder


def toy_prior() -> Prior:
    """Return what twelve patients are like that nobody ever saw."""
    rng = np.random.default_rng(0)
    shapes, styles = [], []
    for _ in range(12):
        diameter = float(rng.uniform(24, 48))
        volume, sphericity = 0.5 * diameter**3 / 1e3, float(rng.uniform(0.6, 0.8))
        center = (float(rng.uniform(20, 35)), float(rng.uniform(-20, 20)), float(rng.uniform(-15, 15)))
        shapes.append(TumorShape(volume, surface_of(volume, sphericity), sphericity, center, (diameter,) * 3))
        styles.append(Style((0.2, 0.4, 0.5, 0.8), Head((0.0, 0.0, 0.0), (70.0, 85.0, float(rng.uniform(65, 75))))))
    return Prior.fit(shapes, styles, [float(v) for v in rng.uniform(2, 7, 12)], [36] * 12)


def _shake(network: nn.Module) -> None:
    """Layers that start at 0 would make every slice blind to its neighbors."""
    with torch.no_grad():
        for values in network.parameters():
            if not bool(values.any()):
                values.normal_(0, 0.05)


def _thin(autoencoder: SliceAutoencoder) -> None:
    """Make tumor rare: a mask of noise has more surface than a test has time to measure."""
    last = autoencoder.decoder[-1]
    assert isinstance(last, nn.Conv2d)
    assert last.bias is not None
    with torch.no_grad():
        last.bias[PATCH**2 :] -= 0.6


class Grown:
    """All that one run of the engine yielded."""

    def __init__(self, events: list[EngineEvent]) -> None:
        self.events = events
        self.outputs = {event.name: event for event in events if isinstance(event, OutputInfo)}
        self.made = [event for event in events if isinstance(event, Slice)]
        self.progress = [event for event in events if isinstance(event, Progress)]
        self.notes = {event.key: event.value for event in events if isinstance(event, Note)}

    @property
    def last(self) -> dict[tuple[str, int], bytes]:
        """The bytes of each slice, as it was given last."""
        return {(event.output, event.z): event.array.tobytes() for event in self.made}

    def volume(self, output: str) -> np.ndarray:
        """An output (channel, z, y, x) as it was given last."""
        info = self.outputs[output]
        array = np.zeros(info.shape, info.dtype)
        for event in self.made:
            if event.output == output:
                array[:, event.z] = event.array
        return array

    def order(self, output: str) -> list[int]:
        """The slices of an output in the order they were given."""
        return [event.z for event in self.made if event.output == output]


Grow = Callable[..., Grown]
LESION: dict[str, Any] = {
    "place": "given",
    "center_x_mm": -28.0,
    "center_y_mm": 8.0,
    "center_z_mm": 4.0,
    "extent_x_mm": 30.0,
    "extent_y_mm": 30.0,
    "extent_z_mm": 30.0,
    "volume_ml": 13.0,
}


def head(slices: int, side: int, order: tuple[int, int, int] = (0, 1, 2), dtype: str = "uint8") -> Volume:
    """A head of 140 × 170 × 140 mm in black, origin in its middle; array axis i is the world's `order[i]` of (z, y, x)."""
    sizes, steps = (slices, side, side), (140 / slices, 220 / side, 220 / side)
    axes = [(np.arange(n) - (n - 1) / 2) * step for n, step in zip(sizes, steps, strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    inside = (x / 70) ** 2 + (y / 85) ** 2 + (z / 68) ** 2 < 1
    texture = 100 + 40 * np.sin(x / 9) * np.cos(y / 11) + 20 * np.sin(z / 8)
    array = np.where(inside, texture, 0).astype(dtype)
    affine = np.eye(4)
    for column, axis in enumerate(reversed(order)):  # voxel x, y, z are the array's last, middle and first axis
        affine[:3, column] = 0
        affine[2 - axis, column] = steps[axis] * (1 if axis == 0 else -1)
    volume = array.transpose(order)[None]
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(volume.shape[:0:-1]) - 1) / 2)
    return Volume(volume, affine)
