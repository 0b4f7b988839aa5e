"""Which settings of the rivals are best, on the tuning side of our split: the defaults of evaluation/refiners.py come from here.

    .venv/bin/python -m benchmarks.refine_tune --cases 8

No image of the tuning side is measured by `make bench-refine`. Chosen is the best mean boundary IoU over the four taught sets,
the three qualities and both families of starts: a rival knows as little of its input's quality as the engine does.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Collection, Iterator
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks.refine_cases import TAUGHT, TUNING, cases_of, chosen, items_of
from benchmarks.refine_methods import Case
from benchmarks.report import print_table
from medsynth_core.evaluation import refiners
from medsynth_core.evaluation.metrics import boundary_iou, standard_width_px

SHARES = (0.03, 0.06, 0.1, 0.15, 0.25)
GRIDS = {
    refiners.open_and_close: {"share": SHARES},
    refiners.gaussian_smoothed: {"share": SHARES},
    refiners.walked_randomly: {"share": (0.05, 0.1, 0.2, 0.3), "beta": (130.0, 1000.0, 5000.0)},
    refiners.chan_vese: {"share": (0.02, 0.05, 0.1, 0.2)},
    refiners.geodesic: {"share": (0.02, 0.05, 0.1, 0.2), "sigma": (0.5, 1.0, 2.0)},
}


def main() -> None:
    """Print the mean boundary IoU of every setting of every rival."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.refine_tune", description=(__doc__ or "").split("\n")[0])
    data = Path(os.environ.get("MEDSYNTH_DATA", "../shared/data"))
    parser.add_argument("--data", type=Path, default=data, help="folder that holds the data sets (or MEDSYNTH_DATA)")
    parser.add_argument("--rival", action="append", choices=[m.__name__ for m in GRIDS], help="all if not given")
    parser.add_argument("--cases", type=int, default=8, help="images a set")
    asked = parser.parse_args()
    items = [item for name in TAUGHT for item in chosen(items_of(name, asked.data, TUNING), asked.cases, 0)]
    cases = [case for item in items for case in cases_of(item, asked.data)]
    print(f"{len(cases)} starts on {len(items)} images of the tuning side", flush=True)
    print_table([["rival", "settings", "boundary IoU", "rough", "mid", "strong"], *lines(cases, asked.rival or ())])


def lines(cases: list[Case], names: Collection[str] = ()) -> Iterator[list[str]]:
    """Yield a line of the table for the input and for each setting of each rival named, of all if none is."""
    yield _line("input", "", cases, lambda image, mask: mask)
    for method, grid in GRIDS.items():
        if names and method.__name__ not in names:
            continue
        for values in product(*grid.values()):
            settings = dict(zip(grid, values, strict=True))
            words = ", ".join(f"{name} {value:g}" for name, value in settings.items())
            yield _line(method.__name__, words, cases, partial(method, **settings))


def _line(name: str, words: str, cases: list[Case], method: refiners.Refiner) -> list[str]:
    scores = {quality: [_score(c, method) for c in cases if c.quality == quality] for quality in ("rough", "mid", "strong")}
    means = [float(np.mean(part)) for part in scores.values()]
    return [name, words, *(f"{100 * value:.2f}" for value in (np.mean(means), *means))]


def _score(case: Case, method: refiners.Refiner) -> float:
    image = np.ascontiguousarray(case.image.transpose(1, 2, 0)) if case.color else case.image[1]
    made = method(image, case.start)
    return float(boundary_iou(made[None], case.truth[None], standard_width_px(case.truth.shape))[0])


if __name__ == "__main__":
    main()
