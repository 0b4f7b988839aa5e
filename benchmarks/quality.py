"""Mask adherence and KID of the shipped model against four networks trained here on the same data for the same time.

    make bench-quality                                   both starter models, 10 minutes for each network
    make bench-quality BENCH="--model polyp --minutes 60"

The judges (segmenter, feature network) see the real training split only; every figure is of the held-out side. The floor
is the distance between two halves of the real validation images.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from skimage.filters import gaussian

from benchmarks.contenders import Contender, EngineGenerator, load_engine_model, train_contenders
from benchmarks.lesson import say_lesson
from benchmarks.report import print_table, write_json
from benchmarks.unmet import unmet_pairs
from medsynth_core.engines.synthesize.dataset import PairArrays, load
from medsynth_core.engines.synthesize.prepare import prepare
from medsynth_core.engines.synthesize.recipe import SynthesizeRecipe
from medsynth_core.engines.synthesize.starters import get_starter
from medsynth_core.evaluation.adherence import adherence
from medsynth_core.evaluation.generator import Pairs
from medsynth_core.evaluation.judges import Judges, JudgeSettings, prepare_judges
from medsynth_core.evaluation.metrics import boundary_iou, kid, split_half_kid
from medsynth_core.models import registry
from medsynth_core.models.card import read_card, write_card
from medsynth_core.training.order import TrainingOrder
from medsynth_core.training.sides import read_sides

FOLDERS = {"polyp": "polyp_polypgen", "brain-slice": "brain_brisc2025"}
"""Starter model → folder of its data set."""


@dataclass(frozen=True)
class Row:
    """One contender's figures. KID × 1000 with its standard deviation over subsets; Dice on synthetic images and on real ones."""

    contender: str
    adherence: float
    adherence_small: float
    dice: float
    dice_real: float
    boundary_iou: float
    kid: float
    kid_sd: float
    training_seconds: float
    training_steps: int


def main() -> None:
    """Measure every model asked for."""
    asked = _arguments()
    for model in asked.model:
        measure(model, asked)


def measure(model: str, asked: argparse.Namespace) -> None:
    """Print one model's table and write its JSON."""
    recipe = prepare(asked.data / FOLDERS[model] / "train", TrainingOrder(starter=model, device=asked.device))
    assert isinstance(recipe, SynthesizeRecipe)
    held_out = _held_out(asked.data / FOLDERS[model] / "train", recipe, asked.folder or registry.find(model))
    training, validation = _pairs(recipe.training, recipe), _pairs(held_out, recipe)
    print(f"\n{model}: {len(training)} training pairs, {len(validation)} validation pairs", flush=True)
    judges = prepare_judges(asked.out / "judges" / model, model, training, _judge_settings(asked), say_lesson, asked.device)
    real = judges.features(validation.images)
    floor = split_half_kid(real)

    rows = []
    for contender in _contenders(model, recipe, training, asked):
        rows.append(score(contender, judges, validation))
        print(f"  {contender.name}: adherence {rows[-1].adherence:.3f}, KID {rows[-1].kid:.2f}", flush=True)
    print(f"\nsegmenter {judges.segmenter_name}, features {judges.features_name}")
    print(f"real images: Dice {rows[0].dice_real:.3f}, KID×1000 between halves {1000 * floor.mean:.2f} ± {1000 * floor.sd:.2f}\n")
    print_table(_table(rows))
    print(f"\nKID×1000 of real images made worse on purpose, to be well above the floor: {controls(judges, validation)}")
    settings = {"model": model, "minutes": asked.minutes, "device": asked.device, "floor": [1000 * floor.mean, 1000 * floor.sd]}
    settings |= {"segmenter": judges.segmenter_name, "features": judges.features_name, "validation_pairs": len(validation)}
    print(f"\n{write_json(asked.out, f'quality-{model}', settings, rows).name} written")
    if asked.card:
        _write_figures(asked.folder or registry.find(model), rows, 1000 * floor.mean)


def score(contender: Contender, judges: Judges, validation: Pairs) -> Row:
    """Return the figures of one contender on the validation masks, one image a mask."""
    made = contender.generator(validation.masks, validation.options, range(len(validation)))
    found = adherence(judges.segment, validation, made)
    distance = kid(judges.features(validation.images), judges.features(made))
    edges = float(boundary_iou(judges.segment(made), validation.masks).mean())
    costs = contender.seconds, contender.steps
    figures = (found.ratio, found.ratio_small, found.synthetic, found.real, edges, 1000 * distance.mean, 1000 * distance.sd)
    return Row(contender.name, *figures, *costs)


