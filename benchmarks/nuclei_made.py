"""Synthetic pairs for the benchmark: made in several processes, kept on disk, so that a bench cut short goes on where it was.

    runs/bench/nuclei/<weights and code>/<wish>.safetensors      instances, and the image where one was wished for

A kept pair is used again only with the same weights, the same code of the engine and the same wish. What is made is what the
engine gives for the seed (a test compares the bytes); it is taken from the model, so that a field can be had without an image.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

from medsynth_core.engines import nuclei
from medsynth_core.engines.nuclei.engine import Params
from medsynth_core.engines.nuclei.model import NucleiModel, load_model
from medsynth_core.engines.nuclei.sampling import Manner
from medsynth_core.engines.nuclei.stain import Stain
from medsynth_core.engines.nuclei.tiles import PIXELS
from medsynth_core.evaluation.tensors import image_array
from medsynth_core.imaging import nuclei_maps
from medsynth_core.models.card import read_card
from medsynth_core.studies.at_work import begin_worker

Instances = npt.NDArray[np.integer]
AT_ONCE = 4
"""Wishes that a process takes at a time."""


@dataclass(frozen=True, eq=False)
class Wish:
    """One pair: its seed; density and size, drawn by the seed where they are 0; or the nuclei (256, 256) to paint as they are.

    `stain` None is drawn. Without `painted` there is no image. `manner` None is what the engine does unasked.
    """

    seed: int
    density: float = 0.0
    size_px: float = 0.0
    field: Instances | None = None
    stain: Stain | None = None
    painted: bool = True
    manner: Manner | None = None

    @property
    def way(self) -> Manner:
        """How it is made."""
        return self.manner or Manner(Params().steps, Params().guidance)

    @property
    def key(self) -> str:
        """A name that follows from the wish alone."""
        told = hashlib.sha256(b"" if self.field is None else self.field.astype(np.int32).tobytes())
        stain = None if self.stain is None else self.stain.vector().tolist()
        rest = [self.seed, self.density, self.size_px, stain, self.painted, self.way.steps, self.way.guidance]
        told.update(json.dumps(rest).encode())
        return told.hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Made:
    """What came: instances (256, 256) and image (3, 256, 256) uint8, None where none was wished for."""

    instances: Instances
    image: npt.NDArray[np.uint8] | None


def make(model: NucleiModel, wish: Wish) -> Made:
    """Return the pair of one wish, made in this process."""
    row, way = model.prior.draw(wish.seed, wish.density, wish.size_px), wish.way
    field = model.new_field((PIXELS, PIXELS), row, wish.seed, way) if wish.field is None else wish.field
    if not wish.painted:
        return Made(field, None)
    return Made(field, image_array(model.paint(field, wish.stain or row.stain, wish.seed, way)[None])[0])


class Painters:
    """Makes wishes with one model folder, in `workers` processes of one thread each, and keeps what came."""

    def __init__(self, model: Path, folder: Path, workers: int) -> None:
        self._model, self._workers = model, workers
        self._folder = folder / fingerprint(model)

    def made(self, wishes: Sequence[Wish], what: str) -> list[Made]:
        """Return what was wished for, in its order; says how far it is."""
        self._folder.mkdir(parents=True, exist_ok=True)
        wanted = {wish.key: wish for wish in wishes if not self._path(wish).is_file()}
        began = time.monotonic()
        for done, (wish, made) in enumerate(zip(wanted.values(), self._fresh(list(wanted.values())), strict=True), start=1):
            _write(made, self._path(wish))
            if done % 50 == 0 or done == len(wanted):
                print(f"  {what}: {done} of {len(wanted)}, {(time.monotonic() - began) / done:.2f} s each", flush=True)
        return [_read(self._path(wish)) for wish in wishes]

    def _path(self, wish: Wish) -> Path:
        return self._folder / f"{wish.key}.safetensors"

    def _fresh(self, wishes: list[Wish]) -> Iterator[Made]:
        if not wishes:
            return
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(self._workers, context, _begin, (self._model,)) as pool:
            yield from pool.map(_go, wishes, chunksize=AT_ONCE)


def fingerprint(model: Path) -> str:
    """Return a name for the weights of a model folder and the code that makes a pair of them."""
    told = hashlib.sha256(json.dumps(read_card(model).sha256, sort_keys=True).encode())
    assert nuclei.__file__ is not None
    for file in (*sorted(Path(nuclei.__file__).parent.glob("*.py")), Path(nuclei_maps.__file__)):
        told.update(file.read_bytes())
    return told.hexdigest()[:12]


def _write(made: Made, path: Path) -> None:
    arrays: dict[str, np.ndarray] = {"instances": made.instances.astype(np.int32)}
    if made.image is not None:
        arrays["image"] = made.image
    partial = path.with_suffix(f".{os.getpid()}.partial")
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, partial)
    os.replace(partial, path)


def _read(path: Path) -> Made:
    kept = load_file(path)
    return Made(kept["instances"], kept.get("image"))


_models: list[NucleiModel] = []


def _begin(model: Path) -> None:
    begin_worker()
    _models.append(load_model(model))


def _go(wish: Wish) -> Made:
    return make(_models[0], wish)
