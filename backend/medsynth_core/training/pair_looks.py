"""One opening of every image and mask of a folder: what a pair is like, or what is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medsynth_core.errors import InputError
from medsynth_core.formats import read, read_mask
from medsynth_core.interrupts import mapped
from medsynth_core.protocol_training import Finding
from medsynth_core.training.findings import unreadable
from medsynth_core.training.likeness import Likeness, checksum_of, likeness_of
from medsynth_core.training.pairs import Pair, as_picture
from medsynth_core.volume import Volume

THREADS = 4
SAMPLE = 1024
"""Pixels of each image that its intensities are told from, evenly spread."""
FULL = 0.99
"""Share of the highest value that counts as saturated, where it is that of the type."""

FaultOf = Callable[[Pair, Volume, Volume], Finding | None]


@dataclass(frozen=True, eq=False)
class PairLook:
    """What a sound pair is like. `labels` are pixels by label value, 0 among them; `sample` some intensities, sorted."""

    pair: Pair
    likeness: Likeness
    mask_checksum: str
    size: tuple[int, int]
    spacing_mm: tuple[float, float]
    channels: int
    kind: np.dtype[np.generic]
    labels: dict[int, int]
    sample: npt.NDArray[np.float32]
    saturated: float

    @property
    def name(self) -> str:
        """The name of the case."""
        return self.pair.stem

    @property
    def foreground(self) -> frozenset[int]:
        """The label values above 0."""
        return frozenset(self.labels) - {0}

    @property
    def range(self) -> tuple[float, float]:
        """The 1st and 99th percentile of the intensities."""
        low, high = np.percentile(self.sample, (1, 99))
        return float(low), float(high)


def look_at_all(pairs: Sequence[Pair], fault_of: FaultOf) -> tuple[tuple[PairLook, ...], tuple[Finding, ...]]:
    """Return what the sound pairs are like, and what is wrong with the others, in their order."""
    pool = ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1))  # decoding frees the interpreter
    found = mapped(pool, lambda pair: look_at(pair, fault_of), pairs)
    return tuple(f for f in found if isinstance(f, PairLook)), tuple(f for f in found if isinstance(f, Finding))


def look_at(pair: Pair, fault_of: FaultOf) -> PairLook | Finding:
    """Return what a pair is like, or the one thing that stops a training on it."""
    try:
        image, mask = read(pair.image), read_mask(pair.mask)
    except InputError as problem:
        return unreadable(pair.stem, problem)
    if wrong := fault_of(pair, image, mask):
        return wrong
    pixels = image.array
    values, counts = np.unique(mask.array, return_counts=True)
    return PairLook(
        pair,
        likeness_of(pixels, as_picture(pixels)),
        checksum_of(mask.array),
        (image.size[1], image.size[2]),
        (image.spacing_mm[1], image.spacing_mm[2]),
        len(pixels),
        pixels.dtype,
        {int(value): int(count) for value, count in zip(values, counts, strict=True)},
        _sample(pixels),
        _saturated(pixels),
    )


def _sample(pixels: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
    flat = pixels.reshape(-1)
    return np.sort(flat[np.linspace(0, flat.size - 1, min(SAMPLE, flat.size)).astype(np.intp)].astype(np.float32))


def _saturated(pixels: npt.NDArray[np.generic]) -> float:
    """Return the share of pixels at the highest value that the type can hold, in the brightest channel; 0 for real numbers."""
    if pixels.dtype.kind not in "ui":
        return 0.0
    full = np.greater_equal(pixels, FULL * np.iinfo(pixels.dtype.name).max)
    return float(full.mean(axis=(1, 2, 3)).max())
