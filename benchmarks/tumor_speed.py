"""Rows 4 and 5: how soon the first slice, how long a pair, how much memory, beside the published arithmetic; and kill -9.

    .venv/bin/python -m benchmarks.tumor_speed --model runs/lgg-flair

A busy machine makes the times worthless: run it alone.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import random
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks import tumor_published
from benchmarks.report import print_table
from benchmarks.tumor_service import Served, Watch, serving
from benchmarks.verdicts import Row, at_most, missing, table
from medsynth_core.engines._base import Slice, Task
from medsynth_core.engines.tumor.engine import ENGINE
from medsynth_core.job import Job
from medsynth_core.protocol import EventKind
from medsynth_core.service import hardware

FIRST_BAR_S, PAIR_BAR_S, MEMORY_BAR_GB = 1.0, 60.0, 3.0
PAIR: dict[str, Any] = {"slices": 64}
KILLED: dict[str, Any] = {"slices": 24}
FIRST_GPU_BAR_S, CUBE_GPU_BAR_S = 0.1, 2.0


def speed_rows(model: Path, repeats: int, quick: bool, device: str = "cpu") -> list[Row]:
    """Row 4: the engine in this process, then through a service of its own, then the published arithmetic."""
    hardware.load_torch()
    assert ENGINE.load is not None
    loaded = ENGINE.load(model, device)
    first_bar = FIRST_BAR_S if device == "cpu" else FIRST_GPU_BAR_S
    first = median(lambda i: first_slice_s(loaded, i), repeats)
    alone = pair_s(loaded)
    rows = [
        at_most(4, "first slice after the call, engine, warm", first, first_bar, "s", f"median of {repeats}; goal 0.2 on a CPU"),
        at_most(4, "128×128×64 pair, engine, warm", alone, PAIR_BAR_S, "s", "goal 15"),
    ]
    if device != "cpu":
        cube = min(pair_s(loaded, slices=128) for _ in range(2))
        rows.append(at_most(4, "128×128×128 pair, engine, warm", cube, CUBE_GPU_BAR_S, "s", device))
    rows += served_rows(model, repeats)
    if quick:
        return [*rows, missing(4, "published arithmetic", "left out by --quick: it takes minutes")]
    published = tumor_published.measure(device)
    size = f"{published.parameters / 1e6:.0f} M parameters, {published.gmac:.0f} GMAC (published: 135 M, 524)"
    rows.append(
        Row(4, "published arithmetic, one DDIM-50 pass", published.pass_s, "s", note=f"50 × {published.seconds:.2f} s, {size}")
    )
    ratio = published.pass_s / alone
    rows.append(Row(4, "published pass / our 128×128×64 pair", ratio, "×", note="theirs is 96 slices of 192², neither is scaled"))
    return rows


def served_rows(model: Path, repeats: int) -> list[Row]:
    """Row 4 through the service: what a viewer has to wait for, and the worker's memory while it grows a pair."""
    with serving(model) as served:
        served.client.load_model(served.model)
        served.client.submit("tumor", served.model, seed=0, **KILLED).wait()  # warms the worker
        first = median(lambda i: served_first_s(served, i), repeats)
        with Watch(served.worker()) as watch:
            began = time.perf_counter()
            served.client.submit("tumor", served.model, seed=0, **PAIR).wait()
            pair = time.perf_counter() - began
    return [
        at_most(4, "first slice after the call, through the service, warm", first, FIRST_BAR_S, "s", f"median of {repeats}"),
        at_most(4, "128×128×64 pair, through the service, warm", pair, PAIR_BAR_S, "s"),
        at_most(4, "memory of the worker, peak", watch.gb, MEMORY_BAR_GB, "GB"),
    ]


def first_slice_s(model: Any, seed: int) -> float:
    """Return the seconds until the engine gives the first slice of the image."""
    began = time.perf_counter()
    with contextlib.closing(_events(model, seed, **PAIR)) as events:
        for event in events:
            if isinstance(event, Slice) and event.output == "image":
                return time.perf_counter() - began
    raise RuntimeError("the engine ended without a slice of the image")


def pair_s(model: Any, slices: int = 64) -> float:
    """Return the seconds of a whole pair in this process."""
    began = time.perf_counter()
    for _ in _events(model, 0, slices=slices):
        pass
    return time.perf_counter() - began


def served_first_s(served: Served, seed: int) -> float:
    """Return the seconds from the call until the pixels of the first slice are here; ends the job."""
    began = time.perf_counter()
    job = served.client.submit("tumor", served.model, seed=seed, **PAIR)
    for event in job:
        if event.kind is EventKind.SLICE and event.output == "image":
            job.slice(event.z, "image")
            taken = time.perf_counter() - began
            job.cancel()
            _wait_ended(job)
            return taken
    raise RuntimeError("the job ended without a slice of the image")


def kill_rows(model: Path, kills: int, seed: int = 0) -> list[Row]:
    """Row 5: the worker is killed at a random moment of each of `kills` jobs; the volumes must not differ by a bit."""
    if kills < 1:
        return [missing(5, "kill -9 of the worker: same hashes", "left out by --kills 0", "all")]
    with serving(model) as served:
        usual, seconds = _undisturbed(served)
        chance = random.Random(seed)
        same, retried = 0, 0
        for number in range(kills):
            job = served.client.submit("tumor", served.model, seed=1, **KILLED)
            time.sleep(chance.uniform(0, seconds))
            with contextlib.suppress(psutil.NoSuchProcess):
                served.worker().kill()
            info = job.wait()
            retried += info.retries > 0
            same += hashes(job) == usual
            print(f"  kill {number + 1} of {kills}: {same} the same so far", flush=True)
    note = f"{retried} met the job at work; image and mask of {KILLED['slices']} slices, random moments of {seconds:.1f} s"
    return [Row(5, "kill -9 of the worker: same hashes", same, f"of {kills}", "all", same == kills, note)]


def hashes(job: Job) -> tuple[str, ...]:
    """Return the sha256 of a job's image and mask."""
    return tuple(hashlib.sha256(job.result(name).array.tobytes()).hexdigest() for name in ("image", "mask"))


def median(call: Callable[[int], float], repeats: int) -> float:
    """Return the median of calls 1, 2, …; one more before them is not counted."""
    call(0)
    return float(np.median([call(i) for i in range(1, repeats + 1)]))


def _undisturbed(served: Served) -> tuple[tuple[str, ...], float]:
    served.client.submit("tumor", served.model, seed=1, **KILLED).wait()  # warms the worker
    began = time.perf_counter()
    job = served.client.submit("tumor", served.model, seed=1, **KILLED)
    job.wait()
    return hashes(job), time.perf_counter() - began


def _wait_ended(job: Job) -> None:
    while not job.info().state.ended:
        time.sleep(0.02)


def _events(model: Any, seed: int, **params: Any) -> Generator[Any]:
    read, options = ENGINE.read_params(params, model.card)
    yield from ENGINE.run(Task({}, read, seed, model, options))


def main() -> None:
    """Measure one model folder."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tumor_speed", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="without the published arithmetic")
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    print_table(table([*speed_rows(asked.model, asked.repeats, asked.quick, asked.device), *kill_rows(asked.model, asked.kills)]))


if __name__ == "__main__":
    main()
