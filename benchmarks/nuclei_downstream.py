"""Rows 1 and 6: is a segmenter better for the pairs that a generator made, which itself knows only a tenth of the patches?

The tenth is chosen by k-means (`engines/nuclei/subset.py`); the generator must have seen these patches and no others, which its
card and its prior tell. The pairs come from nothing: a field from noise, then its image, seeds fixed. Settings are those
that the time of a CPU allows, chosen without synthetic data and without held-out tiles (docs/nuclei.md).

A tile's figure is the mean of its seeds. Intervals are paired bootstraps of 95 %: over tiles, which decide, and, as a note, over
whole blocks and patients, which are fewer and so give wider ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.nuclei_arms import ARMS, FULL, MORE, PAPERS, PLAIN, SCARCE, Arm, Outcome, lesson, outcomes, segmenter_of
from benchmarks.nuclei_made import Painters, Wish
from benchmarks.nuclei_tiles import MONUSEG, keep_patches, monuseg_tiles, patches_of, tiles_by_set, tiles_of
from benchmarks.report import write_json
from benchmarks.verdicts import Row, missing
from medsynth_core.engines.nuclei.model import PRIOR_FILE
from medsynth_core.engines.nuclei.prior import Prior
from medsynth_core.engines.nuclei.starters import NUCLEI_HE
from medsynth_core.engines.nuclei.subset import chosen
from medsynth_core.engines.nuclei.tiles import Tile
from medsynth_core.errors import ModelError
from medsynth_core.evaluation.bootstrap import Interval, bootstrap
from medsynth_core.evaluation.nuclei_scores import FIGURES
from medsynth_core.evaluation.nuclei_views import Labeled
from medsynth_core.evaluation.plain_unet import PlainUNet
from medsynth_core.models.card import read_card
from medsynth_core.training.sides import SIDES

TRAINING = SIDES[0]
PERCENT = 10
FIRST_SEED = 50_000
"""Of the made pairs; far from the seeds of the other rows."""
FULL_LABEL, SCARCE_LABEL, TWICE_LABEL, ONCE_LABEL = "100 %", "10 %", "synthetic ×2", "synthetic ×1"
AJI = FIGURES.index("aji")
QUICK_EVERY, QUICK_MADE = 8, 8
NO_GENERATOR = "there is no generator that was trained on the tenth alone"
COUNTED = re.compile(r"(\d+) of (\d+) patches")
PRIOR_TOLERANCE = 1e-3

Figures = npt.NDArray[np.float64]
"""(arms' seeds, tiles, figures)."""


@dataclass(frozen=True)
class SetFigures:
    """One arm on one set: means over its tiles and seeds, for the JSON."""

    arm: str
    set: str
    tiles: int
    dice: float
    aji: float
    pq: float


@dataclass(frozen=True)
class Study:
    """What all segmenters scored: figures (seeds, tiles, dice · aji · pq) by arm, and the group of each tile."""

    figures: dict[Arm, Figures]
    groups: tuple[str, ...]

    def mean(self, arm: Arm, figure: str) -> float:
        """Return the mean over tiles and seeds."""
        return float(self.figures[arm][..., FIGURES.index(figure)].mean())

    def above(self, arm: Arm, other: Arm, groups: Sequence[str] | None = None) -> Interval:
        """Return by how much the AJI of `arm` is above that of `other`, paired by tile; drawn anew are tiles, or `groups`."""
        apart = (self.figures[arm] - self.figures[other])[..., AJI].mean(axis=0)
        return bootstrap(apart.tolist(), groups or [str(i) for i in range(len(apart))])


def downstream_rows(
    data: Path, generator: Path, out: Path, side: str, steps: int, seeds: tuple[int, ...], workers: int, quick: bool
) -> list[Row]:
    """Return the rows of bars 1 and 6; arms with synthetic pairs are missing where there is no generator.

    Raises ModelError for a generator that may have seen other real patches than those of the tenth.
    """
    cells = patches_of(tiles_of(data, TRAINING))
    scarce = chosen(cells, PERCENT)
    places = _places(cells, scarce, generator, out, workers, quick)
    arms = [arm for arm in ARMS if not arm.times or TWICE_LABEL in places]
    folder = _segmenters(out, quick)
    lessons = [lesson(arm, seed, steps, places, folder) for seed in seeds for arm in arms]
    tests = _tests(data, side, quick)
    done = outcomes(lessons, {name: labeled(tiles) for name, tiles in tests.items()}, workers)
    told = {"side": side, "steps": steps, "seeds": list(seeds), "generator": str(generator), "quick": quick}
    write_json(out, "nuclei-downstream-quick" if quick else "nuclei-downstream", told, by_set(done))
    ours = study(done, {name: tiles for name, tiles in tests.items() if name != MONUSEG})
    rows = arm_rows(1, side, ours) + bar_rows(ours)
    if MONUSEG not in tests:
        return [*rows, missing(6, "AJI on MoNuSeg", f"{MONUSEG} is not in {data}", "printed")]
    outside = study(done, {MONUSEG: tests[MONUSEG]})
    return rows + arm_rows(6, "MoNuSeg", outside) + outside_rows(outside)


def full_segmenter(data: Path, out: Path, steps: int, quick: bool) -> tuple[PlainUNet, str]:
    """Return the segmenter of all real training patches with classic augmentation, seed 0, and its name: trained now, or kept."""
    places = {FULL_LABEL: keep_patches(labeled(patches_of(tiles_of(data, TRAINING))), _kept_tiles(out))}
    return segmenter_of(lesson(FULL, 0, steps, places, _segmenters(out, quick)))


def check_generator(generator: Path, scarce: Sequence[Tile], count: int) -> None:
    """Raise ModelError unless a generator learned from the `scarce` patches, of `count`, and from no others.

    The card says how many; the prior holds density, size and stain of each, so that other patches would show.
    """
    card = read_card(generator)
    wanted = f"{len(scarce)} of {count} patches"
    found = COUNTED.search(card.trained_on)
    way_out = f"train one with: msynth train nuclei DATA -o {generator} --starter {NUCLEI_HE} --label-percent {PERCENT}"
    if found is None or found.group(0) != wanted:
        raise ModelError(f"generator {generator.name} was trained on {card.trained_on!r}, the arms need {wanted}: {way_out}")
    if "derived from" in card.notes:
        raise ModelError(f"generator {generator.name} goes on from another model, which may have seen other patches: {way_out}")
    there, ought = (np.array(prior.to_json()["rows"]) for prior in (load_prior(generator), Prior.fit(tuple(scarce))))
    if there.shape != ought.shape or not np.allclose(there, ought, atol=PRIOR_TOLERANCE, rtol=PRIOR_TOLERANCE):
        raise ModelError(f"generator {generator.name} knows the prior of other patches than the chosen {wanted}: {way_out}")


def labeled(tiles: Sequence[Tile]) -> tuple[Labeled, ...]:
    """Return tiles as a segmenter sees them."""
    return tuple(Labeled(tile.image, tile.instances) for tile in tiles)


def by_set(done: Sequence[Outcome]) -> list[SetFigures]:
    """Return the mean figures of every arm on every set."""
    rows = []
    for arm in dict.fromkeys(outcome.arm for outcome in done):
        mine = [outcome for outcome in done if outcome.arm == arm]
        for name in mine[0].scores:
            table = _table(mine, [name])
            rows.append(SetFigures(arm.name, name, table.shape[1], *(round(float(v), 4) for v in table.mean(axis=(0, 1)))))
    return rows


def study(done: Sequence[Outcome], tests: Mapping[str, Sequence[Tile]]) -> Study:
    """Return the figures of all arms on the tiles of some sets, as if they were one set."""
    arms = dict.fromkeys(outcome.arm for outcome in done)
    figures = {arm: _table([outcome for outcome in done if outcome.arm == arm], list(tests)) for arm in arms}
    return Study(figures, tuple(tile.group for tiles in tests.values() for tile in tiles))


def arm_rows(number: int, where: str, ours: Study) -> list[Row]:
    """Return a row for each arm: its AJI, and in the note Dice, PQ and the range of the seeds."""
    rows = []
    for arm in ARMS:
        if arm not in ours.figures:
            rows.append(missing(number, f"AJI, {where}: {arm.name}", NO_GENERATOR))
            continue
        seeds = ours.figures[arm][..., AJI].mean(axis=1)
        note = f"Dice {ours.mean(arm, 'dice'):.3f}, PQ {ours.mean(arm, 'pq'):.3f}; seeds {seeds.min():.3f} to {seeds.max():.3f}"
        rows.append(Row(number, f"AJI, {where}: {arm.name}", ours.mean(arm, "aji"), note=note))
    return rows


def bar_rows(ours: Study) -> list[Row]:
    """Return what synthetic pairs add to the tenth with classic augmentation, with the bar, and beside it what they add in the
    paper's own arms, and how far all is from the whole of the real patches."""
    rows = [_above(1, arm, SCARCE, ours, "interval above 0") for arm in MORE]
    rows += [_above(1, arm, PLAIN, ours) for arm in PAPERS]
    return rows + [_above(1, arm, FULL, ours, note="goal: not below 0; ") for arm in (SCARCE, *MORE)]


def outside_rows(outside: Study) -> list[Row]:
    """Return the same differences on tiles of another origin."""
    return [_above(6, arm, SCARCE, outside) for arm in MORE] + [_above(6, arm, FULL, outside) for arm in MORE]


def load_prior(folder: Path) -> Prior:
    """Return the prior of a model folder, without its networks."""
    return Prior.from_json(json.loads((folder / PRIOR_FILE).read_text("utf-8")))


def _above(number: int, arm: Arm, other: Arm, ours: Study, bar: str = "", note: str = "") -> Row:
    what = f"AJI above {other.name}: {arm.name}"
    if arm not in ours.figures:
        return missing(number, what, NO_GENERATOR, bar)
    tiles, groups = ours.above(arm, other), ours.above(arm, other, ours.groups)
    said = f"{note}{tiles.low:+.4f} to {tiles.high:+.4f} over tiles, {groups.low:+.4f} to {groups.high:+.4f} over groups"
    return Row(number, what, tiles.mean, bar=bar, held=tiles.low > 0 if bar else None, note=said)


def _table(mine: Sequence[Outcome], sets: Sequence[str]) -> Figures:
    """Return the figures (seeds, tiles, dice · aji · pq) of one arm."""
    return np.array([[astuple(row) for name in sets for row in outcome.scores[name]] for outcome in mine])


def _tests(data: Path, side: str, quick: bool) -> dict[str, tuple[Tile, ...]]:
    """Return the tiles that are measured on by set, in a quick run every eighth; a set without tiles is left out."""
    tests = {**tiles_by_set(data, side), MONUSEG: monuseg_tiles(data)}
    return {name: tiles[:: QUICK_EVERY if quick else 1] for name, tiles in tests.items() if tiles}


def _places(
    cells: Sequence[Tile], scarce: Sequence[Tile], generator: Path, out: Path, workers: int, quick: bool
) -> dict[str, Path]:
    """Return where the patches that arms learn from are kept; made ones only where there is a generator."""
    samples = {FULL_LABEL: labeled(cells), SCARCE_LABEL: labeled(scarce)}
    if (generator / "card.json").is_file():
        check_generator(generator, scarce, len(cells))
        count = QUICK_MADE if quick else len(scarce)
        wishes = [Wish(FIRST_SEED + i) for i in range(2 * count)]
        pairs = Painters(generator, out / "nuclei", workers).made(wishes, "synthetic pairs to learn from")
        made = tuple(Labeled(pair.image, pair.instances) for pair in pairs if pair.image is not None)
        samples |= {ONCE_LABEL: made[:count], TWICE_LABEL: made}
    return {name: keep_patches(patches, _kept_tiles(out)) for name, patches in samples.items()}


def _kept_tiles(out: Path) -> Path:
    return out / "nuclei" / "tiles"


def _segmenters(out: Path, quick: bool) -> Path:
    return out / "nuclei" / ("segmenters-quick" if quick else "segmenters")
