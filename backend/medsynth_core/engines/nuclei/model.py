"""A trained nuclei model in memory, and its folder on disk.

nuclei-he/
├── card.json, model_index.json, prior.json
├── structures/      the network that makes fields
├── images/          the network that paints them
└── hints/           what brings a field to it
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from medsynth_core import __version__
from medsynth_core.diffusion.samplers import noise_for
from medsynth_core.diffusion.tiles import Window, windows_over
from medsynth_core.engines.nuclei import network as network_file
from medsynth_core.engines.nuclei.batches import half_free, hint_of
from medsynth_core.engines.nuclei.field import Instances, Keep, assembled, on_canvas
from medsynth_core.engines.nuclei.grain import BANDS, with_grain
from medsynth_core.engines.nuclei.network import HINTS, Control, Denoiser
from medsynth_core.engines.nuclei.objective import TIME_SHIFT
from medsynth_core.engines.nuclei.prior import Likeness, Prior, scaled
from medsynth_core.engines.nuclei.sampling import Manner, denoise
from medsynth_core.engines.nuclei.stain import Stain
from medsynth_core.engines.nuclei.tiles import PIXELS
from medsynth_core.errors import ModelError
from medsynth_core.imaging.nuclei_maps import doubled, halved, instances_of, maps_of
from medsynth_core.models.folder import verify, write_json
from medsynth_core.protocol import ModelCard

CLASS_NAME, PRIOR_FILE = "NucleiMaker", "prior.json"
STRUCTURE_NOISE, IMAGE_NOISE, GRAIN_NOISE = 0, 1, 2
"""Index in the stream of noise of a seed."""


@dataclass(frozen=True)
class NucleiModel:
    """Networks ready to run on `device`, in evaluation mode, 32 bit on the CPU."""

    structures: Denoiser
    images: Denoiser
    hints: nn.Module
    prior: Prior
    card: ModelCard
    device: str = "cpu"

    def new_field(self, size: tuple[int, int], row: Likeness, seed: int, manner: Manner) -> Instances:
        """Return an instance map of `size` (y, x) as dense and large as `row` says."""
        nothing = np.zeros(size, np.int32)
        return self.completed(Keep(nothing, np.ones(size, bool)), row, seed, manner)

    @torch.inference_mode()
    def completed(self, keep: Keep, row: Likeness, seed: int, manner: Manner) -> Instances:
        """Return the instances that are kept, pixel by pixel, with new ones where the field is free."""
        instances, free = on_canvas(keep, PIXELS)
        known = torch.from_numpy(halved(maps_of(instances)))[None].to(self.device)
        open_cells = half_free(free)[None].to(self.device)
        noise = noise_for(seed, STRUCTURE_NOISE, tuple(known.shape)).to(self.device)
        told = torch.tensor([scaled(row.density, row.size_px)], device=self.device)

        def predict(_: int, __: Window, x_t: Tensor, times: Tensor) -> Tensor:
            return self._guided(self.structures, x_t, times, told, None, None, manner.guidance)

        made = denoise(predict, noise, known, open_cells, PIXELS // 2, manner.steps, TIME_SHIFT)
        found = instances_of(doubled(made[0].cpu().numpy()))
        y, x = keep.instances.shape
        return assembled(keep, found[:y, :x])

    @torch.inference_mode()
    def paint(
        self,
        instances: npt.NDArray[np.integer],
        stain: Stain,
        seed: int,
        manner: Manner,
        image: Tensor | None = None,
        free: npt.NDArray[np.bool_] | None = None,
    ) -> Tensor:
        """Return an image (3, y, x) in [−1, 1] of an instance map (y, x), with the grain of the stain.

        With `image` (3, y, x), it is made only where `free`.
        """
        y, x = instances.shape
        everywhere = np.ones((y, x), bool) if free is None else free
        canvas, open_ = on_canvas(Keep(instances.astype(np.int32), everywhere), PIXELS)
        known = torch.zeros(1, 3, *canvas.shape)
        if image is not None:
            known[0, :, :y, :x] = image
        hint = hint_of(canvas)[None].to(self.device)
        windows = windows_over((canvas.shape[0], canvas.shape[1]), (PIXELS, PIXELS))
        controls = [self.hints(window.cut(hint)) for window in windows]
        nothing = self.hints(hint[..., :PIXELS, :PIXELS], torch.zeros(1, dtype=torch.bool, device=self.device))
        told = torch.from_numpy(stain.vector())[None].to(self.device)

        def predict(i: int, _: Window, x_t: Tensor, times: Tensor) -> Tensor:
            return self._guided(self.images, x_t, times, told, controls[i], nothing, manner.guidance)

        noise = noise_for(seed, IMAGE_NOISE, tuple(known.shape)).to(self.device)
        room = torch.from_numpy(open_)[None, None].float().to(self.device)
        made = denoise(predict, noise, known.to(self.device), room, PIXELS, manner.steps, TIME_SHIFT)
        light = (made[0, :, :y, :x].cpu().double().numpy() + 1) / 2
        if stain.grain:
            light = with_grain(light, stain.grain, noise_for(seed, GRAIN_NOISE, (BANDS, y, x)).numpy(), everywhere)
        return torch.from_numpy(light * 2 - 1).float().clamp(-1, 1)

    def _guided(
        self,
        network: Denoiser,
        x_t: Tensor,
        times: Tensor,
        told: Tensor,
        control: Control | None,
        nothing: Control | None,
        guidance: float,
    ) -> Tensor:
        """Return X under classifier-free guidance (arXiv 2207.12598, eq. 6); one evaluation where guidance is 1."""
        asked = torch.ones_like(told, dtype=torch.bool)
        made = network(x_t, times, told, asked, control)
        if guidance == 1:
            return made
        unasked = network(x_t, times, told, ~asked, nothing)
        return unasked + guidance * (made - unasked)


def load_model(folder: Path, device: str = "cpu") -> NucleiModel:
    """Return the model of a verified folder. Raises ModelTamperedError, ModelTooNewError, ModelError."""
    card = verify(folder)
    index = json.loads((folder / "model_index.json").read_text("utf-8"))
    hint_class = HINTS.get(index.get("hints", [None, None])[1])
    if index.get("_class_name") != CLASS_NAME or hint_class is None:
        raise ModelError(f"model {card.id} is not a model of nuclei: its model_index.json names {index.get('_class_name')}")
    prior = Prior.from_json(json.loads((folder / PRIOR_FILE).read_text("utf-8")))
    kinds = {"structures": Denoiser, "images": Denoiser, "hints": hint_class}
    parts = [
        kind.from_pretrained(folder / name, torch_dtype=torch.float32, low_cpu_mem_usage=False).to(device).eval()
        for name, kind in kinds.items()
    ]
    return NucleiModel(parts[0], parts[1], parts[2], prior, card, device)


def save_model(structures: nn.Module, images: nn.Module, hints: nn.Module, prior: Prior, folder: Path) -> None:
    """Write the networks in half precision, the prior, and the diffusers index beside them."""
    parts = {"structures": structures, "images": images, "hints": hints}
    for name, part in parts.items():
        copy.deepcopy(part).half().save_pretrained(folder / name)  # type: ignore[operator]
    classes = {name: [network_file.__name__, type(part).__name__] for name, part in parts.items()}
    write_json(folder / PRIOR_FILE, prior.to_json())
    write_json(folder / "model_index.json", {"_class_name": CLASS_NAME, "_medsynth_version": __version__, **classes})
