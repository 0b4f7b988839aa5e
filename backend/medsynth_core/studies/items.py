"""What a study learns from and measures on: an image with its labels, whatever the kind of data, and sets of them kept on disk.

image    (z, c, y, x) uint8     z = 1 for a picture; a volume has its slices, each with its neighbors as channels
labels   (z, y, x)              label values, or one number for each nucleus
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import safe_open
from safetensors.numpy import save_file


@dataclass(frozen=True, eq=False)
class Item:
    """One item of a study, real or made. Items of one `group` never part; `options` is what a model is told beside the mask."""

    name: str
    group: str
    image: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.integer]
    options: dict[str, str] = field(default_factory=dict)


def digest_of(items: Sequence[Item]) -> str:
    """Return a name that follows from what the items hold."""
    told = hashlib.sha256()
    for item in items:
        told.update(json.dumps([item.name, item.group, item.image.shape, item.labels.shape, item.options]).encode())
        told.update(np.ascontiguousarray(item.image).data)
        told.update(np.ascontiguousarray(item.labels.astype(np.int32)).data)
    return told.hexdigest()[:16]


def keep(items: Sequence[Item], folder: Path) -> Path:
    """Write the items under a name that follows from them, unless they are there, and return the file."""
    path = folder / f"{digest_of(items)}.safetensors"
    if not path.is_file():
        write(items, path)
    return path


def write(items: Sequence[Item], path: Path) -> None:
    """Write the items to a file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {f"image {i}": np.ascontiguousarray(item.image) for i, item in enumerate(items)}
    arrays |= {f"labels {i}": np.ascontiguousarray(item.labels, np.int32) for i, item in enumerate(items)}
    told = json.dumps([[item.name, item.group, item.options] for item in items])
    partial = path.with_suffix(f".{os.getpid()}.partial")
    save_file(arrays, partial, {"items": told})
    os.replace(partial, path)


@lru_cache(maxsize=8)
def kept(path: Path, first: int | None = None) -> tuple[Item, ...]:
    """Return the items of a file, or the first few of them; read once for the lessons that follow each other in one process."""
    with safe_open(path, framework="np") as arrays:
        told = json.loads(arrays.metadata()["items"])[:first]
        return tuple(
            Item(name, group, arrays.get_tensor(f"image {i}"), arrays.get_tensor(f"labels {i}"), options)
            for i, (name, group, options) in enumerate(told)
        )
