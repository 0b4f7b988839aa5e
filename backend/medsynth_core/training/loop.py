"""The training loop: reads top to bottom, and resumes by being run again.

    model folder/          the model as it stands (average weights), usable at any moment; the best one when a session has ended
    └── training/          what `keeping` describes, and curves.png

Every step draws its chance from (seed, step), so a training that was killed or paused and run again ends with the same bytes as
one that was not (on the same device). The best state is chosen at fixed steps by the loss on the tuning side.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from medsynth_core.models.folder import finish_folder
from medsynth_core.protocol import ModelCard
from medsynth_core.protocol_training import TrainingLine
from medsynth_core.training import checkpoint, ema
from medsynth_core.training.control import Control, NoControl, Pace, Wish
from medsynth_core.training.curves import draw_curves, save_picture
from medsynth_core.training.keeping import Keeping
from medsynth_core.training.ledger import begun, write_ledger
from medsynth_core.training.recipe import Recipe

__all__ = ["Control", "Pace", "TrainingProgress", "Wish", "train"]

GRADIENT_NORM = 1.0
WARM_UP_STEPS = 200
MOST_SAVING = 0.05
"""Share of the time that may go into saving because time has passed: the state of a large network takes a while to write."""


@dataclass(frozen=True)
class TrainingProgress:
    """One report: steps done of all, the loss terms averaged since the last report, time left (None at first)."""

    step: int
    steps: int
    losses: dict[str, float]
    validation: float
    seconds_left: float | None


def train(
    recipe: Recipe,
    out: Path,
    report: Callable[[TrainingProgress], None],
    pace: Pace | None = None,
    device: str = "cpu",
    control: Control | None = None,
) -> ModelCard:
    """Train until `recipe.steps`, the pace's time is used up or `control` ends it, and return the card of the model in `out`.

    Run again with the same recipe and folder, it goes on where it stopped.
    """
    pace, control, keeping = pace or Pace(), control or NoControl(), Keeping(out)
    keeping.folder.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(recipe.seed)  # initial weights only: every later draw has its own generator
    networks = recipe.build().to(device)
    average = copy.deepcopy(networks).requires_grad_(False)
    optimizer = torch.optim.AdamW(networks.parameters(), lr=recipe.learning_rate, weight_decay=1e-4)
    done = checkpoint.load(keeping.checkpoint, networks, average, optimizer) if keeping.checkpoint.exists() else 0
    keeping.forget_after(done)

    ledger = begun(recipe.ledger, keeping.folder, anew=done == 0) if recipe.ledger is not None else None

    def write(folder: Path) -> ModelCard:
        recipe.save(average, folder)
        if ledger is not None:
            write_ledger(ledger, folder)
        return finish_folder(folder, recipe.card(done))

    started, first = time.monotonic(), done
    due = started + pace.save_seconds
    sums: dict[str, list[float]] = {}
    for step in range(done, recipe.steps):
        generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
        recipe.before(step, networks, average)
        losses = recipe.loss(networks, step, generator)
        total = torch.stack(list(losses.values())).sum()
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(networks.parameters(), GRADIENT_NORM)
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * min(1.0, (step + 1) / WARM_UP_STEPS)
        optimizer.step()
        done = step + 1
        ema.update(average, networks, done)

        for name, value in losses.items():
            sums.setdefault(name, []).append(float(value.detach()))
        elapsed, wish = time.monotonic() - started, control.wish(done)
        out_of_time = pace.seconds is not None and elapsed > pace.seconds
        ends = done == recipe.steps or wish is Wish.STOP
        last = ends or out_of_time or wish is Wish.PAUSE
        looks = done % pace.look_every == 0 or ends
        validation = math.nan
        if looks or out_of_time:
            validation = recipe.validation_loss(average)
            save_picture(recipe.strip(average), keeping.strip(done))
        if looks:  # not when time was up: going on must choose as if there had been no end
            keeping.offer(done, validation, write)
        lined = done % pace.report_every == 0 or looks or last
        if lined:
            means = {name: math.fsum(values) / len(values) for name, values in sums.items()}
            keeping.add_line(TrainingLine(done, means, None if math.isnan(validation) else validation))
            left = elapsed / (done - first) * (recipe.steps - done)
            report(TrainingProgress(done, recipe.steps, means, validation, left))
            sums = {}
        if done % pace.save_every == 0 or last or (lined and time.monotonic() > due):  # with a line: its sums are not saved
            begun_at = time.monotonic()
            checkpoint.save(keeping.checkpoint, done, networks, average, optimizer)
            write(out)
            due = time.monotonic() + max(pace.save_seconds, (time.monotonic() - begun_at) / MOST_SAVING)
        if last:
            break
    draw_curves(keeping.lines(), keeping.folder / "curves.png")
    return keeping.settle()
