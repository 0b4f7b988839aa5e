"""The parts of a Stable Diffusion 1.5 folder in diffusers' layout: read, checked, written.

FOLDER/
├── model_index.json     _class_name: StableDiffusionPipeline (a base) or StableDiffusionControlNetPipeline (a model of ours)
├── tokenizer/  text_encoder/  vae/  unet/  scheduler/
└── controlnet/          starts as a copy of the U-Net's encoder where the base has none (arXiv 2302.05543)

MedSynth ships none of these weights: the user brings them, under their own license. Only safetensors are read.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer
from transformers.utils import logging as transformers_logging

from medsynth_core import __version__
from medsynth_core.engines.synthesize.base import CONTROLLED, class_name
from medsynth_core.errors import ModelError
from medsynth_core.models.folder import write_json

LATENT_PIXELS = 8
"""Pixels of the image along one side of a latent pixel; diffusers' ControlNet merges its hint by as much."""
_LOCAL: dict[str, Any] = {"local_files_only": True, "use_safetensors": True}
_WHOLE: dict[str, Any] = {"torch_dtype": torch.float32, "low_cpu_mem_usage": False, **_LOCAL}

transformers_logging.disable_progress_bar()  # standard error is for our one sentence

NetworkT = TypeVar("NetworkT", bound=nn.Module)


@dataclass(frozen=True)
class Surroundings:
    """The parts that never train: words to features, images to latents and back, noise levels."""

    tokenizer: CLIPTokenizer
    text_encoder: CLIPTextModel
    vae: AutoencoderKL
    scheduler: DDIMScheduler

    @property
    def signals(self) -> Tensor:
        """The share of signal ā (1000,) by time."""
        return self.scheduler.alphas_cumprod

    @torch.no_grad()
    def read_captions(self, captions: Sequence[str]) -> Tensor:
        """Return the text features (n, tokens, width) of captions; what is longer than the encoder reads is cut."""
        tokens = self.tokenizer(
            list(captions),
            padding="max_length",
            truncation=True,
            max_length=self.text_encoder.config.max_position_embeddings,
            return_tensors="pt",
        )
        return self.text_encoder(tokens.input_ids.to(self.text_encoder.device))[0]

    @torch.no_grad()
    def encode(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return latents (B, 4, y/8, x/8) of images (B, 3, y, x) in [−1, 1]."""
        latents = self.vae.encode(images).latent_dist
        noise = torch.randn(latents.mean.shape, generator=generator).to(images)
        return (latents.mean + latents.std * noise) * self.vae.config.scaling_factor

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Return images (B, 3, y, x), about [−1, 1], of latents (B, 4, y/8, x/8)."""
        return self.vae.decode(latents / self.vae.config.scaling_factor).sample


@dataclass(frozen=True)
class Backbone:
    """A whole folder in memory, 32 bit."""

    surroundings: Surroundings
    unet: UNet2DConditionModel
    controlnet: ControlNetModel

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> Backbone:
        """Return the parts of a folder. Raises ModelError naming a part that is missing, unreadable or of another shape."""
        surroundings = load_surroundings(folder, device)
        backbone = cls(surroundings, *load_networks(folder, device))
        _check_fit(folder.name, backbone)
        return backbone

    def save(self, folder: Path) -> None:
        """Write all parts, in half precision, as diffusers' own pipeline reads them."""
        around = self.surroundings
        for name, part in (("unet", self.unet), ("controlnet", self.controlnet), ("vae", around.vae)):
            copy.deepcopy(part).half().save_pretrained(folder / name)
        copy.deepcopy(around.text_encoder).half().save_pretrained(folder / "text_encoder")
        around.tokenizer.save_pretrained(folder / "tokenizer")
        around.scheduler.save_pretrained(folder / "scheduler")
        _write_index(folder)


def load_surroundings(folder: Path, device: str) -> Surroundings:
    """Return the parts of a folder that never train. Raises ModelError."""
    with _reading(folder, "tokenizer"):
        tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    with _reading(folder, "text_encoder"):
        text_encoder = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32, **_LOCAL)
    with _reading(folder, "vae"):
        vae = AutoencoderKL.from_pretrained(folder / "vae", **_WHOLE)
    # Few steps must start at pure noise ("trailing": arXiv 2305.08891, table 2); latents have no bounds to clip to.
    with _reading(folder, "scheduler"):
        scheduler = DDIMScheduler.from_pretrained(
            folder / "scheduler", local_files_only=True, timestep_spacing="trailing", clip_sample=False
        )
    return Surroundings(tokenizer, _at_rest(text_encoder, device), _at_rest(vae, device), scheduler)


def load_networks(folder: Path, device: str) -> tuple[UNet2DConditionModel, ControlNetModel]:
    """Return denoiser and control network; where the base has none, a copy of its encoder. Raises ModelError."""
    with _reading(folder, "unet"):
        unet = UNet2DConditionModel.from_pretrained(folder / "unet", **_WHOLE)
    if class_name(folder) == CONTROLLED:
        with _reading(folder, "controlnet"):
            controlnet = ControlNetModel.from_pretrained(folder / "controlnet", **_WHOLE)
    else:
        controlnet = ControlNetModel.from_unet(unet)
    return _at_rest(unet, device), _at_rest(controlnet, device)


@contextlib.contextmanager
def _reading(folder: Path, part: str) -> Iterator[None]:
    if not (folder / part).is_dir():
        raise ModelError(f"{folder.name} has no part {part}/: it is not a whole Stable Diffusion 1.5 folder")
    try:
        yield
    except Exception as problem:  # noqa: BLE001  border: the libraries raise anything on a damaged folder
        raise ModelError(
            f"{part} of {folder.name} cannot be read ({type(problem).__name__}): it needs its config and weights as safetensors"
        ) from None


def _at_rest(part: NetworkT, device: str) -> NetworkT:
    return part.to(device).eval().requires_grad_(False)


def _check_fit(name: str, parts: Backbone) -> None:
    unet, vae, scheduler = parts.unet.config, parts.surroundings.vae.config, parts.surroundings.scheduler.config
    if 2 ** (len(vae.block_out_channels) - 1) != LATENT_PIXELS or unet.in_channels != vae.latent_channels:
        raise ModelError(f"autoencoder and U-Net of {name} do not fit: a Stable Diffusion 1.5 folder is needed")
    if unet.cross_attention_dim != parts.surroundings.text_encoder.config.hidden_size:
        raise ModelError(f"U-Net and text encoder of {name} do not fit: a Stable Diffusion 1.5 folder is needed")
    if scheduler.prediction_type != "epsilon":
        raise ModelError(f"{name} predicts {scheduler.prediction_type}, not the noise: take Stable Diffusion 1.5")


def _write_index(folder: Path) -> None:
    index = {
        "_class_name": CONTROLLED,
        "_medsynth_version": __version__,
        "controlnet": ["diffusers", "ControlNetModel"],
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    write_json(folder / "model_index.json", index)
