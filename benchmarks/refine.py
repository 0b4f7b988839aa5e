"""Does refining help? Held-out images, coarse masks of three qualities, every method on all of them, and the bars.

    make bench-refine                                    the model that ships, about a quarter of an hour on 4 cores
    make bench-refine BENCH="--cases 4 --set polyp"
    make bench-refine BENCH="--refiner runs/refiner --one-pass runs/one-pass"

No image measured here was trained on, nor were settings chosen on it. Half of the starts come from the generator that training
uses, half from one it never saw; retina adds the masks of a second rater, polyp and brain slices those of the coarse networks.
Times are of one core with the others at work, windows and all; at the end comes the time with all cores.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import refine_speed
from benchmarks.refine_cases import NEVER_SEEN, TAUGHT, cases_of, chosen, coarse_network, items_of, unmet_items
from benchmarks.refine_methods import METHODS, STRENGTH, Case, Contest, Method, Outcome
from benchmarks.refine_report import (
    ALL,
    WORDS,
    Row,
    Verdict,
    cell_table,
    cells,
    gain_bars,
    rival_bars,
    trust_bars,
    verdict_table,
)
from benchmarks.refine_scores import score, trust
from benchmarks.report import print_table, write_json
from medsynth_core.engines.refine.coarse_masks import signed_distance
from medsynth_core.engines.refine.coarse_model import CoarseModel
from medsynth_core.engines.refine.items import Item
from medsynth_core.models import registry
from medsynth_core.models.card import read_card, write_card
from medsynth_core.strength import reach_px
from medsynth_core.studies.at_work import begin_worker

SETS = (*TAUGHT, *NEVER_SEEN)
REFINER = "refiner"


@dataclass(frozen=True)
class Errand:
    """One image to be worked on by one process, with all its starts."""

    item: Item
    root: Path


def main() -> None:
    """Measure, print every row, write the JSON."""
    asked = _arguments()
    contest = Contest(asked.refiner, asked.one_pass, asked.device, tuple(asked.method or ()))
    if contest.refiner is None:
        print(f"no model {REFINER} is installed: only methods without it are measured (name a folder with --refiner)")
    if contest.one_pass is None:
        print("no one-pass network was named: bar 2 is judged without it (train preset one-pass; --one-pass FOLDER)")
    began = time.monotonic()
    errands = [Errand(item, asked.data) for name in asked.set for item in _items(name, asked)]
    print(f"{len(errands)} images of {len(asked.set)} sets read in {time.monotonic() - began:.0f} s", flush=True)
    rows = [row for part in _worked(errands, contest, asked.workers) for row in part]
    lines = cells(rows)
    for name in dict.fromkeys(line.source for line in lines):
        print(f"\n### {name}\n")
        print_table(cell_table(line for line in lines if line.source == name))
    verdicts = bars(rows)
    print(f"\nmeasured in {(time.monotonic() - began) / 60:.1f} min")
    settings = {"cases": asked.cases, "sets": asked.set, "strength": STRENGTH, "workers": asked.workers, "device": asked.device}
    settings |= {"refiner": str(contest.refiner), "one_pass": str(contest.one_pass)}
    print(f"{write_json(asked.out, 'refine', settings, [*lines, *verdicts]).name} written")
    write_json(asked.out, "refine-cases", settings, rows)
    if asked.card and asked.refiner is not None:
        put_on_card(asked.refiner, verdicts)
    if contest.refiner is not None:
        print("\n### Bar 4: time, warm, all cores\n")
        refine_speed.report(contest.refiner, asked.out, device=asked.device)


def _items(name: str, asked: argparse.Namespace) -> list[Item]:
    return chosen(unmet_items(items_of(name, asked.data), asked.data, asked.refiner), asked.cases, 0)


def put_on_card(folder: Path, verdicts: list[Verdict]) -> None:
    """Put what was measured over all taught sets on the model's card: figures with their intervals stand in the JSON."""
    told = [v for v in verdicts if ALL in v.about and ", over " not in v.about]
    figures = {f"{v.about}: {WORDS[v.figure]}": round(v.value.mean, 2) for v in told}
    write_card(folder, replace(read_card(folder), figures=figures))


