"""Reading a training folder: images with masks, checked before anything starts, and split before anything is cut.

Two layouts: `images/` + `masks/` with equal stems, or the published Siamese-Diffusion layout, a `prompt.json` of JSON lines
with `source` (mask), `target` (image) and `prompt`.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from medsynth_core.errors import TrainingDataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
HELD_OUT_PERCENT = 15


@dataclass(frozen=True)
class Pair:
    """One image with its mask. Pairs of one `group` (patient, slide, sequence) never part in a split."""

    stem: str
    image: Path
    mask: Path
    group: str
    options: dict[str, str] = field(default_factory=dict)
    prompt: str = ""


@dataclass(frozen=True)
class Columns:
    """Which columns of a metadata CSV hold the group and each option; the file's name stands in the column `file`."""

    csv: Path | None = None
    group: str = ""
    options: dict[str, str] = field(default_factory=dict)


def read_pairs(folder: Path, columns: Columns | None = None) -> tuple[Pair, ...]:
    """Return the pairs of a training folder, sorted by stem.

    Raises TrainingDataError with every offender: an image without a mask or the reverse, sizes that differ, a file that
    cannot be read, a mask without foreground.
    """
    columns = columns or Columns()
    if not folder.is_dir():
        raise TrainingDataError(f"{folder.name} is not a folder: give the folder that holds images/ and masks/")
    found, offenders = _published(folder) if (folder / "prompt.json").is_file() else _by_stem(folder)
    rows = _rows(columns)
    pairs = tuple(_with_columns(pair, rows.get(pair.image.name) or rows.get(pair.stem), columns) for pair in found)
    offenders += [reason for pair in pairs if (reason := _problem(pair))]
    if offenders:
        raise TrainingDataError(f"{len(offenders)} of {len(pairs)} pairs cannot be used: mend or remove them", tuple(offenders))
    if not pairs:
        raise TrainingDataError(f"{folder.name} holds no pairs: it needs images/ and masks/ with equal stems, or a prompt.json")
    return pairs


def is_held_out(group: str) -> bool:
    """Return whether a group belongs to the validation side: decided by its name alone, so it never changes."""
    return int(hashlib.sha256(group.encode()).hexdigest()[:8], 16) % 100 < HELD_OUT_PERCENT


def split(pairs: tuple[Pair, ...]) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """Return (training, validation), whole groups on one side."""
    return tuple(p for p in pairs if not is_held_out(p.group)), tuple(p for p in pairs if is_held_out(p.group))


def without_duplicates(pairs: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """Return the pairs with each distinct image once: the first by stem stays."""
    seen: dict[str, Pair] = {}
    for pair in pairs:
        with Image.open(pair.image) as image:
            seen.setdefault(hashlib.sha256(image.tobytes()).hexdigest(), pair)
    return tuple(seen.values())


def load_arrays(
    pairs: tuple[Pair, ...], size: tuple[int, int], channels: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Return images (n, channels, y, x) and masks (n, y, x), both uint8, resized to `size`; binary masks become 0/1."""
    images, masks = [], []
    for pair in pairs:
        with Image.open(pair.image) as image, Image.open(pair.mask) as mask:
            pixels = np.asarray(image.convert("RGB" if channels == 3 else "L").resize(size[::-1], Image.Resampling.BOX))
            labels = np.asarray(mask.convert("L").resize(size[::-1], Image.Resampling.NEAREST))
        images.append(pixels.reshape(*size, channels).transpose(2, 0, 1))
        masks.append(labels)
    if not pairs:
        return np.empty((0, channels, *size), np.uint8), np.empty((0, *size), np.uint8)
    stacked = np.stack(masks)
    return np.stack(images), (stacked > 0).astype(np.uint8) if set(np.unique(stacked)) <= {0, 255} else stacked


def _by_stem(folder: Path) -> tuple[list[Pair], list[str]]:
    images, masks = _files(folder / "images"), _files(folder / "masks")
    offenders = [f"{path.name}: image without a mask in masks/" for stem, path in images.items() if stem not in masks]
    offenders += [f"{path.name}: mask without an image in images/" for stem, path in masks.items() if stem not in images]
    return [Pair(stem, images[stem], masks[stem], stem) for stem in sorted(images) if stem in masks], offenders


def _files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise TrainingDataError(
            f"{folder.parent.name} has no folder {folder.name}/: it needs images/ and masks/, or a prompt.json"
        )
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES}


def _published(folder: Path) -> tuple[list[Pair], list[str]]:
    pairs, offenders, root = [], [], folder.resolve()
    for number, line in enumerate((folder / "prompt.json").read_text("utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            mask, image, prompt = folder / entry["source"], folder / entry["target"], str(entry.get("prompt", ""))
        except (ValueError, KeyError, TypeError):
            offenders.append(f"prompt.json line {number}: it must be an object with source, target and prompt")
            continue
        if not (image.resolve().is_relative_to(root) and mask.resolve().is_relative_to(root)):
            offenders.append(f"prompt.json line {number}: source and target must lie in the folder")
        elif missing := [path.name for path in (image, mask) if not path.is_file()]:
            offenders.append(f"prompt.json line {number}: {missing[0]} does not exist")
        else:
            pairs.append(Pair(image.stem, image, mask, image.stem, prompt=prompt))
    twice = [stem for stem, count in Counter(pair.stem for pair in pairs).items() if count > 1]
    return sorted(pairs, key=lambda p: p.stem), offenders + [f"{stem}: listed more than once in prompt.json" for stem in twice]


def _rows(columns: Columns) -> dict[str, dict[str, str]]:
    if columns.csv is None:
        return {}
    with columns.csv.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    wanted = {"file", *columns.options.values()} | ({columns.group} if columns.group else set())
    if missing := sorted(wanted - set(rows[0] if rows else ())):
        raise TrainingDataError(f"{columns.csv.name} has no column {missing[0]!r}: name a column that is there")
    return {row["file"]: row for row in rows}


def _with_columns(pair: Pair, row: dict[str, str] | None, columns: Columns) -> Pair:
    if columns.csv is None:
        return pair
    if row is None:
        raise TrainingDataError(f"{pair.image.name} has no row in {columns.csv.name}: add it or remove the image")
    options = {name: row[column] for name, column in columns.options.items()}
    return Pair(pair.stem, pair.image, pair.mask, row[columns.group] if columns.group else pair.stem, options, pair.prompt)


def _problem(pair: Pair) -> str:
    try:
        with Image.open(pair.image) as image, Image.open(pair.mask) as mask:
            if image.size != mask.size:
                (ix, iy), (mx, my) = image.size, mask.size
                return f"{pair.stem}: image is {iy}×{ix}, mask {my}×{mx}: they must be of one size"
            image.load()
            return "" if mask.convert("L").getextrema()[1] else f"{pair.stem}: the mask is empty: remove the pair"
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError):
        return f"{pair.stem}: image or mask is damaged or no image file"