def controls(judges: Judges, validation: Pairs) -> dict[str, float]:
    """Return KID × 1000 between one random half of the real images and the other half blurred, noisy or dimmed.

    It shows what the feature network can see; what stays at the floor here goes unseen in the table, too.
    """
    order = np.random.default_rng(0).permutation(len(validation))
    reference, rest = (validation.images[half] for half in np.array_split(order, 2))
    noise = np.random.default_rng(1).normal(0, 16, rest.shape)
    worse = {"blurred": gaussian(rest, sigma=(0, 0, 1.5, 1.5), preserve_range=True), "noisy": rest + noise, "dimmed": rest * 0.8}
    there = judges.features(reference)
    distances = {name: kid(there, judges.features(images.clip(0, 255).astype(np.uint8))) for name, images in worse.items()}
    return {name: round(1000 * distance.mean, 1) for name, distance in distances.items()}


def _write_figures(folder: Path, rows: list[Row], floor: float) -> None:
    """Put the shipped model's figures on its card."""
    figures = {"kid_x1000_between_real_halves": round(floor, 2), "dice_on_real_images": round(rows[0].dice_real, 3)}
    for row in (row for row in rows if not row.training_steps):
        name = row.contender.removeprefix("shipped, ").replace(" ", "_")
        figures |= {
            f"adherence_{name}": round(row.adherence, 3),
            f"adherence_smallest_third_{name}": round(row.adherence_small, 3),
        }
        figures |= {f"kid_x1000_{name}": round(row.kid, 2)}
    write_card(folder, replace(read_card(folder), figures=figures))


def _contenders(model: str, recipe: SynthesizeRecipe, training: Pairs, asked: argparse.Namespace) -> Iterator[Contender]:
    shipped = load_engine_model(asked.folder or registry.find(model), asked.device)
    for steps in asked.steps:
        yield Contender(f"shipped, {steps} step{'s' * (steps > 1)}", EngineGenerator(shipped, steps))
    if asked.minutes > 0:
        yield from train_contenders(recipe, training, asked.minutes * 60, asked.out / "contenders" / model)


def _held_out(folder: Path, recipe: SynthesizeRecipe, shipped: Path) -> PairArrays:
    """Return the pairs that no training looks at, and that the shipped model has not met in another way."""
    card = recipe.blank_card
    pairs = unmet_pairs(shipped, read_sides(folder, get_starter(card.id).columns(folder)).held_out)
    return load(pairs, card.size, card.channels, {option.name: tuple(map(str, option.choices)) for option in card.options})


def _pairs(arrays: PairArrays, recipe: SynthesizeRecipe) -> Pairs:
    return Pairs(arrays.images, arrays.masks, arrays.options, recipe.labels, recipe.option_sizes)


def _judge_settings(asked: argparse.Namespace) -> JudgeSettings:
    usual = JudgeSettings()
    if asked.judge_steps is None:
        return usual
    return JudgeSettings(replace(usual.segmenter, steps=asked.judge_steps), replace(usual.features, steps=asked.judge_steps))


def _table(rows: list[Row]) -> list[list[str]]:
    head = ["contender", "adherence", "smallest third", "Dice", "boundary IoU", "KID×1000", "training"]
    return [head, *(_cells(row) for row in rows)]


def _cells(row: Row) -> list[str]:
    cost = f"{row.training_seconds / 60:.1f} min, {row.training_steps} steps" if row.training_steps else "see its card"
    figures = [f"{value:.3f}" for value in (row.adherence, row.adherence_small, row.dice, row.boundary_iou)]
    return [row.contender, *figures, f"{row.kid:.2f} ± {row.kid_sd:.2f}", cost]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=(__doc__ or "").split("\n")[0])
    data = Path(os.environ.get("MEDSYNTH_DATA", "../shared/data"))
    parser.add_argument("--data", type=Path, default=data, help="folder that holds the data sets (or MEDSYNTH_DATA)")
    parser.add_argument("--model", action="append", choices=sorted(FOLDERS), help="starter model; both if not given")
    parser.add_argument("--folder", type=Path, help="measure this model folder instead of the installed one")
    parser.add_argument("--minutes", type=float, default=10, help="training time of each network trained here; 0: none")
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 2, 4], help="evaluations of the shipped model")
    parser.add_argument("--judge-steps", type=int, help="train the judges for fewer steps (a smoke check)")
    parser.add_argument("--card", action="store_true", help="write the shipped model's figures on its card")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    asked = parser.parse_args()
    asked.model = asked.model or sorted(FOLDERS)
    return asked


if __name__ == "__main__":
    main()
