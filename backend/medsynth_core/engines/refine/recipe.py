"""How the shared loop trains a refiner."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from medsynth_core.engines.refine.batches import Batch, make_batch
from medsynth_core.engines.refine.items import Item
from medsynth_core.engines.refine.judge import teach
from medsynth_core.engines.refine.model import load_model, save_model
from medsynth_core.engines.refine.network import ImageEncoder, MaskNetwork
from medsynth_core.engines.refine.objective import draw_state, loss_terms, refine_loss
from medsynth_core.engines.refine.presets import Preset
from medsynth_core.evaluation.teaching import Teaching
from medsynth_core.protocol import ModelCard, Thresholds
from medsynth_core.training.ahead import Ahead
from medsynth_core.training.curves import mosaic
from medsynth_core.training.ledger import Ledger
from medsynth_core.training.recipe import FromPreset

STRIP_SAMPLES = 8
VALIDATION_ITEMS = 48


@dataclass(frozen=True)
class RefineRecipe(FromPreset):
    """A preset, the items of each source with the source's share, the items for validation, and the card to be."""

    preset: Preset
    training: tuple[tuple[Item, ...], ...]
    shares: tuple[float, ...]
    validation: tuple[Item, ...]
    blank_card: ModelCard
    seed: int = 0
    base: Path | None = None
    device: str = "cpu"
    ledger: Ledger | None = None

    def build(self) -> nn.ModuleDict:
        """Return image encoder and mask network: new ones, or those of the base model."""
        if self.base is not None:
            model = load_model(self.base)
            return nn.ModuleDict({"encoder": model.encoder, "masks": model.masks})
        widths = self.preset.widths
        return nn.ModuleDict({"encoder": ImageEncoder(widths), "masks": MaskNetwork(widths)})

    def loss(self, networks: nn.ModuleDict, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the terms of the loss on the batch of this step."""
        batch = self._ahead.take(step).to(self.device)
        state = draw_state(batch, self.preset.gaussian_share, generator, self.preset.one_pass)
        return refine_loss(networks["encoder"], networks["masks"], batch, state)

    @torch.no_grad()
    def validation_loss(self, networks: nn.ModuleDict) -> float:
        """Return the loss of one step from the coarse mask, on fixed windows of items that are not trained on."""
        if not self.validation:
            return math.nan
        batch = self._fixed(VALIDATION_ITEMS).to(self.device)
        return float(torch.stack(list(loss_terms(self._one_step(networks, batch), batch.fine).values())).sum())

    @torch.no_grad()
    def strip(self, networks: nn.ModuleDict) -> np.ndarray:
        """Return four rows: images, coarse masks, one-step results and true masks."""
        batch = self._fixed(STRIP_SAMPLES).to(self.device)
        made = self._one_step(networks, batch).sigmoid() * 2 - 1
        return mosaic([batch.image, batch.coarse, made, batch.fine])

    def save(self, networks: nn.ModuleDict, folder: Path) -> None:
        """Write both networks, in half precision, as parts of a model folder."""
        save_model(networks["encoder"], networks["masks"], folder)

    def judge(self, place: Path, teaching: Teaching) -> Thresholds:
        """Note what its training images are like."""
        return teach(self.training, self.validation, place)

    def batch_at(self, step: int) -> Batch:
        """Return the batch of step number `step` (from 0): the same, whenever it is asked for."""
        rng = np.random.default_rng((self.seed, step))
        pool = rng.choice(len(self.training), size=self.preset.batch, p=np.array(self.shares) / sum(self.shares))
        items = [self.training[i][rng.integers(len(self.training[i]))] for i in pool]
        return make_batch(items, self.preset.pixels, int(rng.integers(2**62)))

    @functools.cached_property
    def _ahead(self) -> Ahead[Batch]:
        return Ahead(self.batch_at, self.steps)

    def _fixed(self, count: int) -> Batch:
        source = self.validation or tuple(item for part in self.training for item in part)
        rows = np.linspace(0, len(source) - 1, count).round().astype(int)
        return make_batch([source[i] for i in rows], self.preset.pixels, self.seed, augment=False)

    def _one_step(self, networks: nn.ModuleDict, batch: Batch) -> Tensor:
        n = len(batch.image)
        t, kind = torch.ones(n, device=self.device), torch.zeros(n, dtype=torch.long, device=self.device)
        return networks["masks"](batch.coarse, t, batch.distance, networks["encoder"](batch.image), kind)
