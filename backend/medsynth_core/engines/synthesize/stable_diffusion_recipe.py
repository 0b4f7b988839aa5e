"""How the shared loop trains the paper's backbone: the control network and the denoiser's decoder learn, the rest stays."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from medsynth_core.engines.synthesize import stable_diffusion_objective as objective
from medsynth_core.engines.synthesize.dataset import PairArrays
from medsynth_core.engines.synthesize.judge import lessons_of
from medsynth_core.engines.synthesize.presets import Preset
from medsynth_core.engines.synthesize.stable_diffusion import caption, paint, palette, sample
from medsynth_core.engines.synthesize.stable_diffusion_folder import Backbone, Surroundings
from medsynth_core.engines.synthesize.stable_diffusion_objective import LatentBatch, mask_branch_loss, siamese_loss
from medsynth_core.errors import ParameterError
from medsynth_core.evaluation.teaching import Teaching, teach
from medsynth_core.protocol import ModelCard, Thresholds
from medsynth_core.training.curves import mosaic, samples_shown
from medsynth_core.training.ledger import Ledger
from medsynth_core.training.recipe import FromPreset
from medsynth_core.vocabulary import one_hot_channels

PAPER = Preset("paper", batch=48, steps=3_000, learning_rate=1e-5, stages=((1.0, 384),))
"""The published setting (Siamese-Diffusion, section 4.1): 384², 3000 steps of 48, decoder unlocked."""

PRESETS = {
    preset.name: preset
    for preset in (
        PAPER,
        replace(PAPER, name="paper-no-consistency", objective="mask-only"),
        replace(PAPER, name="paper-toy", batch=2, steps=4, learning_rate=1e-3, stages=((1.0, 64),)),
    )
}

VALIDATION_TIMES = (200, 500, 800)
VALIDATION_PAIRS = 8
STRIP_SAMPLES = 4
UNLOCKED = ("up_blocks", "conv_norm_out", "conv_out")


@dataclass(frozen=True)
class CaptionedPairs:
    """Arrays of the pairs and the text each image is described with."""

    arrays: PairArrays
    captions: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.arrays)


@dataclass(frozen=True)
class StableDiffusionRecipe(FromPreset):
    """A base folder, a preset, the pairs to learn from and those to choose by (`validation`), and the card to be."""

    base: Path
    surroundings: Surroundings
    preset: Preset
    training: CaptionedPairs
    validation: CaptionedPairs
    blank_card: ModelCard
    seed: int = 0
    device: str = "cpu"
    ledger: Ledger | None = None

    def build(self) -> nn.ModuleDict:
        """Return the base's denoiser, its decoder unlocked, and the control network."""
        backbone = Backbone.load(self.base, self.device)
        for name, parameter in backbone.unet.named_parameters():
            parameter.requires_grad_(name.startswith(UNLOCKED))
        return nn.ModuleDict({"unet": backbone.unet, "controlnet": backbone.controlnet.requires_grad_(True)})

    def loss(self, networks: nn.ModuleDict, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the terms of the preset's objective on the batch of this step."""
        rows = torch.randint(len(self.training), (self.preset.batch,), generator=generator)
        batch = self._latents(self.training, rows, generator, augment=True)
        signals = self.surroundings.signals.to(self.device)
        if self.preset.objective == "siamese":
            return siamese_loss(networks["unet"], networks["controlnet"], batch, signals, step / self.steps)
        return mask_branch_loss(networks["unet"], networks["controlnet"], batch, signals)

    @torch.no_grad()
    def validation_loss(self, networks: nn.ModuleDict) -> float:
        """Return ‖e_m − ε‖² on up to 8 held-out pairs, at fixed times and noise."""
        if not len(self.validation):
            return math.nan
        generator = torch.Generator().manual_seed(self.seed)
        rows = torch.arange(min(VALIDATION_PAIRS, len(self.validation)))
        batch = self._latents(self.validation, rows, generator, augment=False)
        signals = self.surroundings.signals.to(self.device)
        at = [replace(batch, t=torch.full_like(batch.t, t)) for t in VALIDATION_TIMES]
        losses = [mask_branch_loss(networks["unet"], networks["controlnet"], part, signals)["mask"] for part in at]
        return float(torch.stack(losses).mean())

    @torch.no_grad()
    def strip(self, networks: nn.ModuleDict) -> np.ndarray:
        """Return three rows of held-out painted masks, four-step samples of them (fixed seed), and the real images."""
        source = self.validation if len(self.validation) else self.training
        rows = samples_shown(len(source), STRIP_SAMPLES)
        images, hint = self._pictures(source, rows, torch.Generator(), augment=False)
        words = caption(self.blank_card, {})
        *_, made = sample(self._backbone(networks), hint, words, seed=0, steps=4, guidance=1.0)
        return mosaic([2 * hint - 1, made, images])

    def judge(self, place: Path, teaching: Teaching) -> Thresholds:
        """Teach the judge of its images, on the real ones."""
        labels = one_hot_channels(self.blank_card.labels)
        return teach(lessons_of(self.training.arrays, self.validation.arrays, None, labels), place, teaching)

    def save(self, networks: nn.ModuleDict, folder: Path) -> None:
        """Write all parts, in half precision, as a pipeline folder."""
        self._backbone(networks).save(folder)

    def _backbone(self, networks: nn.ModuleDict) -> Backbone:
        return Backbone(self.surroundings, networks["unet"], networks["controlnet"])

    def _pictures(self, source: CaptionedPairs, rows: Tensor, generator: torch.Generator, augment: bool) -> tuple[Tensor, Tensor]:
        """Return images (B, 3, y, x) in [−1, 1] and painted masks (B, 3, y, x) in [0, 1]."""
        side = self.preset.stages[-1][1]
        augmentation = self.preset.augmentation if augment else None
        pairs = source.arrays.batch(rows, side, one_hot_channels(self.blank_card.labels), augmentation, generator)
        hint = paint(pairs.masks, palette(self.blank_card.labels))
        return pairs.images.expand(-1, 3, -1, -1).to(self.device), hint.to(self.device)

    def _latents(self, source: CaptionedPairs, rows: Tensor, generator: torch.Generator, augment: bool) -> LatentBatch:
        images, hint = self._pictures(source, rows, generator, augment)
        z0 = self.surroundings.encode(images, generator)
        noise = torch.randn(z0.shape, generator=generator).to(z0)
        t = objective.draw_times(len(rows), generator).to(self.device)
        text = self.surroundings.read_captions([source.captions[int(row)] for row in rows])
        return LatentBatch(z0, noise, t, text, hint, (images + 1) / 2)


def get_preset(name: str) -> Preset:
    """Return one preset of this backbone. Raises ParameterError listing what there is."""
    if name not in PRESETS:
        raise ParameterError(f"preset is {name!r}: with a Stable Diffusion base it must be one of {', '.join(PRESETS)}")
    return PRESETS[name]
