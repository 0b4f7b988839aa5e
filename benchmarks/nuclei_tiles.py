"""The tiles that the nuclei benchmark measures on, and how they reach several processes.

runs/bench/nuclei/tiles/<sha256>/images.npy, instances.npy       patches of one size, read where they lie: no process copies them
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from medsynth_core.engines.nuclei.starters import SETS
from medsynth_core.engines.nuclei.tiles import Tile, patches, read_tiles
from medsynth_core.errors import TrainingDataError
from medsynth_core.evaluation.nuclei_views import Labeled
from medsynth_core.training.nuclei_sets import NUCLEI, by_stem
from medsynth_core.training.sides import SIDES, side_of

MONUSEG = "nuclei_monuseg_NC"
"""Its license forbids commercial use: it only ever measures, no model learns from it."""


@functools.cache
def tiles_by_set(data: Path, side: str) -> dict[str, tuple[Tile, ...]]:
    """Return the whole tiles of one side ("training", "tuning", "held out") of each public set, by the name of its folder.

    Raises TrainingDataError when a set is not there, ValueError for another side.
    """
    if side not in SIDES:
        raise ValueError(f"side is {side!r}: it must be one of {', '.join(SIDES)}")
    if lost := [name for name in SETS if not (data / name).is_dir()]:
        raise TrainingDataError(f"{lost[0]} is not in {data}: the benchmark needs {', '.join(SETS)}")
    pairs = {name: NUCLEI[name].pairs(data / name) for name in SETS}
    return {name: read_tiles(tuple(p for p in pairs[name] if side_of(p.group) == side)) for name in SETS}


def tiles_of(data: Path, side: str) -> tuple[Tile, ...]:
    """Return the whole tiles of one side, set after set, in the order that the engine trains on them."""
    return tuple(tile for tiles in tiles_by_set(data, side).values() for tile in tiles)


def patches_of(tiles: Sequence[Tile]) -> tuple[Tile, ...]:
    """Return all 256² patches of tiles, in the order that the label subsets are counted in."""
    return tuple(patch for tile in tiles for patch in patches(tile))


@functools.cache
def monuseg_tiles(data: Path) -> tuple[Tile, ...]:
    """Return the tiles of MoNuSeg, 1000² pixels, one patient each; none where the set is not there."""
    folder = data / MONUSEG / "train"
    return read_tiles(by_stem(folder)) if folder.is_dir() else ()


def keep_patches(samples: Sequence[Labeled], folder: Path) -> Path:
    """Write patches of one size below `folder`, once, and return where: a folder named by what is in it."""
    images = np.ascontiguousarray(np.stack([labeled.image for labeled in samples]))  # a tile's channels may lie last
    instances = np.ascontiguousarray(np.stack([labeled.instances for labeled in samples]), np.uint16)
    told = hashlib.sha256(images.data)
    told.update(instances.data)
    place = folder / told.hexdigest()[:16]
    place.mkdir(parents=True, exist_ok=True)
    for name, array in (("images", images), ("instances", instances)):
        if not (place / f"{name}.npy").is_file():
            partial = place / f"{name}.{os.getpid()}.partial"
            with partial.open("wb") as stream:
                np.save(stream, array, allow_pickle=False)
            os.replace(partial, place / f"{name}.npy")
    return place


def kept_patches(place: Path) -> tuple[Labeled, ...]:
    """Return the patches kept in a folder; their pixels stay in the file until they are looked at."""
    images, instances = (np.lib.format.open_memmap(place / f"{name}.npy", mode="r") for name in ("images", "instances"))
    return tuple(Labeled(image, numbers) for image, numbers in zip(images, instances, strict=True))
