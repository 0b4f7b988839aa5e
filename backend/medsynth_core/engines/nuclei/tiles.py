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
from medsynth_core.training.pairs import SUFFIXES, Columns, Pair, rows_by_file

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
    there = [name for name in MASK_FOLDERS if (folder / name).is_dir()]
    if not (folder / "images").is_dir() or not there:
        raise TrainingDataError(f"{folder.name} has not images/ and {' or '.join(f'{n}/' for n in MASK_FOLDERS)}: it needs both")
    images, masks = _files(folder / "images"), _files(folder / there[0])
    offenders = [f"{images[s].name}: no instance labels in {there[0]}/" for s in sorted(set(images) - set(masks))]
    offenders += [f"{masks[s].name}: no image in images/" for s in sorted(set(masks) - set(images))]
    rows = rows_by_file(columns) if columns else {}
    pairs = [Pair(stem, images[stem], masks[stem], stem) for stem in sorted(images) if stem in masks]
    if columns and columns.group:
        lost = [pair.image.name for pair in pairs if pair.image.name not in rows and pair.stem not in rows]
        offenders += [f"{name}: no row in {columns.csv.name if columns.csv else ''}" for name in lost]
        pairs = [replace(p, group=(rows.get(p.image.name) or rows.get(p.stem, {})).get(columns.group, "")) for p in pairs]
    if offenders or not pairs:
        raise TrainingDataError(
            f"{folder.name} has {len(offenders) or 'no pairs and so 1'} problems: mend them", tuple(offenders)
        )
    return tuple(pairs)


def read_tiles(pairs: tuple[Pair, ...]) -> tuple[Tile, ...]:
    """Return the tiles of pairs. Raises TrainingDataError with every file that cannot be used and why."""
    tiles, offenders = [], []
    for pair in pairs:
        try:
            tiles.append(_read(pair))
        except InputError as problem:
            offenders.append(f"{pair.stem}: {problem}")
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


def _read(pair: Pair) -> Tile:
    pixels, labels = read(pair.image).array, read_mask(pair.mask).array
    if pixels.shape[:2] != (3, 1) or pixels.dtype != np.uint8:
        raise InputError(f"the image is {pixels.shape[0]} channels of {pixels.dtype}: it must be one slice of 8-bit RGB")
    if labels.shape[1:] != pixels.shape[1:]:
        raise InputError(f"image is {pixels.shape[2:]}, instance labels {labels.shape[2:]}: they must match")
    if min(labels.shape[2:]) < PIXELS:
        raise InputError(f"it is {labels.shape[2:]} pixels: each side must be at least {PIXELS}")
    if labels.dtype.kind == "f" and (labels != np.rint(labels)).any():
        raise InputError("the instance labels hold fractions: they must be whole numbers")
    instances = renumbered(labels[0, 0].astype(np.int64)).astype(np.uint16)
    image = pixels[:, 0].astype(np.uint8)
    return Tile(pair.stem, pair.group, image, instances, stain_of(image))


def _files(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES}
