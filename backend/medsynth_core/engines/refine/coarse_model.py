"""A trained coarse network in memory, its folder on disk, and the way of an image through it.

    image (C, y, x) ──on_grid──▶ (C, 128, 128) ──network──▶ probability ──enlarged, then cut at 1/2──▶ labels (y, x)

Enlarging the probability, not the labels, gives a smooth boundary where an image is finer than the network's grid.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from diffusers import ModelMixin
from torch.nn import functional

from medsynth_core import __version__
from medsynth_core.engines.refine import coarse_network
from medsynth_core.engines.refine.coarse_network import CoarseNetwork
from medsynth_core.errors import ModelError, ShapeError
from medsynth_core.imaging.preprocess import FloatImage, resized
from medsynth_core.models.folder import verify, write_json
from medsynth_core.protocol import ModelCard
from medsynth_core.vocabulary import foreground

CLASS_NAME = "CoarseSegmenter"
PART = "segmenter"


class CoarseMask(NamedTuple):
    """labels (y, x) uint8 and probability (K, y, x) float32, one channel for each foreground label of the card, in its order."""

    labels: npt.NDArray[np.uint8]
    probability: FloatImage


@dataclass(frozen=True)
class CoarseModel:
    """The network ready to run on `device`, in evaluation mode, 32 bit on the CPU."""

    network: CoarseNetwork
    card: ModelCard
    device: str = "cpu"

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> CoarseModel:
        """Return the model of a verified folder. Raises ModelTamperedError, ModelTooNewError or ModelError."""
        card = verify(folder)
        index = json.loads((folder / "model_index.json").read_text("utf-8"))
        if index.get("_class_name") != CLASS_NAME:
            raise ModelError(f"model {card.id} is not a coarse network: its model_index.json names {index.get('_class_name')}")
        network = CoarseNetwork.from_pretrained(folder / PART, torch_dtype=torch.float32, low_cpu_mem_usage=False)
        if (network.config.image_channels, network.config.labels) != (card.channels, len(foreground(card.labels))):
            raise ModelError(f"the card of model {card.id} has other channels or labels than its network: get the model again")
        return cls(network.to(device).eval(), card, device)

    @torch.inference_mode()
    def draw(self, image: FloatImage) -> CoarseMask:
        """Return the mask of a slice (C, y, x) in [−1, 1], normalized by `percentile_normalized` as the training images were.

        Raises ShapeError for an image of other channels than the model's.
        """
        if image.ndim != 3 or 0 in image.shape:
            raise ShapeError(f"image is {image.shape}: it must be one slice (channel, y, x)")
        if len(image) != self.card.channels:
            raise ShapeError(
                f"image has {len(image)} channel{'s' * (len(image) > 1)}, coarse model {self.card.id} sees {self.card.channels}: "
                f"choose a coarse model for {'grey' if len(image) == 1 else 'color'} images, or draw the mask yourself"
            )
        on_model = torch.from_numpy(on_grid(image, self.card.size))[None].to(self.device)
        probability = self.network(on_model).sigmoid()
        size = image.shape[1:]
        if size != probability.shape[2:]:
            probability = functional.interpolate(probability, size=size, mode="bicubic", antialias=True).clamp(0, 1)
        shares = probability[0].cpu().numpy()
        return CoarseMask(_labels(shares, self.card), shares)


def on_grid(image: FloatImage, size: tuple[int, int]) -> FloatImage:
    """Return an image (C, y, x) on the network's grid, (C, *size): the one way there, in training and at work."""
    return resized(image[:, None], size)[:, 0]


def save_coarse(network: ModelMixin, folder: Path) -> None:
    """Write the network in half precision and the diffusers index beside it."""
    copy.deepcopy(network).half().save_pretrained(folder / PART)
    index = {
        "_class_name": CLASS_NAME,
        "_medsynth_version": __version__,
        PART: [coarse_network.__name__, CoarseNetwork.__name__],
    }
    write_json(folder / "model_index.json", index)


def _labels(probability: FloatImage, card: ModelCard) -> npt.NDArray[np.uint8]:
    values = np.array([label.value for label in foreground(card.labels)], dtype=np.uint8)
    likeliest = values[probability.argmax(axis=0)]
    return np.where(probability.max(axis=0) >= 0.5, likeliest, 0).astype(np.uint8)
