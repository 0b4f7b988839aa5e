"""Synthetic volumes for the benchmark: grown in several processes, kept on disk, so that a bench cut short goes on where it was.

    runs/bench/tumor/<weights and code>/<order>.safetensors      image, mask, spacing, what was noted, seconds

A kept volume is used again only with the same weights, the same code of the engine and the same order.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from medsynth_core.engines import tumor
from medsynth_core.engines._base import Note, Slice, Task
from medsynth_core.engines.tumor.engine import ENGINE
from medsynth_core.engines.tumor.frame import frame_of
from medsynth_core.errors import ParameterError
from medsynth_core.evaluation.flicker import Stack
from medsynth_core.models.card import read_card
from medsynth_core.protocol import OutputInfo, Scalar
from medsynth_core.studies.at_work import begin_worker
from medsynth_core.volume import Volume


@dataclass(frozen=True)
class Order:
    """One volume to be made: the engine's parameters and the seed; `independent`: each slice on its own (tumor_independent)."""

    seed: int
    params: tuple[tuple[str, Scalar], ...] = ()
    independent: bool = False

    @classmethod
    def of(cls, seed: int, params: Mapping[str, Scalar] | None = None, independent: bool = False) -> Order:
        """Return an order of parameters by name."""
        return cls(seed, tuple(sorted((params or {}).items())), independent)

    @property
    def key(self) -> str:
        """A name that follows from the order alone."""
        told = json.dumps([self.seed, self.params, self.independent])
        return hashlib.sha256(told.encode()).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Grown:
    """What came, along the frame's axes. `notes` are the engine's; a refused order has `refused`, the sentence, and no stack."""

    order: Order
    stack: Stack | None
    notes: dict[str, Scalar]
    first_s: float
    total_s: float
    refused: str = ""


def grow(model: Any, order: Order) -> Grown:
    """Return the volume of one order, grown in this process."""
    params, options = ENGINE.read_params(dict(order.params), model.card)
    outputs: dict[str, np.ndarray] = {}
    affine, notes, first_s = np.eye(4), {}, 0.0
    began = time.perf_counter()
    for event in ENGINE.run(Task({}, params, order.seed, model, options)):
        if isinstance(event, OutputInfo):
            outputs[event.name] = np.zeros(event.shape, event.dtype)
            affine = np.array(event.affine) if event.name == "image" else affine  # latents have a coarser grid
        elif isinstance(event, Slice):
            outputs[event.output][:, event.z] = event.array
            first_s = first_s or (time.perf_counter() - began if event.output == "image" else 0.0)
        elif isinstance(event, Note):
            notes[event.key] = event.value
    total_s = time.perf_counter() - began
    frame = frame_of(Volume(outputs["image"], affine))
    image, mask = (frame.canonical(outputs[name][0]) for name in ("image", "mask"))
    stack = Stack(np.ascontiguousarray(image, np.uint8), np.asarray(mask != 0), frame.spacing_mm)
    return Grown(order, stack, notes, first_s, total_s)


class Nursery:
    """Grows orders with one model folder, in `workers` processes of one thread each, and keeps what came."""

    def __init__(self, model: Path, folder: Path, workers: int, device: str = "cpu") -> None:
        self._model, self._workers, self._device = model, workers, device
        self._folder = folder / fingerprint(model)

    def grown(self, orders: Sequence[Order], what: str) -> list[Grown]:
        """Return the volumes of the orders, in their order; says how far it is."""
        self._folder.mkdir(parents=True, exist_ok=True)
        wanted = [order for order in dict.fromkeys(orders) if not self._path(order).is_file()]
        began = time.monotonic()
        for done, made in enumerate(self._made(wanted), start=1):
            write(made, self._path(made.order))
            if done % 10 == 0 or done == len(wanted):
                print(f"  {what}: {done} of {len(wanted)}, {(time.monotonic() - began) / done:.1f} s each", flush=True)
        return [read(order, self._path(order)) for order in orders]

    def _path(self, order: Order) -> Path:
        return self._folder / f"{order.key}.safetensors"

    def _made(self, orders: Sequence[Order]) -> Iterator[Grown]:
        if not orders:
            return
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(self._workers, context, _begin, (self._model, self._device)) as pool:
            yield from pool.map(_go, orders)


def fingerprint(model: Path) -> str:
    """Return a name for the weights of a model folder and the code of the engine."""
    told = hashlib.sha256(json.dumps(read_card(model).sha256, sort_keys=True).encode())
    assert tumor.__file__ is not None
    for file in sorted(Path(tumor.__file__).parent.glob("*.py")):
        told.update(file.read_bytes())
    return told.hexdigest()[:12]


def write(made: Grown, path: Path) -> None:
    """Keep a volume, whole or not at all."""
    told = {"notes": made.notes, "first_s": made.first_s, "total_s": made.total_s, "refused": made.refused}
    arrays: dict[str, np.ndarray] = {"seconds": np.array([made.total_s])}  # never empty: a refused request has no volume
    if made.stack is not None:
        arrays |= {"image": made.stack.image, "mask": made.stack.mask, "spacing": np.array(made.stack.spacing_mm)}
    partial = path.with_suffix(f".{os.getpid()}.partial")
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, partial, {"told": json.dumps(told)})
    os.replace(partial, path)


def read(order: Order, path: Path) -> Grown:
    """Return a kept volume."""
    with safe_open(path, framework="np") as kept:
        told = json.loads(kept.metadata()["told"])
        stack = None
        if "image" in kept.keys():  # noqa: SIM118  not a dict
            z, y, x = (float(v) for v in kept.get_tensor("spacing"))
            stack = Stack(kept.get_tensor("image"), kept.get_tensor("mask"), (z, y, x))
    return Grown(order, stack, told["notes"], told["first_s"], told["total_s"], told["refused"])


_models: list[Any] = []


def _begin(model: Path, device: str) -> None:
    begin_worker()
    assert ENGINE.load is not None
    _models.append(ENGINE.load(model, device))


def _go(order: Order) -> Grown:
    from benchmarks.tumor_independent import grow_apart

    try:
        return grow_apart(_models[0], order) if order.independent else grow(_models[0], order)
    except ParameterError as refused:  # told in the table: a request that is refused is no crash of the bench
        return Grown(order, None, {}, 0.0, 0.0, str(refused))
