"""How the shared loop trains a synthesize model."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from medsynth_core.diffusion.distil import flow_map_loss
from medsynth_core.diffusion.flow import noised, resolution_shift, velocity_loss
from medsynth_core.diffusion.samplers import noise_for, sample
from medsynth_core.engines.synthesize import objective
from medsynth_core.engines.synthesize.dataset import PairArrays
from medsynth_core.engines.synthesize.judge import lessons_of
from medsynth_core.engines.synthesize.model import CompactModel, guided, no_control, save_parts
from medsynth_core.engines.synthesize.network import Denoiser, HintEncoder, LinearHint
from medsynth_core.engines.synthesize.objective import Batch, mask_hint
from medsynth_core.engines.synthesize.presets import Preset
from medsynth_core.evaluation.teaching import Teaching, teach
from medsynth_core.protocol import ModelCard, Thresholds
from medsynth_core.training.curves import mosaic, samples_shown
from medsynth_core.training.ledger import Ledger
from medsynth_core.training.recipe import FromPreset
from medsynth_core.vocabulary import one_hot_channels

STRIP_SAMPLES = 8
VALIDATION_TIMES = (0.2, 0.5, 0.8)


@dataclass(frozen=True)
class SynthesizeRecipe(FromPreset):
    """A preset, the pairs to learn from and those to choose by (`validation`), and the card to be.

    `unlabeled` images have no masks (theirs are empty here, their options null): they teach how images look.
    """

    preset: Preset
    training: PairArrays
    validation: PairArrays
    blank_card: ModelCard
    seed: int = 0
    base: Path | None = None
    device: str = "cpu"
    ledger: Ledger | None = None
    unlabeled: PairArrays | None = None

    @property
    def option_sizes(self) -> tuple[int, ...]:
        """How many values each option has."""
        return tuple(len(option.choices) for option in self.blank_card.options)

    @property
    def labels(self) -> int:
        """Channels of the one-hot mask."""
        return one_hot_channels(self.blank_card.labels)

    def build(self) -> nn.ModuleDict:
        """Return hint encoder and denoiser: new ones, or those of the base model."""
        if self.base is not None:
            model = CompactModel.load(self.base)
            model.denoiser.register_to_config(flow_map=self.preset.objective == "flow-map")
            return nn.ModuleDict({"hint_encoder": model.hint_encoder, "denoiser": model.denoiser})
        channels, widths = self.blank_card.channels, self.preset.widths
        encoder = LinearHint if self.preset.objective == "concat" else HintEncoder
        patch = self.preset.patch
        denoiser = Denoiser(channels, widths, self.preset.layers_per_block, self.option_sizes, patch=patch)
        return nn.ModuleDict({"hint_encoder": encoder(self.labels + channels, widths, patch), "denoiser": denoiser})

    def loss(self, networks: nn.ModuleDict, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the terms of the preset's objective on the batch of this step."""
        bare = 0 if self.unlabeled is None else round(self.preset.unlabeled_share * self.preset.batch)
        losses = self._paired_loss(networks, step, self.preset.batch - bare, generator)
        if self.unlabeled is not None and bare:
            batch = self._drawn(self.unlabeled, bare, step, generator)
            d = objective.draw(batch, self.option_sizes, generator)
            losses["unlabeled"] = objective.appearance_loss(networks["hint_encoder"], networks["denoiser"], batch, d)
        return losses

    def _paired_loss(self, networks: nn.ModuleDict, step: int, count: int, generator: torch.Generator) -> dict[str, Tensor]:
        p = self.preset
        batch = self._drawn(self.training, count, step, generator)
        d = objective.draw(batch, self.option_sizes, generator)
        hint_encoder, denoiser = networks["hint_encoder"], networks["denoiser"]
        if p.objective == "siamese":
            return objective.siamese_loss(hint_encoder, denoiser, batch, d, step / p.steps, p.image_share, generator)
        if p.objective == "flow-map":
            return self._flow_map_loss(hint_encoder, denoiser, batch, generator)
        return objective.mask_branch_loss(hint_encoder, denoiser, batch, d)

    @functools.cached_property
    def _teacher(self) -> CompactModel:
        assert self.base is not None  # see `prepare.check_terms`
        return CompactModel.load(self.base, self.device)

    def _flow_map_loss(
        self, hint_encoder: nn.Module, denoiser: nn.Module, batch: Batch, generator: torch.Generator
    ) -> dict[str, Tensor]:
        hint, channels = mask_hint(batch.masks, batch.images.shape[1]), batch.images.shape[1]
        control, teacher = hint_encoder(hint), self._teacher
        seen, nothing = teacher.hint_encoder(hint), no_control(teacher.hint_encoder, batch.masks, channels)

        def student(x_t: Tensor, t: Tensor, r: Tensor, guidance: Tensor) -> Tensor:
            rows = slice(None) if len(t) == len(batch.images) else slice(len(batch.images) - len(t), None)
            return denoiser(x_t, t, [c[rows] for c in control], batch.options[rows], r, guidance)

        def guide(x_t: Tensor, t: Tensor, guidance: Tensor) -> Tensor:
            n = len(t)
            return guided(teacher.denoiser, x_t, t, [c[:n] for c in seen], [c[:n] for c in nothing], batch.options[:n], guidance)

        return flow_map_loss(student, guide, batch.images, generator)

    @torch.no_grad()
    def validation_loss(self, networks: nn.ModuleDict) -> float:
        """Return the mean velocity loss of the mask branch on up to 64 pairs of the tuning side, at fixed times and noise."""
        if not len(self.validation):
            return math.nan
        generator = torch.Generator().manual_seed(self.seed)
        side = self.preset.stages[-1][1]
        batch = self._batch(self.validation, torch.arange(min(64, len(self.validation))), side, generator, augment=False)
        noise = torch.randn(batch.images.shape, generator=generator).to(self.device)
        control = networks["hint_encoder"](mask_hint(batch.masks, batch.images.shape[1]))
        losses = []
        for t in VALIDATION_TIMES:
            times = torch.full((len(batch.images),), t, device=self.device)
            predicted = networks["denoiser"](noised(batch.images, noise, times), times, control, batch.options)
            losses.append(velocity_loss(predicted, batch.images, times).mean())
        return float(torch.stack(losses).mean())

    @torch.no_grad()
    def strip(self, networks: nn.ModuleDict) -> np.ndarray:
        """Return three rows of masks it did not learn from, four-step samples of them (fixed seeds), and the real images."""
        source = self.validation if len(self.validation) else self.training
        rows = samples_shown(len(source), STRIP_SAMPLES)
        batch = self._batch(source, rows, self.preset.stages[-1][1], torch.Generator(), augment=False)
        noise = noise_for(0, 0, tuple(batch.images.shape)).to(self.device)
        control = networks["hint_encoder"](mask_hint(batch.masks, batch.images.shape[1]))

        def predict(x_t: Tensor, t: Tensor, r: Tensor) -> Tensor:
            jump = (r, torch.ones_like(t)) if self.preset.objective == "flow-map" else ()
            return networks["denoiser"](x_t, t, control, batch.options, *jump)

        *_, made = sample(predict, noise, 4, resolution_shift(batch.images))
        return mosaic([1 - 2 * batch.masks[:, :1], made, batch.images])

    def save(self, networks: nn.ModuleDict, folder: Path) -> None:
        """Write both networks, in half precision, as parts of a model folder."""
        save_parts(networks["hint_encoder"], networks["denoiser"], folder)

    def judge(self, place: Path, teaching: Teaching) -> Thresholds:
        """Teach the judge of its images, on the real ones."""
        return teach(lessons_of(self.training, self.validation, self.unlabeled, self.labels), place, teaching)

    def _drawn(self, source: PairArrays, count: int, step: int, generator: torch.Generator) -> Batch:
        rows = torch.randint(len(source), (count,), generator=generator)
        return self._batch(source, rows, self.preset.side_at(step), generator, augment=True)

    def _batch(self, source: PairArrays, rows: Tensor, side: int, generator: torch.Generator, augment: bool) -> Batch:
        batch = source.batch(rows, side, self.labels, self.preset.augmentation if augment else None, generator)
        return Batch(*(part.to(self.device) for part in (batch.images, batch.masks, batch.options)))
