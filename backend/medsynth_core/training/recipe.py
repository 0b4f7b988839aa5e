"""What an engine hands to the shared training loop."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from medsynth_core.protocol import ModelCard, Thresholds
from medsynth_core.training.ledger import Ledger

TOY = "toy"
"""How the names of presets end that are there to try the way."""


class Recipe(Protocol):
    """One training: its networks, its loss at a step, and how the result is shown and saved.

    A step's chance comes from the generator it is handed and from nothing else: that is what makes a training resume bit for bit.
    """

    @property
    def steps(self) -> int:
        """Return the optimizer steps of the whole training."""

    @property
    def learning_rate(self) -> float:
        """Return the step size after the warm-up."""

    @property
    def seed(self) -> int:
        """Return what all chance of the training follows from."""

    @property
    def is_trial(self) -> bool:
        """Return whether it is there to try the way, not the model."""

    @property
    def notices(self) -> tuple[str, ...]:
        """Return what a user should know about the data before the training starts: counts and warnings, a sentence each."""

    @property
    def ledger(self) -> Ledger | None:
        """Return the record of the cases on each side; None for a training on what nobody can list."""

    def build(self) -> nn.ModuleDict:
        """Return freshly initialized networks by name."""

    def before(self, step: int, networks: nn.ModuleDict, average: nn.ModuleDict) -> None:
        """Get ready for step number `step` (from 0), such as for the second stage of a training; called again after a resume."""

    def loss(self, networks: nn.ModuleDict, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the terms of the loss at step number `step` (from 0); their sum is minimized."""

    def validation_loss(self, networks: nn.ModuleDict) -> float:
        """Return the loss on held-out data with fixed chance; NaN if there is none."""

    def strip(self, networks: nn.ModuleDict) -> np.ndarray:
        """Return a picture (y, x, 3) uint8 of samples from fixed seeds."""

    def card(self, steps_done: int) -> ModelCard:
        """Return the card of the model after that many steps, without checksums."""

    def save(self, networks: nn.ModuleDict, folder: Path) -> None:
        """Write the networks as parts of a model folder."""

    def judge(self, place: Path, teaching: Any) -> Thresholds | None:
        """Write into a folder what the model's results will be judged by, and return the thresholds for its card.

        `teaching` is an `evaluation.teaching.Teaching`. None for a model whose results are not judged.
        """


class Schedule(Protocol):
    """What every preset says about a training."""

    @property
    def name(self) -> str:
        """Return what it is chosen by."""

    @property
    def steps(self) -> int:
        """Return the optimizer steps of the whole training."""

    @property
    def learning_rate(self) -> float:
        """Return AdamW's step size after the warm-up."""


class FromPreset:
    """What of a recipe follows from its preset and its card to be alone; the recipes are dataclasses that hold both."""

    preset: Schedule
    blank_card: ModelCard
    notices: tuple[str, ...] = ()
    ledger: Ledger | None = None

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole training."""
        return self.preset.steps

    @property
    def learning_rate(self) -> float:
        """AdamW's step size after the warm-up."""
        return self.preset.learning_rate

    @property
    def is_trial(self) -> bool:
        """Whether the preset is one of the toys."""
        return self.preset.name.endswith(TOY)

    def before(self, step: int, networks: nn.ModuleDict, average: nn.ModuleDict) -> None:
        """Most trainings have one stage and nothing to get ready for."""

    def judge(self, place: Path, teaching: Any) -> Thresholds | None:
        """Models that only serve others have no judge."""
        return None

    def card(self, steps_done: int) -> ModelCard:
        """Return the card after that many steps, those of a base model counted in."""
        return dataclasses.replace(self.blank_card, steps=self.blank_card.steps + steps_done)
