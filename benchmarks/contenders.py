"""Who is compared: the shipped model at several steps, and four networks trained here on the same data for the same time."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from medsynth_core.engines._base import Slice, Task
from medsynth_core.engines.synthesize.engine import ENGINE
from medsynth_core.engines.synthesize.recipe import SynthesizeRecipe
from medsynth_core.evaluation.baseline import Baseline, BaselineSettings, train_baseline
from medsynth_core.evaluation.generator import Generator, Images, Masks, Options, Pairs
from medsynth_core.training.loop import Pace, train
from medsynth_core.volume import Volume

OBJECTIVES = {"siamese": "siamese", "no consistency term": "mask-only", "plain concatenation": "concat"}
"""Name in the table → objective of the preset."""

BASELINE = "pix2pix, one step"
PROBES = 3


@dataclass(frozen=True)
class Contender:
    """A generator with its name and what its training cost: seconds (0 for the shipped model) and optimizer steps."""

    name: str
    generator: Generator
    seconds: float = 0.0
    steps: int = 0


@dataclass(frozen=True)
class EngineGenerator:
    """A model of the synthesize engine as its users get it: through the engine's own `run`."""

    model: Any
    steps: int

    def __call__(self, masks: Masks, options: Options, seeds: Sequence[int]) -> Images:
        """Make one image for each mask: a `Generator`."""
        return np.stack([self._one(mask, row, seed) for mask, row, seed in zip(masks, options, seeds, strict=True)])

    def _one(self, mask: np.ndarray, row: np.ndarray, seed: int) -> np.ndarray:
        card = self.model.card
        values = {option.name: option.choices[int(i)] for option, i in zip(card.options, row, strict=True)}
        params, chosen = ENGINE.read_params({"steps": self.steps, **values}, card)
        task = Task({"mask": Volume.from_image(mask)}, params, seed, self.model, chosen)
        (made,) = (event.array for event in ENGINE.run(task) if isinstance(event, Slice))
        return made


def load_engine_model(folder: Path, device: str) -> Any:
    """Return the loaded model of a model folder."""
    assert ENGINE.load is not None
    return ENGINE.load(folder, device)


def train_contenders(recipe: SynthesizeRecipe, real: Pairs, seconds: float, out: Path) -> Iterator[Contender]:
    """Yield the four networks, one trained after the other, each for `seconds` with the same pairs."""
    for name, objective in OBJECTIVES.items():
        preset = dataclasses.replace(recipe.preset, objective=objective)
        of_its_own = dataclasses.replace(recipe, preset=preset, base=None)
        fitted = dataclasses.replace(preset, steps=steps_within(of_its_own, seconds))
        folder = out / objective
        shutil.rmtree(folder, ignore_errors=True)  # else it would go on with the training of an earlier run
        started = time.monotonic()
        card = train(dataclasses.replace(of_its_own, preset=fitted), folder, _say(name), _pace(seconds), recipe.device)
        model = load_engine_model(folder, recipe.device)
        yield Contender(name, EngineGenerator(model, 4), time.monotonic() - started, card.steps)
    yield _trained_baseline(real, seconds, recipe)


def steps_within(recipe: SynthesizeRecipe, seconds: float) -> int:
    """Return how many steps of the recipe fit into `seconds`, from the time of a few steps in the middle of each stage."""
    networks = recipe.build().to(recipe.device)
    middles, reached = [], 0.0
    for share, _ in recipe.preset.stages:
        middles.append((share, int((reached + share / 2) * recipe.steps)))
        reached += share
    cost = sum(share * _seconds_per_step(recipe, networks, step) for share, step in middles)
    return max(2, int(seconds / cost))


def _seconds_per_step(recipe: SynthesizeRecipe, networks: nn.ModuleDict, step: int) -> float:
    optimizer = torch.optim.AdamW(networks.parameters(), lr=0.0)
    times = []
    for probe in range(PROBES + 1):
        started = time.perf_counter()
        losses = recipe.loss(networks, step, torch.Generator().manual_seed(probe))
        torch.stack(list(losses.values())).sum().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if recipe.device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return float(np.mean(times[1:]))  # the first one also pays for memory and plans


def _trained_baseline(real: Pairs, seconds: float, recipe: SynthesizeRecipe) -> Contender:
    settings = BaselineSettings(seconds=seconds, jitter=_same_augmentation(recipe))
    baseline = Baseline(real.channels, real.labels, real.option_sizes, settings).to(recipe.device)
    started, steps = time.monotonic(), 0
    for steps, (loss_d, loss_g) in enumerate(train_baseline(baseline, real, settings), start=1):
        if steps % 100 == 0:
            print(f"  {BASELINE}: step {steps}, {loss_d:.3f} {loss_g:.3f}", flush=True)
    baseline.eval()
    return Contender(BASELINE, baseline, time.monotonic() - started, steps)


def _same_augmentation(recipe: SynthesizeRecipe) -> Any:
    asked = recipe.preset.augmentation
    zoom = (1 - asked.zoom, 1 + asked.zoom)
    return dataclasses.replace(BaselineSettings().jitter, zoom=zoom, shift=asked.shift, mirror=(asked.mirror_x, asked.mirror_y))


def _pace(seconds: float) -> Pace:
    never = 10**9
    return Pace(seconds=seconds, report_every=100, look_every=never, save_every=never)


def _say(name: str) -> Any:
    return lambda p: print(f"  {name}: step {p.step} of {p.steps}, {sum(p.losses.values()):.3f}", flush=True)
