"""A trained tumor model in memory, and its folder on disk."""

from __future__ import annotations

import copy
import itertools
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from medsynth_core import __version__
from medsynth_core.diffusion.samplers import time_grid
from medsynth_core.engines.tumor import autoencoder as autoencoder_file
from medsynth_core.engines.tumor.autoencoder import SliceAutoencoder
from medsynth_core.engines.tumor.body import hints
from medsynth_core.engines.tumor.joint import JointNetwork, joint_sample
from medsynth_core.engines.tumor.network import SlabNetwork, numbers_of
from medsynth_core.engines.tumor.prior import Prior
from medsynth_core.engines.tumor.shape import TumorShape
from medsynth_core.engines.tumor.stacks import FIELD_MM, PIXELS
from medsynth_core.engines.tumor.style import Style
from medsynth_core.errors import ModelError, ParameterError
from medsynth_core.models.folder import verify, write_json
from medsynth_core.protocol import ModelCard

CLASS_NAME, PRIOR_FILE = "TumorGrower", "prior.json"
KNOWN_TIME = 0.05
"""Noise time of known positions while a slab grows."""
CORNER = 4
"""Pixels of the field's corners that are black: padding twice leaves specks there, and no head reaches so far."""
GRID_SHIFT = 4.0
"""More of the steps at the noisy end, where the shape is decided."""
NOISE_KEPT, NOISE_KEPT_STEPS = 1.05, 8
"""What is left of the noise is held up by 5 % a step of 8 (less a step of more), because predictions are smoother than what they
stand for and each step would hand its smoothness on. The contrary of ε-scaling (arXiv 2308.15321), for the contrary fault. Chosen
on training patients: without it, neighboring slices differ a quarter too little."""


@dataclass(frozen=True)
class Slab:
    """Slices to grow, in the order of growth: z_mm (n,) frame mm; known (n, 8, h, w) latents, 0 where unknown; free
    (n, 1, h, w), 1 where to be made; noise (n, 8, h, w); the request; the style of the volume."""

    z_mm: Tensor
    known: Tensor
    free: Tensor
    noise: Tensor
    shape: TumorShape
    style: Style


