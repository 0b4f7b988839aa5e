"""Tiles with instance masks as the nuclei models train on them: read, checked, split by group, cut into patches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from medsynth_core.engines.nuclei.stain import Stain, stain_of
from medsynth_core.errors import InputError, TrainingDataError
from medsynth_core.formats import read, read_mask
from medsynth_core.imaging.nuclei_maps import areas_px, renumbered
from medsynth_core.protocol_training import Defect, Finding
from medsynth_core.training.findings import OUT, refuse, stops
from medsynth_core.training.pair_survey import PairRules
from medsynth_core.training.pairs import Columns, Pair, has_fractions, list_pairs
from medsynth_core.volume import Volume

PIXELS = 256
MASK_FOLDERS = ("masks", "instance_labels")
"""Ours, and NuDiff's."""


@dataclass(frozen=True)
class Tile:
    """image (3, y, x) uint8, instances (y, x), 0 = background, at least 256² each; tiles of a group never part."""

    name: str
    group: str
    image: npt.NDArray[np.uint8]
    instances: npt.NDArray[np.uint16]
    stain: Stain


def survey(folder: Path, columns: Columns | None = None) -> tuple[Pair, ...]:
    """Return the pairs of images/ and masks/ (or instance_labels/) of equal stem, sorted, with their groups.

    The group is a column of the table; without one, tiles of one slide or block are known by their look (the caller's to find).
    Raises TrainingDataError with all offenders.
    """
    there = list_pairs(folder, columns, mask_folders=MASK_FOLDERS)
    refuse(folder.name, there.findings)
    return there.pairs


def read_tiles(pairs: tuple[Pair, ...]) -> tuple[Tile, ...]:
    """Return the tiles of pairs. Raises TrainingDataError with every file that cannot be used and why."""
    tiles, offenders = [], []
    for pair in pairs:
        try:
            tiles.append(_read(pair))
        except InputError as problem:
            offenders.append(str(problem))
    if offenders:
        raise TrainingDataError(f"{len(offenders)} of {len(pairs)} tiles cannot be used: mend or remove them", tuple(offenders))
    return tuple(tiles)


def patches(tile: Tile) -> Iterator[Tile]:
    """Yield the 256² patches of a tile, side by side and as many as fit; what the label subsets are counted in."""
    rows, columns = (n // PIXELS for n in tile.instances.shape)
    for i in range(rows * columns):
        y, x = (k * PIXELS for k in divmod(i, columns))
        yield cut(tile, y, x, f"{tile.name} {i}")


def cut(tile: Tile, y: int, x: int, name: str = "") -> Tile:
    """Return the 256² piece of a tile whose corner is (y, x); it keeps the stain of the tile."""
    here = slice(y, y + PIXELS), slice(x, x + PIXELS)
    return replace(tile, name=name or tile.name, image=tile.image[:, *here], instances=tile.instances[here])


def likeness(tile: Tile) -> tuple[float, float]:
    """Return nuclei per 256² pixels and their mean area in pixels (0 where there are none)."""
    areas = areas_px(tile.instances)
    return len(areas) * PIXELS**2 / tile.instances.size, float(areas.mean()) if len(areas) else 0.0


def fault_of_tile(pair: Pair, image: Volume, mask: Volume) -> Finding | None:
    """Return what stops a training on a tile with its instance labels, None if nothing."""
    pixels, labels = image.array, mask.array
    if pixels.shape[:2] != (3, 1) or pixels.dtype != np.uint8:
        says = f"{pair.stem}: the image is {pixels.shape[0]} channels of {pixels.dtype}: it must be one slice of 8-bit RGB"
        return stops(Defect.INTENSITY, pair.stem, says, f"Export it as 8-bit RGB, or {OUT}.")
    if labels.shape[1:] != pixels.shape[1:]:
        says = f"{pair.stem}: image is {pixels.shape[2:]}, instance labels {labels.shape[2:]}: they must match"
        return stops(Defect.SIZE, pair.stem, says)
    if min(labels.shape[2:]) < PIXELS:
        says = f"{pair.stem}: it is {labels.shape[2:]} pixels: each side must be at least {PIXELS}"
        return stops(Defect.SIZE, pair.stem, says, f"Cut larger tiles, or {OUT}.")
    if has_fractions(labels) or labels.min() < 0:
        says = f"{pair.stem}: the instance labels hold fractions or negative numbers: they must be whole numbers from 0"
        return stops(Defect.LABELS, pair.stem, says, f"Save one whole number for each nucleus, or {OUT}.")
    return None


RULES = PairRules(MASK_FOLDERS, fault_of_tile, highest_label=0)


def _read(pair: Pair) -> Tile:
    image, mask = read(pair.image), read_mask(pair.mask)
    if wrong := fault_of_tile(pair, image, mask):
        raise InputError(wrong.says)
    instances = renumbered(mask.array[0, 0].astype(np.int64)).astype(np.uint16)
    pixels = image.array[:, 0].astype(np.uint8)
    return Tile(pair.stem, pair.group, pixels, instances, stain_of(pixels))
