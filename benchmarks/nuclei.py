"""Nuclei: does it help, fields, images, copies, speed. One table, every row with its bar.

    make bench-nuclei                                        the model that ships, held-out tiles
    make bench-nuclei BENCH="--quick --model runs/mine"      every row on a few tiles, to see that all works
    make bench-nuclei BENCH="--side tuning --part fields"

Held out are whole slides, patients or look-alikes by the names of their groups; no figure is of a tile that was trained on or
that settings were chosen on. What was made, the judges and the segmenters are kept in the output folder, so that a bench cut
short goes on where it was.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch

from benchmarks import nuclei_service, nuclei_speed
from benchmarks.lesson import say_lesson
from benchmarks.nuclei_copies import Knowing, Learned, Pictures, copy_rows, planted_copies
from benchmarks.nuclei_downstream import FIRST_SEED as LESSON_SEED
from benchmarks.nuclei_downstream import PERCENT, downstream_rows, full_segmenter
from benchmarks.nuclei_fields import VALUES, field_rows, knob_rows
from benchmarks.nuclei_judges import NucleiJudgeSettings, copy_judges, feature_judge, some_patches
from benchmarks.nuclei_looks import Field, Shown, kid_rows, obey_rows
from benchmarks.nuclei_made import Made, Painters, Wish
from benchmarks.nuclei_tiles import patches_of, tiles_of
from benchmarks.report import print_table, write_json
from benchmarks.verdicts import Row, missing, table, tally
from medsynth_core.engines.nuclei.model import NucleiModel, load_model
from medsynth_core.engines.nuclei.starters import NUCLEI_HE
from medsynth_core.engines.nuclei.subset import chosen
from medsynth_core.engines.nuclei.tiles import Tile
from medsynth_core.evaluation.copies import CopySettings
from medsynth_core.evaluation.features import FeatureSettings
from medsynth_core.evaluation.generator import Images
from medsynth_core.evaluation.nuclei_segmenter import NucleiSegmenterSettings, find_nuclei
from medsynth_core.models import registry
from medsynth_core.training.sides import SIDES

TRAINING, TUNING, HELD_OUT = SIDES
PARTS = ("downstream", "fields", "looks", "copies", "speed", "published", "service")
FIRST_SEED, PAINT_SEED = 1000, 20_000
PLANTED = 100
LEARNED_EVERY = 4
"""So many training patches beside the made ones are enough: 480."""
QUICK_JUDGES = NucleiJudgeSettings(
    FeatureSettings(steps=10, batch=8), CopySettings(steps=20, batch=16), CopySettings(steps=20, batch=16)
)


@dataclass(frozen=True)
class Bench:
    """What is measured, on whom, and how much of it. `scarce` is a generator that learned from a tenth of the patches."""

    model: Path
    scarce: Path
    data: Path
    side: str
    out: Path
    pairs: int
    patches: int
    values: int
    seeds: int
    repeats: int
    count: int
    downstream_steps: int
    downstream_seeds: tuple[int, ...]
    workers: int
    quick: bool

    @cached_property
    def loaded(self) -> NucleiModel:
        """The model, in this process: its prior and its card."""
        return load_model(self.model)

    @cached_property
    def real(self) -> tuple[Tile, ...]:
        """Patches of 256² of the side: what the made ones are held against."""
        every = patches_of(tiles_of(self.data, self.side))
        if not self.patches:
            return every
        taken = np.linspace(0, len(every) - 1, min(self.patches, len(every))).round().astype(int)
        return tuple(every[i] for i in np.unique(taken))

    @cached_property
    def training(self) -> tuple[Tile, ...]:
        """The whole tiles that were learned from."""
        return tiles_of(self.data, TRAINING)

    @cached_property
    def judging(self) -> tuple[Path, NucleiJudgeSettings]:
        """Where judges are kept and how they are trained; those of a quick run are trained for a moment and kept apart."""
        return self.out / ("judges-quick" if self.quick else "judges"), QUICK_JUDGES if self.quick else NucleiJudgeSettings()

    @cached_property
    def painters(self) -> Painters:
        """Who makes pairs."""
        return self.painters_of(self.model)

    def painters_of(self, model: Path) -> Painters:
        """Return who makes pairs with a model folder."""
        return Painters(model, self.out / "nuclei", self.workers)

    @cached_property
    def drawn(self) -> list[Made]:
        """Pairs of which nothing was asked: what a user gets."""
        return self.painters.made(wishes(FIRST_SEED, self.pairs), "pairs")


def wishes(first: int, count: int) -> list[Wish]:
    """Return wishes for pairs of which nothing is asked, with seeds from `first` on."""
    return [Wish(first + i) for i in range(count)]


def downstream_part(bench: Bench) -> list[Row]:
    """Rows 1 and 6."""
    steps, seeds = bench.downstream_steps, bench.downstream_seeds
    return downstream_rows(bench.data, bench.scarce, bench.out, bench.side, steps, seeds, bench.workers, bench.quick)


def fields_part(bench: Bench) -> list[Row]:
    """Row 2."""
    learned = [patch.instances for patch in patches_of(bench.training)[::LEARNED_EVERY]]
    made, real = [pair.instances for pair in bench.drawn], [patch.instances for patch in bench.real]
    rows = field_rows(made, real, [patch.group for patch in bench.real], learned)
    return rows + knob_rows(bench.painters, bench.loaded.prior, bench.values, bench.seeds)


def looks_part(bench: Bench) -> list[Row]:
    """Row 3."""
    fields = [patch.instances for patch in bench.real]
    asked = [Wish(PAINT_SEED + i, field=patch.instances, stain=patch.stain) for i, patch in enumerate(bench.real)]
    repainted = bench.painters.made(asked, f"painted from {bench.side} structures")
    real = Shown(f"real {bench.side} patches", np.stack([patch.image for patch in bench.real]), fields)
    sets = [
        Shown(f"images of {bench.side} structures", images_of(repainted), fields),
        Shown("images of made structures", images_of(bench.drawn), [pair.instances for pair in bench.drawn]),
    ]
    network, name = full_segmenter(bench.data, bench.out, bench.downstream_steps, bench.quick)

    def segment(images: Images) -> list[Field]:
        return [find_nuclei(network, image) for image in images]

    folder, settings = bench.judging
    features, features_name = feature_judge(folder, bench.training, settings, say_lesson)
    rows = obey_rows(segment, name, real, sets)
    return rows + kid_rows(features, features_name, real, sets, some_patches(bench.training))


def copies_part(bench: Bench) -> list[Row]:
    """Row 4, for the model and, where it was trained, for the one that learned from a tenth of the patches."""
    folder, settings = bench.judging
    images, fields, names = copy_judges(folder, bench.training, settings, say_lesson)
    print(f"  {', '.join(names)}", flush=True)
    knowing, planted = Knowing(images, fields), partial(planted_copies, count=8 if bench.quick else PLANTED)
    held_out = Pictures.of((patch.image, patch.instances) for patch in bench.real)
    rows = copy_rows(Learned.of(knowing, bench.training), pictures(bench.drawn), held_out, planted(bench.training), "")
    if not (bench.scarce / "card.json").is_file():
        why = f"not trained: no folder {bench.scarce}"
        return [*rows, missing(4, f"copies, {PERCENT} % generator", why, "≤ real held-out + 1 %")]
    few = chosen(patches_of(bench.training), PERCENT)
    asked = wishes(LESSON_SEED, bench.pairs)  # of those that the downstream segmenters learn from
    made = bench.painters_of(bench.scarce).made(asked, f"pairs of the {PERCENT} % generator")
    who = f", {PERCENT} % generator"
    return rows + copy_rows(Learned.of(knowing, few), pictures(made), held_out, planted(few), who)


def speed_part(bench: Bench) -> list[Row]:
    """Row 5: a pair."""
    return nuclei_speed.pair_rows(bench.model, bench.repeats)


def published_part(bench: Bench) -> list[Row]:
    """Row 5: the published arithmetic."""
    if bench.quick:
        return [missing(5, "published arithmetic", "left out by --quick: it takes a minute and 3 GB")]
    return nuclei_speed.published_rows(bench.model, bench.repeats)


def service_part(bench: Bench) -> list[Row]:
    """Row 5: the command."""
    return nuclei_service.command_rows(bench.model, bench.count)


WORK: dict[str, Callable[[Bench], list[Row]]] = dict(
    zip(
        PARTS,
        (downstream_part, fields_part, looks_part, copies_part, speed_part, published_part, service_part),
        strict=True,
    )
)


def main() -> None:
    """Measure, print the table, write the JSON."""
    bench, parts = _arguments()
    began = time.monotonic()
    torch.set_num_threads(bench.workers)
    print(f"{bench.loaded.card.id} of {bench.model}", flush=True)  # a folder that cannot be read ends it here
    rows: list[Row] = []
    seconds: dict[str, float] = {}
    for part in parts:
        print(f"{part} …", flush=True)
        started = time.monotonic()
        rows += WORK[part](bench)
        seconds[part] = round(time.monotonic() - started, 1)
    spent = ", ".join(f"{part} {s:.0f} s" for part, s in seconds.items())
    print(f"\n{bench.model.name}, {bench.side}, {(time.monotonic() - began) / 60:.1f} min: {spent}\n")
    rows.sort(key=lambda row: row.number)
    print_table(table(rows))
    print(f"\n{tally(rows)}")
    settings = {"model": str(bench.model), "scarce": str(bench.scarce), "side": bench.side, "pairs": bench.pairs}
    settings |= {"quick": bench.quick, "parts": list(parts), "seconds": seconds, "workers": bench.workers}
    print(f"{write_json(bench.out, _name(bench, parts), settings, rows).name} written")


def images_of(made: list[Made]) -> Images:
    """Return the images (n, 3, 256, 256) of pairs."""
    return np.stack([pair.image for pair in made if pair.image is not None])


def pictures(made: list[Made]) -> Pictures:
    """Return both sides of pairs, shrunk."""
    return Pictures.of((pair.image, pair.instances) for pair in made if pair.image is not None)


def _name(bench: Bench, parts: list[str]) -> str:
    """Return the name of the JSON: the full table is never replaced by that of one part or of a quick run."""
    words = ["nuclei", *(["quick"] if bench.quick else []), *(["part", *parts] if set(parts) != set(PARTS) else [])]
    return "-".join(words)


def _arguments() -> tuple[Bench, list[str]]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nuclei", description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    data = Path(os.environ.get("MEDSYNTH_DATA", "../shared/data"))
    add("--data", type=Path, default=data, help="folder that holds the data sets (or MEDSYNTH_DATA)")
    add("--model", type=Path, help=f"model folder; the installed {NUCLEI_HE} if not given")
    add("--scarce", type=Path, default=Path("runs/nuclei-he-10"), help=f"model folder, taught {PERCENT} %% of the patches")
    add("--side", choices=SIDES, default=HELD_OUT, help="whom to measure beside")
    add("--part", action="append", choices=PARTS, help="part of the table; all if not given")
    add("--pairs", type=int, help="made of nothing; 300, in a quick run 8")
    add("--patches", type=int, help="real patches at most; 0: all of the side; in a quick run 8")
    add("--repeats", type=int, default=5, help="of a timing")
    add("--count", type=int, help="pairs that the command makes; 24, in a quick run 4")
    add("--steps", type=int, help=f"of each segmenter; {NucleiSegmenterSettings().steps}, in a quick run 20")
    add("--seeds", type=int, default=3, help="of each segmenter, downstream; in a quick run 1")
    add("--workers", type=int, default=os.cpu_count() or 1)
    add("--quick", action="store_true", help="every row on a few tiles, judges trained for a moment: a smoke check")
    add("--out", type=Path, default=Path("runs/bench"))
    asked = parser.parse_args()
    quick = asked.quick
    bench = Bench(
        model=asked.model or registry.find(NUCLEI_HE),
        scarce=asked.scarce,
        data=asked.data,
        side=asked.side,
        out=asked.out,
        pairs=_or(asked.pairs, 8 if quick else 300),
        patches=_or(asked.patches, 8 if quick else 0),
        values=2 if quick else VALUES,
        seeds=2 if quick else 12,
        repeats=2 if quick else asked.repeats,
        count=_or(asked.count, 4 if quick else 24),
        downstream_steps=_or(asked.steps, 20 if quick else NucleiSegmenterSettings().steps),
        downstream_seeds=tuple(range(1 if quick else asked.seeds)),
        workers=asked.workers,
        quick=quick,
    )
    return bench, list(dict.fromkeys(asked.part or PARTS))


def _or(given: int | None, usual: int) -> int:
    return usual if given is None else given


if __name__ == "__main__":
    main()