@dataclass(frozen=True)
class TumorModel:
    """Networks ready to run on `device`, in evaluation mode, 32 bit on the CPU."""

    autoencoder: SliceAutoencoder
    network: SlabNetwork | JointNetwork
    prior: Prior
    card: ModelCard
    device: str = "cpu"
    pixels: int = PIXELS
    field_mm: float = FIELD_MM

    @property
    def whole_stack(self) -> bool:
        """Whether this model can only make all slices at once, with nothing kept (the paper's way)."""
        return isinstance(self.network, JointNetwork)

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Channels and grid (y, x) of a slice's latent."""
        return self.autoencoder.config.latent_channels, self.pixels // 4, self.pixels // 4

    @torch.inference_mode()
    def encode(self, image: Tensor, distance: Tensor) -> Tensor:
        """Return latents (n, 8, h, w) of slices: image (n, y, x) in [0, 1], signed distance (n, y, x) in [−1, 1]."""
        slices = torch.stack([image * 2 - 1, distance], dim=1).to(self.device)
        return self.autoencoder.encode(slices).cpu()

    @torch.inference_mode()
    def decode(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Return image (n, y, x) in [0, 1] and signed distance (n, y, x) of latents (n + 2, 8, h, w): with both neighbors."""
        made = self.autoencoder.decode(latents.to(self.device)).cpu()
        image = ((made[:, 0] + 1) / 2).clamp(0, 1)
        for y in (slice(None, CORNER), slice(-CORNER, None)):
            image[:, y, :CORNER] = image[:, y, -CORNER:] = 0
        return image, made[:, 1].clamp(-1, 1)

    @torch.inference_mode()
    def grow(self, slab: Slab, steps: int, guidance: float, start: float = 1.0) -> Tensor:
        """Return the latents (n, 8, h, w) of a slab; known ones come back as they were.

        `start` below 1 refines `known` everywhere `free` is 1 instead of making it anew: it is noised to that time first.
        """
        if self.whole_stack:
            return self._all_at_once(slab)
        free, known = slab.free.to(self.device), slab.known.to(self.device)
        noise = slab.noise.to(self.device)
        around = torch.lerp(known, noise, KNOWN_TIME)
        x_t = torch.where(free > 0.5, torch.lerp(known, noise, start) if start < 1 else noise, around)
        times = [t * start for t in time_grid(steps, GRID_SHIFT)]
        kept = NOISE_KEPT ** (NOISE_KEPT_STEPS / steps)
        conditions = self._conditions(slab, rows=1 if guidance == 1 else 2)
        made = known
        for t, r in itertools.pairwise(times):
            made = self._predict(x_t, torch.where(free > 0.5, t, min(KNOWN_TIME, t)), conditions, guidance)
            noise_left = (x_t - (1 - t) * made) / t
            x_t = torch.where(free > 0.5, (1 - r) * made + r * kept * noise_left, around)
        return torch.where(free > 0.5, made, known).cpu()

    def _all_at_once(self, slab: Slab) -> Tensor:
        """Return a whole stack by the paper's 50 DDIM steps, whatever steps and guidance were asked for."""
        if bool((slab.free < 0.5).any()):
            raise ParameterError(f"model {self.card.id} makes whole stacks only: it can keep no background and no slices")
        numbers = torch.tensor([numbers_of(slab.shape)], device=self.device)
        return joint_sample(self.network, slab.noise.to(self.device), numbers).cpu()

    def _conditions(self, slab: Slab, rows: int) -> tuple[Tensor, ...]:
        """Return what the network is told of a slab beside its latents, the same at every step; row 1 is without the request."""
        pictures = hints(slab.shape, slab.style.head, slab.z_mm, slab.known.shape[-1], self.field_mm)
        numbers = torch.tensor([numbers_of(slab.shape)])
        style = torch.from_numpy(slab.style.vector())[None]
        distance = float((slab.z_mm[1] - slab.z_mm[0]).abs()) if len(slab.z_mm) > 1 else self.prior.slice_mm_mean
        told = (pictures.expand(rows, *pictures.shape), numbers.expand(rows, -1), style.expand(rows, -1))
        last = (torch.full((rows,), distance), torch.tensor([True, False][:rows]))
        return tuple(part.to(self.device) for part in (*told, *last))

    def _predict(self, x_t: Tensor, times: Tensor, conditions: tuple[Tensor, ...], guidance: float) -> Tensor:
        """Return the predicted clean latents under classifier-free guidance (arXiv 2207.12598, eq. 6)."""
        rows = len(conditions[0])
        made = self.network(x_t.expand(rows, *x_t.shape), times.expand(rows, *times.shape), *conditions)
        return made[0] if rows == 1 else made[1] + guidance * (made[0] - made[1])


def load_model(folder: Path, device: str = "cpu") -> TumorModel:
    """Return the model of a verified folder. Raises ModelTamperedError, ModelTooNewError, ModelError."""
    card = verify(folder)
    index = json.loads((folder / "model_index.json").read_text("utf-8"))
    if index.get("_class_name") != CLASS_NAME:
        raise ModelError(f"model {card.id} is not a model of tumor: its model_index.json names {index.get('_class_name')}")
    prior = Prior.from_json(json.loads((folder / PRIOR_FILE).read_text("utf-8")))
    autoencoder = SliceAutoencoder.from_pretrained(folder / "autoencoder", torch_dtype=torch.float32, low_cpu_mem_usage=False)
    parts = {"SlabNetwork": SlabNetwork, "JointNetwork": JointNetwork}
    slabs = parts[index["slabs"][1]].from_pretrained(folder / "slabs", torch_dtype=torch.float32, low_cpu_mem_usage=False)
    return TumorModel(autoencoder.to(device).eval(), slabs.to(device).eval(), prior, card, device)


def save_model(autoencoder: nn.Module, network: nn.Module, prior: Prior, folder: Path) -> None:
    """Write both networks in half precision, the prior, and the diffusers index beside them."""
    for name, part in (("autoencoder", autoencoder), ("slabs", network)):
        copy.deepcopy(part).half().save_pretrained(folder / name)  # type: ignore[operator]
    index = {
        "_class_name": CLASS_NAME,
        "_medsynth_version": __version__,
        "autoencoder": [autoencoder_file.__name__, "SliceAutoencoder"],
        "slabs": [type(network).__module__, type(network).__name__],
    }
    write_json(folder / PRIOR_FILE, prior.to_json())
    write_json(folder / "model_index.json", index)
