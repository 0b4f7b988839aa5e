"""Tumors: asked and got, mask and image, flicker, speed, kill -9, copies. One table, every row with its bar.

    make bench-tumor                                         the model that ships, held-out patients; half an hour on 4 idle cores
    make bench-tumor BENCH="--quick --model runs/mine"       under three minutes: every row, few volumes, to see that all works
    make bench-tumor BENCH="--side tuning --part flicker"

Held out are whole patients by their names; no figure is of a patient that was trained on or that settings were chosen on.
Synthetic volumes have the slice distance and count of a real one beside which they stand. What was grown and the judges are
kept in the output folder, so that a bench cut short goes on where it was.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from benchmarks import tumor_speed
from benchmarks.lesson import say_lesson
from benchmarks.report import print_table, write_json
from benchmarks.tumor_asked import SWEEP_SEEDS, VALUES, asked_rows, sweep_rows, turns
from benchmarks.tumor_independent import drawn_head, requested
from benchmarks.tumor_judges import TumorJudges, TumorJudgeSettings, prepare_tumor_judges
from benchmarks.tumor_looks import INDEPENDENT, JOINT, Made, adherence_rows, copy_rows, flicker_rows
from benchmarks.tumor_real import HELD_OUT, TRAINING, TUNING, Patient, patients, stacks
from benchmarks.tumor_volumes import Grown, Nursery, Order
from benchmarks.verdicts import Row, table, tally
from medsynth_core.engines.tumor.frame import new_frame
from medsynth_core.engines.tumor.model import TumorModel, load_model
from medsynth_core.evaluation.copies import CopySettings
from medsynth_core.evaluation.features import FeatureSettings
from medsynth_core.evaluation.flicker import Stack
from medsynth_core.evaluation.segmenter import SegmenterSettings
from medsynth_core.models import registry
from medsynth_core.protocol import Scalar
from medsynth_core.studies.fidelity_volumes import borders

STARTER = "lgg-flair"
PARTS = ("asked", "mask", "flicker", "speed", "kill", "copies")
FIRST_SEED, MATCHED_SEED = 1000, 5000
SETTINGS = ("steps", "guidance", "cleanup")
"""Parameters of the engine that may be tried with --set."""


@dataclass(frozen=True)
class Bench:
    """What is measured, on whom, and how much of it."""

    model: Path
    joint: Path
    data: Path
    side: str
    out: Path
    requests: int
    slices: int
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    cases: int
    repeats: int
    kills: int
    workers: int
    device: str
    quick: bool
    fixed: tuple[tuple[str, Scalar], ...] = ()

    @cached_property
    def nursery(self) -> Nursery:
        """Who grows."""
        return Nursery(self.model, self.out / "tumor", self.workers, self.device)

    @cached_property
    def loaded(self) -> TumorModel:
        """The model, in this process: its prior, and what it would draw for a seed."""
        return load_model(self.model)

    @cached_property
    def real(self) -> tuple[Patient, ...]:
        """The patients that the synthetic volumes are held against."""
        return patients(self.data, self.side)[: self.cases or None]

    @cached_property
    def training(self) -> tuple[Patient, ...]:
        """The patients that were learned from."""
        return patients(self.data, TRAINING)

    @cached_property
    def judges(self) -> TumorJudges:
        """The judges; those of a quick run are trained for a moment and kept apart."""
        folder = self.out / ("judges-quick" if self.quick else "judges")
        settings = QUICK_JUDGES if self.quick else TumorJudgeSettings()
        return prepare_tumor_judges(folder, lambda: stacks(self.training), settings, say_lesson)

    @cached_property
    def random(self) -> list[Grown]:
        """Volumes of random plausible requests: what a user gets who asks for nothing."""
        fixed = {**dict(self.fixed), "slices": self.slices}
        return self.nursery.grown([Order.of(FIRST_SEED + i, fixed) for i in range(self.requests)], "random requests")

    @cached_property
    def matched(self) -> list[Grown]:
        """One volume of a random request for each real one, with its number of slices and their distance."""
        return self.nursery.grown(self.matching(), "beside real ones")

    def matching(self, independent: bool = False) -> list[Order]:
        """Return the orders of volumes that stand beside real ones, grown from the middle."""
        return [Order.of(MATCHED_SEED + i, {**dict(self.fixed), **like(s)}, independent) for i, s in enumerate(stacks(self.real))]


def like(stack: Stack) -> dict[str, Scalar]:
    """Return the parameters of a volume with the slices of a real one, grown from the middle."""
    slices = len(stack.image)
    return {"slices": slices, "slice_mm": stack.spacing_mm[0], "anchor": slices // 2}


def asked_part(bench: Bench) -> list[Row]:
    """Row 1."""
    random = [requested(bench.loaded, grown.order) for grown in bench.random]
    frame = new_frame(bench.slices, 0, 0, 0.0, 0.0, 0.0, stack_mm=bench.loaded.prior.stack_mm, thickest_mm=20.0)
    heads = {seed: drawn_head(bench.loaded, seed) for seed in bench.seeds}
    swept = turns(bench.loaded.prior, heads, frame, bench.values, {**dict(bench.fixed), "slices": bench.slices})
    grown = bench.nursery.grown([turn.order for turn in swept], "sweeps")
    return asked_rows(random, bench.random) + sweep_rows(swept, grown)


def mask_part(bench: Bench) -> list[Row]:
    """Row 2."""
    return adherence_rows(bench.judges, _stacks([*bench.random, *bench.matched]), stacks(bench.real))


def flicker_part(bench: Bench) -> list[Row]:
    """Row 3."""
    where = [borders(len(s.image), len(s.image) // 2) for s in stacks(bench.real)]
    apart = bench.nursery.grown(bench.matching(independent=True), INDEPENDENT)
    rivals = [Made(INDEPENDENT, _stacks(apart), None)]
    joint = (bench.joint / "card.json").is_file()
    if joint:
        nursery = Nursery(bench.joint, bench.out / "tumor", bench.workers, bench.device)
        rivals.append(Made(JOINT, _stacks(nursery.grown(bench.matching(), JOINT)), where))
    return flicker_rows(Made("ours", _stacks(bench.matched), where), rivals, stacks(bench.real), bench.judges, joint)


def speed_part(bench: Bench) -> list[Row]:
    """Row 4."""
    return tumor_speed.speed_rows(bench.model, bench.repeats, bench.quick, bench.device)


def kill_part(bench: Bench) -> list[Row]:
    """Row 5."""
    return tumor_speed.kill_rows(bench.model, bench.kills)


def copies_part(bench: Bench) -> list[Row]:
    """Row 6: of the random requests and those beside real volumes, a hundred at most."""
    samples = _stacks([*bench.random, *bench.matched])[:100]
    return copy_rows(bench.judges, samples, stacks(bench.real), stacks(bench.training))


WORK: dict[str, Callable[[Bench], list[Row]]] = dict(
    zip(PARTS, (asked_part, mask_part, flicker_part, speed_part, kill_part, copies_part), strict=True)
)
QUICK_JUDGES = TumorJudgeSettings(
    SegmenterSettings(steps=60, batch=8), FeatureSettings(steps=20, batch=16), CopySettings(steps=40, batch=32)
)


def main() -> None:
    """Measure, print the table, write the JSON."""
    bench, parts = _arguments()
    began = time.monotonic()
    torch.set_num_threads(1 if bench.device == "cpu" else torch.get_num_threads())
    print(
        f"{bench.loaded.card.id} of {bench.model}", flush=True
    )  # a folder that cannot be read ends it here, not in ten processes
    rows: list[Row] = []
    for part in parts:
        print(f"{part} …", flush=True)
        rows += WORK[part](bench)
    print(f"\n{bench.model.name}, {len(bench.real)} real volumes ({bench.side}), {(time.monotonic() - began) / 60:.1f} min\n")
    print_table(table(rows))
    print(f"\n{tally(rows)}")
    settings = {"model": str(bench.model), "side": bench.side, "requests": bench.requests, "slices": bench.slices}
    settings |= {"quick": bench.quick, "parts": list(parts), "set": dict(bench.fixed), "device": bench.device}
    if {"mask", "flicker", "copies"} & set(parts):
        settings["judges"] = list(bench.judges.names)
    name = "tumor-quick" if bench.quick else "tumor"
    print(f"{write_json(bench.out, name, settings, rows).name} written")


def _stacks(grown: Sequence[Grown]) -> list[Stack]:
    """Return the stacks of what was not refused."""
    return [g.stack for g in grown if g.stack is not None]


def _arguments() -> tuple[Bench, list[str]]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tumor", description=(__doc__ or "").split("\n")[0])
    data = Path(os.environ.get("MEDSYNTH_DATA", "../shared/data"))
    parser.add_argument("--data", type=Path, default=data, help="folder that holds the data sets (or MEDSYNTH_DATA)")
    parser.add_argument("--model", type=Path, help=f"model folder; the installed {STARTER} if not given")
    parser.add_argument("--joint", type=Path, default=Path("runs/joint"), help="model folder of preset joint")
    parser.add_argument("--side", choices=(HELD_OUT, TUNING, TRAINING), default=HELD_OUT, help="whom to measure beside")
    parser.add_argument("--part", action="append", choices=PARTS, help="part of the table; all if not given")
    parser.add_argument("--volumes", type=int, help="random requests; 85, in a quick run 6")
    parser.add_argument("--slices", type=int, default=28, help="of random requests and sweeps")
    parser.add_argument("--cases", type=int, help="real volumes at most; 0: all of the side; in a quick run 2")
    parser.add_argument("--kills", type=int, help="20, in a quick run 1")
    parser.add_argument("--repeats", type=int, default=5, help="of a timing")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=f"try a setting: {', '.join(SETTINGS)}")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--quick", action="store_true", help="every row on a few volumes, judges trained for a moment: a smoke check"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    asked = parser.parse_args()
    quick = asked.quick
    bench = Bench(
        model=asked.model or registry.find(STARTER),
        joint=asked.joint,
        data=asked.data,
        side=asked.side,
        out=asked.out,
        requests=_or(asked.volumes, 6 if quick else 85),
        slices=asked.slices,
        seeds=SWEEP_SEEDS[:1] if quick else SWEEP_SEEDS,
        values=VALUES[::4] if quick else VALUES,
        cases=_or(asked.cases, 2 if quick else 0),
        repeats=2 if quick else asked.repeats,
        kills=_or(asked.kills, 1 if quick else 20),
        workers=asked.workers if asked.device == "cpu" else 1,
        device=asked.device,
        quick=quick,
        fixed=tuple(_setting(text, parser) for text in asked.set),
    )
    return bench, asked.part or list(PARTS)


def _setting(text: str, parser: argparse.ArgumentParser) -> tuple[str, Scalar]:
    name, _, value = text.partition("=")
    if name not in SETTINGS or not value:
        parser.error(f"--set {text}: say NAME=VALUE, NAME one of {', '.join(SETTINGS)}")
    if name == "cleanup":
        return name, value.lower() in ("1", "true", "yes")
    return name, int(value) if name == "steps" else float(value)


def _or(given: int | None, usual: int) -> int:
    return usual if given is None else given


if __name__ == "__main__":
    main()
