"""Dice and IoU of the coarse networks that ship, on the images that no model of ours was trained on.

.venv/bin/python -m benchmarks.coarse                                              both that are installed
.venv/bin/python -m benchmarks.coarse --model polyp-coarse --folder runs/polyp-coarse --card
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.report import print_table, write_json
from benchmarks.unmet import unmet_pairs
from medsynth_core.engines.refine.coarse_model import CoarseModel
from medsynth_core.engines.refine.coarse_presets import COARSE_STARTERS
from medsynth_core.engines.refine.coarse_scores import CoarseScores, scores
from medsynth_core.models import registry
from medsynth_core.models.card import read_card, write_card
from medsynth_core.training.sides import read_sides

FOLDERS = {"polyp-coarse": "polyp_polypgen", "brain-slice-coarse": "brain_brisc2025"}
"""Starter model → folder of its data set."""


@dataclass(frozen=True)
class Row:
    """The scores of one model and its time for an image, reading included, in milliseconds."""

    model: str
    scores: CoarseScores
    ms_per_image: float


def main() -> None:
    """Measure the models asked for, print a table and write its JSON."""
    asked = _arguments()
    rows = [measure(model, asked) for model in asked.model]
    head = ["model", "held-out images", "Dice", "IoU", "missed", "ms an image"]
    print_table([head, *(_cells(row) for row in rows)])
    print(f"\n{write_json(asked.out, 'coarse', {'device': asked.device}, rows).name} written")


def measure(model: str, asked: argparse.Namespace) -> Row:
    """Return one model's row; with --card, put its figures on its card."""
    folder = asked.folder or registry.find(model)
    data = asked.data / FOLDERS[model] / "train"
    held_out = unmet_pairs(folder, read_sides(data, COARSE_STARTERS[model].source.columns(data)).held_out)
    loaded = CoarseModel.load(folder, asked.device)
    started = time.perf_counter()
    found = scores(loaded, held_out)
    seconds = time.perf_counter() - started
    if asked.card:
        figures = {"dice_held_out": found.dice, "iou_held_out": found.iou, "missed_held_out": found.missed}
        rounded = {name: round(value, 3) for name, value in figures.items()}
        write_card(folder, replace(read_card(folder), figures=rounded))
    return Row(model, found, 1000 * seconds / found.images)


def _cells(row: Row) -> list[str]:
    found = row.scores
    figures = [f"{value:.3f}" for value in (found.dice, found.iou, found.missed)]
    return [row.model, str(found.images), *figures, f"{row.ms_per_image:.0f}"]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coarse", description=(__doc__ or "").split("\n")[0])
    data = Path(os.environ.get("MEDSYNTH_DATA", "../shared/data"))
    parser.add_argument("--data", type=Path, default=data, help="folder that holds the data sets (or MEDSYNTH_DATA)")
    parser.add_argument("--model", action="append", choices=sorted(FOLDERS), help="starter model; both if not given")
    parser.add_argument("--folder", type=Path, help="measure this model folder instead of the installed one; with one --model")
    parser.add_argument("--card", action="store_true", help="write the figures on the model's card")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    asked = parser.parse_args()
    if asked.folder and len(asked.model or ()) != 1:
        parser.error("--folder is one model's: name it with one --model")
    asked.model = asked.model or sorted(FOLDERS)
    return asked


if __name__ == "__main__":
    main()
