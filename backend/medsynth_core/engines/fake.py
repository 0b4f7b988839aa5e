"""The engine of the tests: deterministic, as slow as asked, and faulty on demand. Listed only with MEDSYNTH_FAKE_ENGINE=1.

Slice z follows from (seed, z) alone, so a resumed job can be compared byte by byte with an undisturbed one.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from medsynth_core.engines._base import Engine, EngineEvent, Note, Preview, Progress, Slice, Task, param
from medsynth_core.errors import OutOfMemoryError
from medsynth_core.protocol import InputInfo, OutputInfo

FAULTS = ("none", "error", "crash", "segfault", "hang", "oom", "flood")


@dataclass(frozen=True)
class Params:
    """How large, how slow, and what goes wrong at which slice in the first `fault_times` attempts."""

    slices: int = param(8, "Slices", minimum=1, maximum=4096)
    size: int = param(32, "Size", minimum=1, maximum=4096, unit="px")
    delay_ms: float = param(0.0, "Delay per slice", minimum=0, maximum=600_000, unit="ms")
    fault: str = param("none", "Fault", choices=FAULTS)
    fault_at: int = param(0, "Slice of the fault", minimum=0)
    fault_times: int = param(1, "Attempts that fail", minimum=0)
    twice: bool = param(False, "Second pass", help="Replaces each slice by that of the next seed")


def run(task: Task) -> Iterator[EngineEvent]:
    """Yield `slices` slices of noise, (1, size, size) uint8 each, and a preview of the first."""
    params: Params = task.params
    affine = task.inputs["mask"].affine if "mask" in task.inputs else np.eye(4)
    shape = (1, params.slices, params.size, params.size)
    yield OutputInfo("image", "image", shape, "uint8", tuple(map(tuple, affine.tolist())))
    yield Note("fake", True)
    kept = task.finished.get("image", {})
    total = params.slices * (1 + params.twice)
    for z in range(params.slices):
        if z not in kept:
            yield from _make(task, z)
        yield Progress(z + 1, total, f"slice {z + 1}")
    for z in range(params.slices if params.twice else 0):
        time.sleep(params.delay_ms / 1000)
        yield Slice("image", z, slice_pixels(task.seed + 1, z, params.size), replaces=True)
        yield Progress(params.slices + z + 1, total, f"slice {z + 1} again")


def _make(task: Task, z: int) -> Iterator[EngineEvent]:
    params: Params = task.params
    time.sleep(params.delay_ms / 1000)
    if params.fault != "none" and z == params.fault_at and task.attempt <= params.fault_times:
        yield from _fail(params.fault)
    pixels = slice_pixels(task.seed, z, params.size)
    if z == 0:
        yield Preview("image", pixels[:, None])
    yield Slice("image", z, pixels)


def slice_pixels(seed: int, z: int, size: int) -> np.ndarray:
    """Return slice z of the fake image, (1, size, size) uint8, from (seed, z) alone."""
    return np.random.default_rng((abs(seed), int(seed < 0), z)).integers(0, 256, (1, size, size), dtype=np.uint8)


def _fail(fault: str) -> Iterator[EngineEvent]:
    match fault:
        case "error":
            raise RuntimeError("the fake engine was asked to fail")
        case "oom":
            raise OutOfMemoryError("the fake engine was asked to run out of memory: choose a smaller size")
        case "crash":
            os._exit(9)
        case "segfault":
            ctypes.string_at(0)
        case "hang":
            time.sleep(24 * 3600)
        case "flood":
            yield from _flood()


def _flood() -> Iterator[EngineEvent]:
    """Write 64 MiB to stdout and stderr and report progress 20 000 times: neither may reach anybody."""
    for _ in range(64):
        os.write(sys.__stdout__.fileno() if sys.__stdout__ else 1, b"x" * 2**19)
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, b"y" * 2**19)
    for _ in range(20_000):
        yield Progress(0, 1, "flood")


ENGINE = Engine(
    name="fake",
    summary="Deterministic noise for tests",
    inputs=(InputInfo("mask", "Mask", "labels", required=False),),
    params=Params,
    run=run,
    only_with="MEDSYNTH_FAKE_ENGINE",
)
