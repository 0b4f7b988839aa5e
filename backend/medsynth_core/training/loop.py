"""The training loop: reads top to bottom, and resumes by being run again.

    model folder/          the model as it stands (average weights), usable at any moment
    └── training/          checkpoint.safetensors · log.jsonl · curves.png · strip-000500.png …

Every step draws its chance from (seed, step), so a training that was killed and run again ends with the same bytes as one that
was not (on the same device).
"""

from __future__ import annotations

import copy
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from medsynth_core.models.folder import finish_folder
from medsynth_core.protocol import ModelCard
from medsynth_core.training import checkpoint, ema
from medsynth_core.training.curves import draw_curves, save_picture
from medsynth_core.training.recipe import Recipe

GRADIENT_NORM = 1.0
WARM_UP_STEPS = 200


@dataclass(frozen=True)
class Pace:
    """When the loop stops and writes. `seconds` ends a session early (the next run goes on); None means until done."""

    seconds: float | None = None
    report_every: int = 20
    look_every: int = 500
    save_every: int = 500


@dataclass(frozen=True)
class TrainingProgress:
    """One report: steps done of all, the loss terms averaged since the last report, time left (None at first)."""

    step: int
    steps: int
    losses: dict[str, float]
    validation: float
    seconds_left: float | None


def train(
    recipe: Recipe, out: Path, report: Callable[[TrainingProgress], None], pace: Pace | None = None, device: str = "cpu"
) -> ModelCard:
    """Train until `recipe.steps`, or until the pace's time is used up, and return the card of the model in `out`.

    Run again with the same recipe and folder, it goes on where it stopped.
    """
    pace = pace or Pace()
    (out / "training").mkdir(parents=True, exist_ok=True)
    state = out / "training" / "checkpoint.safetensors"
    log = out / "training" / "log.jsonl"

    torch.manual_seed(recipe.seed)  # initial weights only: every later draw has its own generator
    networks = recipe.build().to(device)
    average = copy.deepcopy(networks).requires_grad_(False)
    optimizer = torch.optim.AdamW(networks.parameters(), lr=recipe.learning_rate, weight_decay=1e-4)
    done = checkpoint.load(state, networks, average, optimizer) if state.exists() else 0
    _forget_after(log, done)

    started, first, validation = time.monotonic(), done, math.nan
    sums: dict[str, float] = {}
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
            sums[name] = sums.get(name, 0.0) + float(value.detach()) / pace.report_every
        elapsed = time.monotonic() - started
        out_of_time = pace.seconds is not None and elapsed > pace.seconds
        last = done == recipe.steps or out_of_time
        if done % pace.look_every == 0 or last:
            validation = recipe.validation_loss(average)
            save_picture(recipe.strip(average), out / "training" / f"strip-{done:06d}.png")
        if done % pace.report_every == 0 or last:
            left = elapsed / (done - first) * (recipe.steps - done)
            _write_line(log, {"step": done, "validation": None if math.isnan(validation) else validation, **sums})
            report(TrainingProgress(done, recipe.steps, sums, validation, left))
            sums, validation = {}, math.nan
        if done % pace.save_every == 0 or last:
            checkpoint.save(state, done, networks, average, optimizer)
            recipe.save(average, out)
            finish_folder(out, recipe.card(done))
        if last:
            break
    draw_curves(log, out / "training" / "curves.png")
    return finish_folder(out, recipe.card(done))


def _write_line(log: Path, values: dict[str, float | int | None]) -> None:
    with log.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(values) + "\n")


def _forget_after(log: Path, step: int) -> None:
    """Drop log lines of steps that were lost with a kill and will be made again, and a line that was cut short."""
    if log.exists():
        lines = log.read_text("utf-8").splitlines(keepends=True)
        kept = [line for line in lines if line.endswith("}\n") and json.loads(line)["step"] <= step]
        partial = log.with_suffix(".partial")
        partial.write_text("".join(kept), "utf-8")
        os.replace(partial, log)
