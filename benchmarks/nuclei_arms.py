"""The arms of the downstream study: what each segmenter learns from, its training, and what it finds in tiles it never saw.

    runs/bench/nuclei/segmenters/<arm>-<seed>/    nuclei-segmenter.safetensors, its card, scores-<what was measured>.json

All arms take equally many optimizer steps with the same network and batch. Patches are drawn from the union of real and made
ones, each as often as any other, as in NuDiff: with ×1 half of what is seen is real, with ×2 a third. A segmenter that is there
and fits its card (patches, settings) is used again, and so are its scores as long as weights, tiles and the code that measures
are the same: a bench cut short goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import astuple, dataclass
from pathlib import Path

from benchmarks.nuclei_tiles import kept_patches
from medsynth_core.diffusion import tiles as windows
from medsynth_core.evaluation import instances, nuclei_scores, nuclei_segmenter, plain_unet
from medsynth_core.evaluation.judges import prepare_nuclei_segmenter
from medsynth_core.evaluation.nuclei_scores import NucleiScore, score
from medsynth_core.evaluation.nuclei_segmenter import NucleiSegmenterSettings, find_nuclei
from medsynth_core.evaluation.nuclei_views import CLASSIC, NONE, Labeled
from medsynth_core.evaluation.plain_unet import PlainUNet
from medsynth_core.imaging import nuclei_maps
from medsynth_core.studies.at_work import begin_worker

MEASURED_BY = (windows, instances, nuclei_scores, nuclei_segmenter, plain_unet, nuclei_maps)
"""Modules whose code decides on scores."""
Tests = Mapping[str, Sequence[Labeled]]
"""Tiles that are measured on, by the name of their set."""


@dataclass(frozen=True)
class Arm:
    """What is learned from: percent of the real patches, made pairs (times those at 10 %), classic augmentation or not."""

    percent: int
    times: int
    classic: bool

    @property
    def name(self) -> str:
        """As the table calls it."""
        classic, made = ["classic"] * self.classic, [f"synthetic ×{self.times}"] * bool(self.times)
        return " + ".join([f"{self.percent} %", *classic, *made])

    @property
    def key(self) -> str:
        """As its folder is called."""
        return f"real{self.percent}-made{self.times}{'-classic' if self.classic else ''}"


PLAIN, SCARCE = Arm(10, 0, False), Arm(10, 0, True)
FULL_PLAIN, FULL = Arm(100, 0, False), Arm(100, 0, True)
PAPERS = (Arm(10, 1, False), Arm(10, 2, False))
MORE = (Arm(10, 1, True), Arm(10, 2, True))
ARMS = (PLAIN, *PAPERS, SCARCE, *MORE, Arm(0, 2, True), FULL_PLAIN, FULL)


@dataclass(frozen=True)
class Lesson:
    """One training: its arm, settings (with the seed), the folders of its patches, and where it is kept."""

    arm: Arm
    settings: NucleiSegmenterSettings
    places: tuple[Path, ...]
    folder: Path


@dataclass(frozen=True)
class Outcome:
    """What one segmenter scored, tile by tile, by the name of the set."""

    arm: Arm
    seed: int
    scores: dict[str, tuple[NucleiScore, ...]]


def lesson(arm: Arm, seed: int, steps: int, places: Mapping[str, Path], folder: Path) -> Lesson:
    """Return the training of an arm; `places` has the folders of "10 %", "100 %", "synthetic ×1" and "synthetic ×2"."""
    settings = NucleiSegmenterSettings(steps=steps, seed=seed, augmentation=CLASSIC if arm.classic else NONE)
    wanted = [f"{arm.percent} %"] * bool(arm.percent) + [f"synthetic ×{arm.times}"] * bool(arm.times)
    return Lesson(arm, settings, tuple(places[name] for name in wanted), folder / f"{arm.key}-{seed}")


def segmenter_of(task: Lesson) -> tuple[PlainUNet, str]:
    """Return the segmenter of a lesson and its name: trained now, or as it was kept."""
    samples = tuple(labeled for place in task.places for labeled in kept_patches(place))
    return prepare_nuclei_segmenter(task.folder, task.arm.key, samples, task.settings, lambda *_: None)


def outcomes(lessons: Sequence[Lesson], tests: Tests, workers: int) -> list[Outcome]:
    """Return what the segmenters of all lessons score, trained in `workers` processes of one thread each; says how far it is."""
    began, done = time.monotonic(), {}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _begin, (dict(tests), _digest(tests))) as pool:
        running = {pool.submit(_measure, task): task for task in lessons}
        for count, future in enumerate(as_completed(running), start=1):
            done[running[future]] = future.result()
            arm, minutes = running[future].arm, (time.monotonic() - began) / 60
            print(f"  segmenters: {count} of {len(lessons)} after {minutes:.1f} min ({arm.name})", flush=True)
    return [done[task] for task in lessons]


def measured(task: Lesson, tests: Tests, digest: str) -> Outcome:
    """Return what one segmenter scores, computed in this process unless it is kept."""
    network, name = segmenter_of(task)
    kept = task.folder / f"scores-{name.rsplit('-', 1)[-1]}-{digest}.json"
    if kept.is_file():
        content = json.loads(kept.read_text("utf-8"))
        scores = {told: tuple(NucleiScore(*row) for row in rows) for told, rows in content.items()}
        return Outcome(task.arm, task.settings.seed, scores)
    scores = {
        told: tuple(score(find_nuclei(network, tile.image), tile.instances) for tile in tiles) for told, tiles in tests.items()
    }
    partial = kept.with_suffix(f".{os.getpid()}.partial")
    partial.write_text(json.dumps({told: [astuple(row) for row in rows] for told, rows in scores.items()}) + "\n", "utf-8")
    os.replace(partial, kept)
    return Outcome(task.arm, task.settings.seed, scores)


def _digest(tests: Tests) -> str:
    """Return a name for the tiles that are measured on and the code that measures."""
    told = hashlib.sha256()
    for name, tiles in tests.items():
        told.update(name.encode())
        for tile in tiles:
            told.update(tile.image.tobytes())
            told.update(tile.instances.tobytes())
    for module in MEASURED_BY:
        assert module.__file__ is not None
        told.update(Path(module.__file__).read_bytes())
    return told.hexdigest()[:12]


_at_work: list[tuple[Tests, str]] = []


def _begin(tests: Tests, digest: str) -> None:
    begin_worker()
    _at_work.append((tests, digest))


def _measure(task: Lesson) -> Outcome:
    return measured(task, *_at_work[0])
