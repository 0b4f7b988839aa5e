"""Row 5: how long a pair takes, in this process and through the service, beside the published arithmetic."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import torch

from benchmarks import nuclei_published
from benchmarks.nuclei_published import IMAGE_EVALUATIONS, STRUCTURE_EVALUATIONS, Evaluation
from benchmarks.tumor_service import Served, serving
from benchmarks.tumor_speed import median
from benchmarks.verdicts import Row, at_most
from medsynth_core.engines._base import Task
from medsynth_core.engines.nuclei.engine import ENGINE

PAIR_BAR_S = 4.0
THREADS = 4
PARTS = ("image", "instances")


def pair_rows(model: Path, repeats: int) -> list[Row]:
    """Row 5: a 256² pair, the engine alone and through a service of its own."""
    rows = [_row(f"256² pair, engine, warm, {THREADS} threads", engine_s(model, repeats), repeats)]
    with serving(model) as served:
        served.client.load_model(served.model)
        seconds = median(lambda seed: served_s(served, seed), repeats)
    return [*rows, _row("256² pair, through the service, warm", seconds, repeats)]


def engine_s(model: Path, repeats: int) -> float:
    """Return the median seconds of a pair in this process, on four threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        assert ENGINE.load is not None
        loaded = ENGINE.load(model, "cpu")
        return median(lambda seed: alone_s(loaded, seed), repeats)
    finally:
        torch.set_num_threads(threads)


def alone_s(model: Any, seed: int) -> float:
    """Return the seconds of one pair of the engine."""
    began = time.perf_counter()
    for _ in _events(model, seed):
        pass
    return time.perf_counter() - began


def served_s(served: Served, seed: int) -> float:
    """Return the seconds from the call until image and instances are here."""
    began = time.perf_counter()
    job = served.client.submit(ENGINE.name, served.model, seed=seed)
    for part in PARTS:
        job.result(part)
    return time.perf_counter() - began


def published_rows(model: Path, repeats: int) -> list[Row]:
    """Row 5: one evaluation of either published network, as many as they need for a pair, and how much faster ours is."""
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        structure, image = nuclei_published.measure(spade=False), nuclei_published.measure(spade=True)
    finally:
        torch.set_num_threads(threads)
    theirs = STRUCTURE_EVALUATIONS * structure.seconds + IMAGE_EVALUATIONS * image.seconds
    ours = engine_s(model, repeats)
    told = f"{STRUCTURE_EVALUATIONS} × {structure.seconds:.2f} s + {IMAGE_EVALUATIONS} × {image.seconds:.2f} s"
    return [
        _evaluation_row("structure", structure, nuclei_published.STRUCTURE_PARAMETERS),
        _evaluation_row("image", image, nuclei_published.IMAGE_PARAMETERS),
        Row(5, "published arithmetic, one 256² pair", theirs, "s", note=told),
        Row(5, "published pair / our pair", theirs / ours, "×", note=f"ours {ours:.3g} s on the same {THREADS} threads"),
    ]


def _row(what: str, seconds: float, repeats: int) -> Row:
    return at_most(5, what, seconds, PAIR_BAR_S, "s", f"median of {repeats}; goal 1")


def _evaluation_row(what: str, found: Evaluation, published: float) -> Row:
    size = f"{found.parameters / 1e6:.1f} M parameters (published: {published / 1e6:.0f}), {found.gmac:.0f} GMAC"
    return Row(5, f"published {what} network, one evaluation", found.seconds, "s", note=f"random weights, {size}")


def _events(model: Any, seed: int) -> Generator[Any]:
    read, options = ENGINE.read_params({}, model.card)
    yield from ENGINE.run(Task({}, read, seed, model, options))