def bars(rows: list[Row]) -> list[Verdict]:
    """Print the bars with their verdicts, and return them."""
    found = []
    for title, verdicts in (
        ("Bar 1: refine, 6 steps, against its input", gain_bars(rows)),
        ("Bar 2: refine, 6 steps, against every rival", rival_bars(rows)),
        ("Bar 3: disagreement of 4 runs", trust_bars(rows)),
    ):
        held = [v.held for v in verdicts if v.held is not None]
        print(f"\n### {title}: {sum(held)} of {len(held)} held\n" if held else f"\n### {title}: not measured")
        if verdicts:
            print_table(verdict_table(verdicts))
        found += verdicts
    return found


def rows_of_case(case: Case, methods: dict[str, Method]) -> Iterator[Row]:
    """Yield what each method makes of a case, timed."""
    band = abs(signed_distance(case.start)) <= reach_px(case.start, STRENGTH)
    for name, method in methods.items():
        began = time.perf_counter()
        made: Outcome = method(case)
        ms = 1000 * (time.perf_counter() - began)
        kept = bool((made.mask == case.start).all())
        told = None if made.uncertainty is None or kept else trust(made.uncertainty, made.mask, case.truth, band)
        where = case.source, case.name, case.group, case.quality, case.family
        yield Row(*where, name, score(made.mask, case.truth), ms, kept, told)


class Worker:
    """What one process keeps: the methods with their models, and the coarse network of each set."""

    def __init__(self, contest: Contest) -> None:
        self._contest = contest
        self._methods = contest.methods()
        self._coarse: dict[str, CoarseModel | None] = {}

    def work(self, errand: Errand) -> list[Row]:
        """Return the rows of one image."""
        source = errand.item.source
        if source not in self._coarse:
            self._coarse[source] = coarse_network(source, self._contest.device)
        cases = cases_of(errand.item, errand.root, self._coarse[source])
        return [row for case in cases for row in rows_of_case(case, self._methods)]


_worker: list[Worker] = []


def _begin(contest: Contest) -> None:
    begin_worker()
    _worker.append(Worker(contest))


def _go(errand: Errand) -> list[Row]:
    return _worker[0].work(errand)


def _worked(errands: list[Errand], contest: Contest, workers: int) -> Iterator[list[Row]]:
    """Yield the rows of each image, from several processes of one thread each."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _begin, (contest,)) as pool:
        for done, rows in enumerate(pool.map(_go, errands), start=1):
            yield rows
            if done % 10 == 0:
                print(f"  {done} of {len(errands)} images", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.refine", description=(__doc__ or "").split("\n")[0])
    data = Path(os.environ.get("MEDSYNTH_DATA", "../shared/data"))
    parser.add_argument("--data", type=Path, default=data, help="folder that holds the data sets (or MEDSYNTH_DATA)")
    parser.add_argument("--set", action="append", choices=SETS, help="data set; all if not given")
    parser.add_argument("--cases", type=int, default=12, help="images a set; each gives six starts or more")
    parser.add_argument("--refiner", type=Path, help=f"model folder; the installed {REFINER} if not given")
    parser.add_argument("--one-pass", type=Path, help="model folder of a network of equal size, trained with preset one-pass")
    parser.add_argument("--method", action="append", choices=METHODS, help="row of the table, with the input; all if not given")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--card", action="store_true", help="put the figures of all taught sets on the refiner's card")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    asked = parser.parse_args()
    asked.set = asked.set or list(SETS)
    installed = {info.id for info in registry.list_models() if info.card}
    if asked.refiner is None and REFINER in installed:
        asked.refiner = registry.find(REFINER)
    return asked


if __name__ == "__main__":
    main()
