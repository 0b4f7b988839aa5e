"""How fast: images in the worker and through the service, start-up, transfers; each beside its bar.

    make bench

Everything runs on a service of its own in a temporary folder. Bare engine calls and calls through the service alternate in one
run, so their difference is the service's overhead whatever else the machine is doing.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import Figure, figure_rows, print_table, write_json
from medsynth_core import wire
from medsynth_core.client import Client
from medsynth_core.engines._base import Task
from medsynth_core.engines.synthesize.engine import ENGINE
from medsynth_core.link import Link
from medsynth_core.models import registry
from medsynth_core.protocol import EventKind
from medsynth_core.service import hardware
from medsynth_core.transport import Request, checked
from medsynth_core.volume import Volume

STEPS = (1, 2, 4)
BARS_MS = {1: 150.0, 4: 500.0}
"""4 CPU cores, 128², warm."""

STACK = (1, 512, 512, 512)
"""The bars of its transfers are 0.8 s up and 0.6 s down for int16; what comes down here has half the bytes."""


def main() -> None:
    """Measure, print the table, write the JSON."""
    asked = _arguments()
    os.environ["MEDSYNTH_FAKE_ENGINE"] = "1"
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as home:
        link, started_s = timed(lambda: _link(Path(home)))
        figures.append(Figure("service start", started_s, "s", 1.5))
        with Client(link, "benchmark") as engine:
            if asked.model:
                figures += images(engine, asked.model, asked.repeats)
            figures += overhead(engine, asked.repeats)
            figures += transfers(engine, link)
            figures += slices(engine)
            engine.shutdown(force=True)
    print_table(figure_rows(figures))
    print(f"\n{write_json(asked.out, 'speed', {'model': asked.model, 'repeats': asked.repeats}, figures)} written")


def images(engine: Client, model: str, repeats: int) -> list[Figure]:
    """A cold first image, then 128² images: bare in this process and through the service, taking turns."""
    mask = _lesion(128)
    _, cold_s = timed(lambda: engine.synthesize(mask, model=model, seed=0))
    hardware.load_torch()
    assert ENGINE.load is not None
    bare = _bare(ENGINE.load(registry.find(model), "cpu"), mask)
    figures = [Figure("first image, worker cold", cold_s, "s", 15.0)]
    for steps in STEPS:
        alone, served = in_turns(partial(bare, steps), partial(engine.synthesize, mask, model, steps=steps), repeats)
        name = f"{steps} step{'s' * (steps > 1)}, 128²"
        figures.append(Figure(f"{name}, engine alone", 1000 * alone, "ms", BARS_MS.get(steps)))
        figures.append(Figure(f"{name}, through the service", 1000 * served, "ms", note=f"ratio {served / alone:.2f}"))
    return figures


def overhead(engine: Client, repeats: int) -> list[Figure]:
    """What the service adds to a job: one whose engine computes next to nothing, and the smallest question."""
    mask = _lesion(128)

    def job(seed: int) -> Volume:
        return engine.submit("fake", mask=mask, seed=seed, slices=1, size=128).result()

    job(0)
    jobs = [timed(partial(job, seed))[1] for seed in range(1, repeats + 1)]
    calls = [timed(engine.status)[1] for _ in range(300)]
    return [
        Figure("overhead of the service, p50", 1000 * float(np.median(jobs)), "ms", 10.0, "job of the fake engine, 128²"),
        Figure("empty call, p50", 1000 * float(np.median(calls)), "ms", 3.0),
    ]


def transfers(engine: Client, link: Link) -> list[Figure]:
    """A 512³ int16 volume up, and a 512³ uint8 volume (the fake engine's) down."""
    volume = Volume(np.random.default_rng(0).integers(-1000, 3000, STACK, dtype=np.int16))
    data = wire.encode(volume)
    put = Request(
        "PUT", f"/v1/arrays/{wire.fingerprint(data)}", data, {"Content-Type": "application/octet-stream"}, seconds=120.0
    )
    _, up_s = timed(lambda: checked(link(put)))
    job = engine.submit("fake", seed=1, slices=STACK[1], size=STACK[2])
    job.wait()
    made, down_s = timed(lambda: job.result("image"))
    assert made.array.shape == STACK
    rate = f"{made.array.nbytes / 2**20 / down_s:.0f} MiB/s"
    return [Figure("512³ int16 up", up_s, "s", 0.8), Figure("512³ uint8 down", down_s, "s", 0.3, rate)]


def slices(engine: Client, count: int = 64) -> list[Figure]:
    """From a slice's event, stamped when it is written, to its pixels here, while the job runs."""
    job = engine.submit("fake", seed=2, slices=count, size=512, delay_ms=30.0)
    waits = []
    for event in job:
        if event.kind is EventKind.SLICE:
            job.slice(event.z, event.output)
            waits.append(time.time() - event.time)
    return [Figure("512² slice after it is written, p95", 1000 * float(np.percentile(waits, 95)), "ms", 50.0)]


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """Return what `call` gives and the seconds it took."""
    started = time.perf_counter()
    return call(), time.perf_counter() - started


def in_turns(one: Callable[..., Any], other: Callable[..., Any], repeats: int) -> tuple[float, float]:
    """Return the median seconds of two calls that take turns; each is called with another seed every time."""
    one(seed=0), other(seed=0)
    pairs = [(timed(partial(one, seed=s))[1], timed(partial(other, seed=s))[1]) for s in range(1, repeats + 1)]
    return float(np.median([a for a, _ in pairs])), float(np.median([b for _, b in pairs]))


def _bare(model: Any, mask: np.ndarray) -> Callable[..., Any]:
    volume = Volume.from_image(mask)

    def call(steps: int, seed: int) -> list[Any]:
        params, options = ENGINE.read_params({"steps": steps}, model.card)
        return list(ENGINE.run(Task({"mask": volume}, params, seed, model, options)))

    return call


def _link(home: Path) -> Link:
    link = Link(home, "", True)
    checked(link(Request("GET", "/v1/status", start=True)))
    return link


def _lesion(side: int) -> np.ndarray:
    y, x = np.mgrid[:side, :side] / side - 0.5
    return ((y - 0.05) ** 2 + (x + 0.1) ** 2 < 0.15**2).astype(np.uint8)


def _arguments() -> argparse.Namespace:
    installed = [info.id for info in registry.list_models() if info.card and info.engine == ENGINE.name]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", choices=installed, default=installed[0] if installed else None)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
