"""How the shared loop trains a nuclei model: steps of both networks in turn, so that whenever it stops, both are usable."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from medsynth_core.engines.nuclei.batches import image_batch, structure_batch
from medsynth_core.engines.nuclei.judge import lessons_of
from medsynth_core.engines.nuclei.model import NucleiModel, load_model, save_model
from medsynth_core.engines.nuclei.network import HINTS, STAIN_NUMBERS, Denoiser
from medsynth_core.engines.nuclei.objective import Fields, draw, flow_loss
from medsynth_core.engines.nuclei.presets import Preset
from medsynth_core.engines.nuclei.prior import Prior
from medsynth_core.engines.nuclei.sampling import Manner
from medsynth_core.engines.nuclei.tiles import PIXELS, Tile
from medsynth_core.evaluation.teaching import Teaching, teach
from medsynth_core.imaging.nuclei_maps import maps_of
from medsynth_core.protocol import ModelCard, Thresholds
from medsynth_core.training.ahead import Ahead
from medsynth_core.training.curves import mosaic
from medsynth_core.training.ledger import Ledger
from medsynth_core.training.recipe import FromPreset

VALIDATION_BATCHES, VALIDATION_SEED = 2, 1
STRIP_PIECES, STRIP_SEED, STRIP_MANNER = 4, 100, Manner(steps=8, guidance=1.0)


@dataclass(frozen=True)
class NucleiRecipe(FromPreset):
    """A preset, the tiles to learn from and those to choose by (`validation`), what training patches were like, the card."""

    preset: Preset
    training: tuple[Tile, ...]
    validation: tuple[Tile, ...]
    prior: Prior
    blank_card: ModelCard
    seed: int = 0
    base: Path | None = None
    device: str = "cpu"
    notices: tuple[str, ...] = ()
    ledger: Ledger | None = None

    def build(self) -> nn.ModuleDict:
        """Return structure network, image network and its hints: new ones, or those of the base model."""
        if self.base is not None:
            model = load_model(self.base)
            return nn.ModuleDict({"structures": model.structures, "images": model.images, "hints": model.hints})
        structures = Denoiser(widths=self.preset.widths, patch=2)
        images = Denoiser(3, STAIN_NUMBERS, self.preset.image_widths, patch=4)
        hints = HINTS[self.preset.hint](widths=self.preset.image_widths)
        return nn.ModuleDict({"structures": structures, "images": images, "hints": hints})

    def loss(self, networks: nn.ModuleDict, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the loss of the network whose step it is."""
        batch = self._ahead.take(step).to(self.device)
        return self._losses(networks, batch, generator, dropout=None)

    @torch.no_grad()
    def validation_loss(self, networks: nn.ModuleDict) -> float:
        """Return the sum of both losses on fixed pieces of tiles that are not trained on; NaN if there are none."""
        if not self.validation:
            return math.nan
        total = 0.0
        for make in (structure_batch, image_batch):
            batch = make(self.validation, VALIDATION_BATCHES * self.preset.batch, np.random.default_rng(VALIDATION_SEED)).to(
                self.device
            )
            generator = torch.Generator().manual_seed(VALIDATION_SEED)
            total += sum(float(loss) for loss in self._losses(networks, batch, generator, dropout=0.0).values())
        return total

    @torch.no_grad()
    def strip(self, networks: nn.ModuleDict) -> np.ndarray:
        """Return four rows: made structures, images of them, images of real structures, and the real images."""
        structures, images = (cast(Denoiser, networks[name]) for name in ("structures", "images"))
        model = NucleiModel(structures, images, networks["hints"], self.prior, self.card(0), self.device)
        rng = np.random.default_rng(self.seed)
        tiles = self.validation or self.training
        real = [tiles[int(i)] for i in np.linspace(0, len(tiles) - 1, min(STRIP_PIECES, self.preset.batch)).round()]
        rows: list[list[Tensor]] = [[], [], [], []]
        for i, tile in enumerate(real):
            row = self.prior.draw(int(rng.integers(2**31)))
            made = model.new_field((PIXELS, PIXELS), row, STRIP_SEED + i, STRIP_MANNER)
            there = tile.instances[:PIXELS, :PIXELS]
            rows[0].append(torch.from_numpy(maps_of(made)))
            rows[1].append(model.paint(made, row.stain, STRIP_SEED + i, STRIP_MANNER))
            rows[2].append(model.paint(there, tile.stain, STRIP_SEED + i, STRIP_MANNER))
            rows[3].append(torch.from_numpy(tile.image[:, :PIXELS, :PIXELS]).float() / 127.5 - 1)
        return mosaic([torch.stack(row) for row in rows])

    def save(self, networks: nn.ModuleDict, folder: Path) -> None:
        """Write the three networks, in half precision, and the prior as parts of a model folder."""
        save_model(networks["structures"], networks["images"], networks["hints"], self.prior, folder)

    def judge(self, place: Path, teaching: Teaching) -> Thresholds:
        """Teach the judge of its tiles, on the real ones."""
        return teach(lessons_of(self.training, self.validation, self.seed), place, teaching)

    def batch_at(self, step: int) -> Fields:
        """Return the batch of step number `step` (from 0): the same, whenever it is asked for."""
        rng = np.random.default_rng((self.seed, step))
        make = structure_batch if self.preset.teaches_structures(step) else image_batch
        return make(self.training, self.preset.batch, rng)

    @functools.cached_property
    def _ahead(self) -> Ahead[Fields]:
        return Ahead(self.batch_at, self.steps)

    def _losses(
        self, networks: nn.ModuleDict, batch: Fields, generator: torch.Generator, dropout: float | None
    ) -> dict[str, Tensor]:
        chance = draw(batch, generator) if dropout is None else draw(batch, generator, dropout)
        if batch.hint.shape[1] == 0:
            return {"structure": flow_loss(cast(Denoiser, networks["structures"]), None, batch, chance)}
        return {"image": flow_loss(cast(Denoiser, networks["images"]), networks["hints"], batch, chance)}
