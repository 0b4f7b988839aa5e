"""Does the search for copies find copies? Training images, slightly warped and recolored, planted among real held-out ones.

    make bench-copies                                     polyps, brain slices, nuclei; ten minutes for each on one core
    make bench-copies BENCH="--set polyp --side tuning"   settings are chosen on the tuning side only

Twenty copies stand among the real images of the side, ten times over, with the threshold that the search sets itself (the 95th
percentile of these real images), so that at most 5 % of them are flagged; and once more with the threshold of the tuning side,
which has not seen them. Of nuclei a copy is a piece of a training tile from anywhere, mirrored and turned, too.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.lesson import say_lesson
from benchmarks.nuclei_tiles import patches_of, tiles_of
from benchmarks.report import print_table, write_json
from benchmarks.verdicts import Row, at_least, at_most, table, tally
from medsynth_core.engines.nuclei.batches import draw_piece
from medsynth_core.engines.synthesize.starters import get_starter
from medsynth_core.evaluation.copies import SIDE, CopyNetwork, CopySettings
from medsynth_core.evaluation.copies_search import ALL_WAYS, AS_IT_IS, Library, Picture, Way, judged, shrunk
from medsynth_core.evaluation.copies_tiles import LEARNED_STRIDE, SHIFTED, STRIDE, pieces_of, quartered
from medsynth_core.evaluation.generator import Images
from medsynth_core.evaluation.judges import prepare_copy_network
from medsynth_core.evaluation.planting import planted
from medsynth_core.training.pairs import load_arrays
from medsynth_core.training.sides import SIDES, read_sides, side_of

TRAINING, TUNING, HELD_OUT = SIDES
FOLDERS = {"polyp": "polyp_polypgen", "brain-slice": "brain_brisc2025"}
NUCLEI = "nuclei"
COPIES, PLANTINGS, MOST_REAL = 20, 10, 200
RECALL_BAR, FALSE_ALARM_BAR = 0.95, 5.0
SIZE = (128, 128)


@dataclass(frozen=True)
class Learned:
    """What was learned from, and how it is looked for: whole pictures, or pieces of tiles in all the ways they may be turned."""

    pictures: Sequence[Picture]
    taught: Images
    plant: Callable[[int, int], Images]
    stride: int = SIDE
    ways: tuple[Way, ...] = (AS_IT_IS,)
    settings: CopySettings = field(default_factory=CopySettings)

    def library(self, network: CopyNetwork) -> Library:
        """Return them, ready to be searched."""
        return Library(network, self.pictures, self.stride, self.ways)


def flat(data: Path, name: str) -> tuple[Learned, Callable[[str], Images]]:
    """Return a set of pictures that are learned from whole, and its real images of a side."""
    folder = data / FOLDERS[name] / "train"
    sides = read_sides(folder, get_starter(name).columns(folder))

    def images(side: str) -> Images:
        pairs = tuple(p for p in (*sides.training, *sides.tuning, *sides.held_out) if side_of(p.group) == side)
        return load_arrays(pairs, SIZE, 3 if name == "polyp" else 1)[0]

    training = images(TRAINING)
    small = np.stack([shrunk(image) for image in training])
    return Learned(list(small), small, partial(_copies, training)), images


def tiles(data: Path) -> tuple[Learned, Callable[[str], Images]]:
    """Return the tiles of nuclei, of which pieces are learned from, and the real patches of a side."""
    training = tiles_of(data, TRAINING)
    pictures = [quartered(tile.image) for tile in training]

    def plant(count: int, seed: int) -> Images:
        rng = np.random.default_rng(seed)
        return planted(np.stack([draw_piece(training, rng).image for _ in range(count)]), seed)

    taught = np.concatenate([pieces_of(picture, LEARNED_STRIDE) for picture in pictures])
    learned = Learned(pictures, taught, plant, STRIDE, ALL_WAYS, CopySettings(jitter=SHIFTED))
    return learned, lambda side: np.stack([patch.image for patch in patches_of(tiles_of(data, side))])


def rows_for(name: str, asked: argparse.Namespace) -> list[Row]:
    """Measure one set."""
    learned, images = tiles(asked.data) if name == NUCLEI else flat(asked.data, name)
    settings = replace(learned.settings, steps=asked.steps)
    began = time.monotonic()
    network, judge = prepare_copy_network(asked.out / "judges" / f"copies-{name}", name, learned.taught, settings, say_lesson)
    taught_s, library = time.monotonic() - began, learned.library(network)
    real, tuning = (library.nearest(_some(images(side))).likeness for side in (asked.side, TUNING))
    copies = library.nearest(_small(learned.plant(COPIES * PLANTINGS, 0)))
    found, before = judged(copies, real), judged(copies, tuning)
    flagged = 100 * float((real > before.threshold).mean())
    each = found.flags.reshape(PLANTINGS, COPIES).mean(axis=1)
    note = f"{PLANTINGS} × {COPIES} copies among {len(real)} real {asked.side} images; worst planting {each.min():.2f}; {judge}"
    note += f", {taught_s:.0f} s; threshold {found.threshold:.3f}, copies' median {np.median(copies.likeness):.3f}"
    apart = f"threshold {before.threshold:.3f} of {len(tuning)} real tuning images"
    return [
        at_least(3, f"{name}: planted copies found", found.share, RECALL_BAR, note=note),
        at_most(3, f"{name}: real images flagged", 100 * found.held_out_share, FALSE_ALARM_BAR, "%"),
        Row(3, f"{name}: found by the tuning side's threshold", before.share, note=apart),
        Row(3, f"{name}: real images flagged by it", flagged, "%"),
    ]


def _copies(training: Images, count: int, seed: int) -> Images:
    chosen = np.random.default_rng(seed).choice(len(training), count, replace=count > len(training))
    return planted(training[chosen], seed)


def _some(images: Images) -> Images:
    """Return 200 of the images at most, evenly taken, as pieces."""
    taken = np.unique(np.linspace(0, len(images) - 1, min(MOST_REAL, len(images))).round().astype(int))
    return _small(images[taken])


def _small(images: Images) -> Images:
    return np.stack([shrunk(image) for image in images])


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.copies", description=(__doc__ or "").split("\n")[0])
    data = Path(os.environ.get("MEDSYNTH_DATA", "../shared/data"))
    parser.add_argument("--data", type=Path, default=data, help="folder that holds the data sets (or MEDSYNTH_DATA)")
    parser.add_argument("--set", action="append", choices=(*FOLDERS, NUCLEI), help="all three if not given")
    parser.add_argument("--side", choices=(TUNING, HELD_OUT), default=HELD_OUT)
    parser.add_argument("--steps", type=int, default=CopySettings().steps, help="of the network that knows images again")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    asked = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    rows = [row for name in asked.set or (*FOLDERS, NUCLEI) for row in rows_for(name, asked)]
    print_table(table(rows))
    print(f"\n{tally(rows)}")
    print(f"{write_json(asked.out, 'copies', {'side': asked.side, 'steps': asked.steps}, rows).name} written")


if __name__ == "__main__":
    main()
