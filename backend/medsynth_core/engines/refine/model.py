"""A trained refiner in memory, and its folder on disk."""

from __future__ import annotations

import copy
import functools
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from medsynth_core import __version__
from medsynth_core.engines.refine import network
from medsynth_core.engines.refine.network import ImageEncoder, MaskNetwork
from medsynth_core.engines.refine.processes import DISCRETE, PROCESSES, walk_discrete, walk_gaussian
from medsynth_core.engines.refine.views import COUNT, turned, turned_back
from medsynth_core.errors import ModelError
from medsynth_core.models.folder import verify, write_json
from medsynth_core.protocol import ModelCard

CLASS_NAME, COARSE_CLASS_NAME = "MaskRefiner", "CoarseSegmenter"


@dataclass(frozen=True)
class Refiner:
    """Networks ready to run on `device`, in evaluation mode, 32 bit on the CPU."""

    encoder: ImageEncoder
    masks: MaskNetwork
    card: ModelCard
    device: str = "cpu"

    @property
    def pixels(self) -> int:
        """Side of the network's grid."""
        return self.card.size[0]

    @torch.inference_mode()
    def probability(self, image: Tensor, distance: Tensor, steps: int, process: str, seed: int, way: int = 0) -> Tensor:
        """Return the probability of the fine mask, (B, 1, y, x), for windows of the network's grid.

        image: (B, 3, y, x) in [−1, 1]; distance: (B, 1, y, x), the coarse mask's signed distance in [−1, 1], positive inside.
        Each step looks in another way, from `way` on; the image is encoded once for each of the eight ways.
        """
        image, distance = image.to(self.device), distance.to(self.device)
        kind = torch.full((len(image),), PROCESSES[process], device=self.device)
        encode = functools.cache(lambda w: self.encoder(turned(image, w)))
        ways = itertools.count(way)

        def predict(x_t: Tensor, t: Tensor) -> Tensor:
            w = next(ways) % COUNT
            return turned_back(self.masks(turned(x_t, w), t, turned(distance, w), encode(w), kind).sigmoid(), w)

        walk = walk_discrete if PROCESSES[process] == DISCRETE else walk_gaussian
        coarse = torch.where(distance > 0, 1.0, -1.0)
        return walk(predict, coarse, steps, torch.Generator().manual_seed(seed)).cpu()


def load_model(folder: Path, device: str = "cpu") -> Any:
    """Return the refiner or the coarse network of a verified folder. Raises ModelTamperedError, ModelTooNewError, ModelError."""
    card = verify(folder)
    kind = json.loads((folder / "model_index.json").read_text("utf-8")).get("_class_name")
    if kind == COARSE_CLASS_NAME:
        from medsynth_core.engines.refine.coarse_model import CoarseModel

        return CoarseModel.load(folder, device)
    if kind != CLASS_NAME:
        raise ModelError(f"model {card.id} is not a model of refine: its model_index.json names {kind}")
    encoder = ImageEncoder.from_pretrained(folder / "encoder", torch_dtype=torch.float32, low_cpu_mem_usage=False)
    masks = MaskNetwork.from_pretrained(folder / "masks", torch_dtype=torch.float32, low_cpu_mem_usage=False)
    return Refiner(encoder.to(device).eval(), masks.to(device).eval(), card, device)


def save_model(encoder: nn.Module, masks: nn.Module, folder: Path) -> None:
    """Write both parts in half precision and the diffusers index beside them."""
    for name, part in (("encoder", encoder), ("masks", masks)):
        copy.deepcopy(part).half().save_pretrained(folder / name)  # type: ignore[operator]
    library = network.__name__
    index = {
        "_class_name": CLASS_NAME,
        "_medsynth_version": __version__,
        "encoder": [library, "ImageEncoder"],
        "masks": [library, "MaskNetwork"],
    }
    write_json(folder / "model_index.json", index)
