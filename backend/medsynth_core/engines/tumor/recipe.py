"""How the shared loop trains a tumor model: the autoencoder first, then the slab network on its latents."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from medsynth_core.engines.tumor.autoencoder import SliceAutoencoder
from medsynth_core.engines.tumor.joint import JointNetwork, joint_loss
from medsynth_core.engines.tumor.judge import lessons_of
from medsynth_core.engines.tumor.model import load_model, save_model
from medsynth_core.engines.tumor.network import SlabNetwork, numbers_of
from medsynth_core.engines.tumor.objective import autoencoder_loss, draw_times, flow_loss, slab_loss
from medsynth_core.engines.tumor.presets import Preset
from medsynth_core.engines.tumor.prior import Prior
from medsynth_core.engines.tumor.slabs import draw_slabs
from medsynth_core.engines.tumor.stacks import Stack, distance_of
from medsynth_core.engines.tumor.views import View, described, seen_as
from medsynth_core.evaluation.teaching import Teaching, teach
from medsynth_core.protocol import ModelCard, Thresholds
from medsynth_core.training.curves import mosaic
from medsynth_core.training.ledger import Ledger
from medsynth_core.training.recipe import FromPreset

RUN = 4
"""Consecutive slices the autoencoder sees at once."""
STRIP_SLICES = 8
VALIDATION_SLABS, VALIDATION_SEED = 8, 1


@dataclass(frozen=True)
class TumorRecipe(FromPreset):
    """A preset, the stacks to learn from and those to choose by (`validation`), what patients were like, the card."""

    preset: Preset
    training: tuple[Stack, ...]
    validation: tuple[Stack, ...]
    prior: Prior
    blank_card: ModelCard
    seed: int = 0
    base: Path | None = None
    device: str = "cpu"
    notices: tuple[str, ...] = ()
    ledger: Ledger | None = None
    _views: dict[str, list[list[View]]] = field(default_factory=dict, repr=False, compare=False)

    def build(self) -> nn.ModuleDict:
        """Return autoencoder and slab network: new ones, or those of the base model.

        A base of the other kind, of whole stacks or of slabs, gives its autoencoder alone.
        """
        p = self.preset
        base = load_model(self.base) if self.base is not None else None
        if base is not None and base.whole_stack == p.joint:
            return nn.ModuleDict({"autoencoder": base.autoencoder, "slabs": base.network})
        autoencoder = base.autoencoder if base else SliceAutoencoder(p.autoencoder_widths, p.latent_channels)
        slabs = JointNetwork(latent_channels=p.latent_channels) if p.joint else None
        return nn.ModuleDict({"autoencoder": autoencoder, "slabs": slabs or SlabNetwork(p.widths, p.latent_channels, p.depth)})

    def before(self, step: int, networks: nn.ModuleDict, average: nn.ModuleDict) -> None:
        """Between the stages: go on with the averaged autoencoder, and bring its latents to mean 0 and spread 1."""
        if step != self.preset.autoencoder_steps or self.base is not None:
            return
        networks["autoencoder"].load_state_dict(average["autoencoder"].state_dict())
        _autoencoder(networks).standardize(torch.cat([self._encode(_autoencoder(networks), s) for s in self.training]))
        average["autoencoder"].load_state_dict(networks["autoencoder"].state_dict())

    def loss(self, networks: nn.ModuleDict, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the terms of the loss at this step: of the autoencoder during its steps, of the slab network after them."""
        if step < self.preset.autoencoder_steps and self.base is None:
            return autoencoder_loss(_autoencoder(networks), self._runs(generator), generator)
        p = self.preset
        views = self._views_of("training", self.training, _autoencoder(networks), p.views)
        if p.joint:
            return self._joint_loss(networks["slabs"], views, generator)
        batch = draw_slabs(views, p.slabs, p.slab, p.inpaint, generator).to(self.device)
        return slab_loss(networks["slabs"], batch, generator)

    @torch.no_grad()
    def validation_loss(self, networks: nn.ModuleDict) -> float:
        """Return the velocity loss on fixed slabs of other patients; NaN while there is none, and for whole stacks."""
        autoencoder = _autoencoder(networks)
        if not self.validation or not autoencoder.is_standardized or self.preset.joint:
            return math.nan
        views = self._views_of("validation", self.validation, autoencoder, 1)
        generator = torch.Generator().manual_seed(VALIDATION_SEED)
        batch = draw_slabs(views, VALIDATION_SLABS, self.preset.slab, 0.0, generator).to(self.device)
        times = draw_times(batch.free.cpu(), generator).to(self.device)
        asked = torch.ones(len(times), dtype=torch.bool, device=self.device)
        return float(flow_loss(networks["slabs"], batch, times, asked))

    @torch.no_grad()
    def strip(self, networks: nn.ModuleDict) -> np.ndarray:
        """Return rows of slices through the tumor of one patient: real, and through the autoencoder; image and mask each."""
        stack = (self.validation or self.training)[0]
        middle = int(np.argmax(stack.mask.sum(axis=(1, 2))))
        rows = np.clip(np.arange(STRIP_SLICES) - STRIP_SLICES // 2 + middle, 0, len(stack.image) - 1)
        real = _channels(stack)[rows]
        latents = self._encode(_autoencoder(networks), stack)[rows].to(self.device)
        made = _autoencoder(networks).decode(torch.cat([latents[:1], latents, latents[-1:]])).cpu()
        return mosaic([part.clamp(-1, 1) for part in (real[:, :1], made[:, :1], real[:, 1:], made[:, 1:])])

    def save(self, networks: nn.ModuleDict, folder: Path) -> None:
        """Write both networks, in half precision, and the prior as parts of a model folder."""
        save_model(networks["autoencoder"], networks["slabs"], self.prior, folder)

    def judge(self, place: Path, teaching: Teaching) -> Thresholds:
        """Teach the judge of its volumes, on the real ones."""
        return teach(lessons_of(self.training, self.validation), place, teaching)

    def _joint_loss(self, network: nn.Module, views: list[list[View]], generator: torch.Generator) -> dict[str, Tensor]:
        """Return the mean loss of some whole stacks, one after the other: their heights differ."""
        losses = []
        for _ in range(self.preset.slabs):
            patient = views[int(torch.randint(len(views), (1,), generator=generator))]
            view = patient[int(torch.randint(len(patient), (1,), generator=generator))]
            latents = view.latents.float()[None].to(self.device)
            numbers = torch.tensor([numbers_of(view.shape)], device=self.device)
            losses.append(joint_loss(network, latents, numbers, generator))
        return {"joint": torch.stack(losses).mean()}

    def _runs(self, generator: torch.Generator) -> Tensor:
        """Return runs (B, 4, 2, y, x) of consecutive slices, half of them through a tumor, mirrored at random."""
        runs = []
        for i in torch.randint(len(self.training), (self.preset.runs,), generator=generator).tolist():
            stack = self.training[i]
            tumor = np.flatnonzero(stack.mask.any(axis=(1, 2)))
            anywhere = int(torch.randint(len(stack.image), (1,), generator=generator))
            inside = int(tumor[int(torch.randint(len(tumor), (1,), generator=generator))])
            start = (inside if torch.rand(1, generator=generator) < 0.5 else anywhere) - RUN // 2
            start = max(0, min(start, len(stack.image) - RUN))
            run = _channels(Stack(stack.image[start : start + RUN], stack.mask[start : start + RUN], stack.slice_mm))
            runs.append(run.flip(-1) if torch.rand(1, generator=generator) < 0.5 else run)
        return torch.stack(runs).to(self.device)

    def _views_of(self, side: str, stacks: tuple[Stack, ...], autoencoder: SliceAutoencoder, count: int) -> list[list[View]]:
        if side not in self._views:
            self._views[side] = [self._views_of_one(i, stack, autoencoder, count) for i, stack in enumerate(stacks)]
        return self._views[side]

    def _views_of_one(self, index: int, stack: Stack, autoencoder: SliceAutoencoder, count: int) -> list[View]:
        seen = [seen_as(stack, view, self.seed * 1009 + index) for view in range(count)]
        shown = [seen[0], *(s for s in seen[1:] if (s.mask > 0.5).any())]  # a small tumor may be moved out of the field
        return [described(s, self._encode(autoencoder, s)) for s in shown]

    @torch.no_grad()
    def _encode(self, autoencoder: SliceAutoencoder, stack: Stack) -> Tensor:
        slices = _channels(stack)
        return torch.cat([autoencoder.encode(part.to(self.device)).cpu() for part in slices.split(32)])


def _channels(stack: Stack) -> Tensor:
    """Return the two channels of the autoencoder, (z, 2, y, x) in [−1, 1]."""
    return torch.stack([torch.from_numpy(stack.image) * 2 - 1, torch.from_numpy(distance_of(stack.mask))], dim=1)


def _autoencoder(networks: nn.ModuleDict) -> SliceAutoencoder:
    return cast(SliceAutoencoder, networks["autoencoder"])
