"""Reading a training folder: images with masks, checked before anything starts, and split before anything is cut.

Two layouts: `images/` + `masks/` with equal stems, or the published Siamese-Diffusion layout, a `prompt.json` of JSON lines
with `source` (mask), `target` (image) and `prompt`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from medsynth_core.errors import InputError, TrainingDataError
from medsynth_core.formats import read, read_mask

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
    cannot be read, a mask without foreground, an image without a row in the table.
    """
    columns = columns or Columns()
    if not folder.is_dir():
        raise TrainingDataError(f"{folder.name} is not a folder: give the folder that holds images/ and masks/")
    found, offenders = _published(folder) if (folder / "prompt.json").is_file() else _by_stem(folder)
    rows = rows_by_file(columns)
    offenders += [reason for pair in found if (reason := _without_row(pair, rows, columns) or _problem(pair))]
    if offenders:
        count = f"{len(offenders)} problem{'s' if len(offenders) > 1 else ''}"
        raise TrainingDataError(f"{folder.name} has {count}: mend or remove the files named", tuple(offenders))
    if not found:
        raise TrainingDataError(f"{folder.name} holds no pairs: it needs images/ and masks/ with equal stems, or a prompt.json")
    return tuple(_with_columns(pair, rows, columns) for pair in found)


def is_held_out(group: str) -> bool:
    """Return whether a group belongs to the validation side: decided by its name alone, so it never changes."""
    return int(hashlib.sha256(group.encode()).hexdigest()[:8], 16) % 100 < HELD_OUT_PERCENT


def without_duplicates(pairs: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """Return the pairs with each distinct image once: the first by stem stays."""
    seen: dict[str, Pair] = {}
    for pair in pairs:
        array = read(pair.image).array
        seen.setdefault(hashlib.sha256(f"{array.shape}".encode() + array.tobytes()).hexdigest(), pair)
    return tuple(seen.values())


def load_arrays(
    pairs: tuple[Pair, ...], size: tuple[int, int], channels: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Return images (n, channels, y, x) and masks (n, y, x), both uint8, resized to `size`; binary masks become 0/1."""
    if not pairs:
        return np.empty((0, channels, *size), np.uint8), np.empty((0, *size), np.uint8)
    images = np.stack([_image_at(pair, size, channels) for pair in pairs])
    masks = np.stack([_mask_at(pair, size) for pair in pairs])
    return images, (masks > 0).astype(np.uint8) if set(np.unique(masks)) <= {0, 255} else masks


def grey_or_color(path: Path) -> Image.Image:
    """Return an image file of one slice as 8-bit grey or RGB; what is deeper is scaled from its own range. Raises InputError."""
    array = read(path).array[:, 0]
    if array.dtype != np.uint8:
        low, high = float(array.min()), float(array.max())
        array = ((array.astype(np.float64) - low) * (255 / max(high - low, 1e-12))).round().astype(np.uint8)
    return Image.fromarray(array[0] if len(array) == 1 else np.ascontiguousarray(array.transpose(1, 2, 0)))


def rows_by_file(columns: Columns) -> dict[str, dict[str, str]]:
    """Return the rows of the table by their column `file`. Raises TrainingDataError for a table that lacks a column named."""
    if columns.csv is None:
        return {}
    rows = list(csv.DictReader(io.StringIO(_text(columns.csv), newline="")))
    wanted = {"file", *columns.options.values()} | ({columns.group} if columns.group else set())
    if missing := sorted(wanted - set(rows[0] if rows else ())):
        raise TrainingDataError(f"{columns.csv.name} has no column {missing[0]!r}: name a column that is there")
    return {row["file"]: row for row in rows}


def _image_at(pair: Pair, size: tuple[int, int], channels: int) -> npt.NDArray[np.uint8]:
    picture = grey_or_color(pair.image).convert("RGB" if channels == 3 else "L").resize(size[::-1], Image.Resampling.BOX)
    return np.asarray(picture).reshape(*size, channels).transpose(2, 0, 1)


def _mask_at(pair: Pair, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    labels = read_mask(pair.mask).array[0, 0].astype(np.uint8)
    return np.asarray(Image.fromarray(labels).resize(size[::-1], Image.Resampling.NEAREST))


def _by_stem(folder: Path) -> tuple[list[Pair], list[str]]:
    (images, twice), (masks, twice_masks) = _files(folder / "images"), _files(folder / "masks")
    offenders = [*twice, *twice_masks]
    offenders += [f"{path.name}: image without a mask in masks/" for stem, path in images.items() if stem not in masks]
    offenders += [f"{path.name}: mask without an image in images/" for stem, path in masks.items() if stem not in images]
    return [Pair(stem, images[stem], masks[stem], stem) for stem in sorted(images) if stem in masks], offenders


def _files(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """Return the files by stem, and a complaint for each stem there is twice."""
    if not folder.is_dir():
        raise TrainingDataError(
            f"{folder.parent.name} has no folder {folder.name}/: it needs images/ and masks/, or a prompt.json"
        )
    found = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES]
    by_stem = {path.stem: path for path in reversed(found)}
    return by_stem, [f"{path.name}: {by_stem[path.stem].name} has the same stem" for path in found if by_stem[path.stem] != path]


def _published(folder: Path) -> tuple[list[Pair], list[str]]:
    pairs, offenders = [], []
    for number, line in enumerate(_text(folder / "prompt.json").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            pairs.append(_listed(folder, line))
        except InputError as problem:
            offenders.append(f"prompt.json line {number}: {problem}")
    twice = [stem for stem, count in Counter(pair.stem for pair in pairs).items() if count > 1]
    return sorted(pairs, key=lambda p: p.stem), offenders + [f"{stem}: listed more than once in prompt.json" for stem in twice]


def _listed(folder: Path, line: str) -> Pair:
    """Return the pair of one line of prompt.json; its stem is the image's path in the folder."""
    root = folder.resolve()
    try:
        entry = json.loads(line)
        mask, image = (root / entry["source"]).resolve(), (root / entry["target"]).resolve()
        prompt = str(entry.get("prompt", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError("it must be an object with source, target and prompt") from None
    if not (image.is_relative_to(root) and mask.is_relative_to(root)):
        raise InputError("source and target must lie in the folder")
    if missing := [path.name for path in (image, mask) if not path.is_file()]:
        raise InputError(f"{missing[0]} does not exist")
    stem = image.relative_to(root).with_suffix("").as_posix()
    return Pair(stem, image, mask, stem, prompt=prompt)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise TrainingDataError(f"{path.name} does not exist: name a table that is there") from None
    except (OSError, UnicodeDecodeError):
        raise TrainingDataError(f"{path.name} cannot be read as text in UTF-8: save it so") from None


def _row(pair: Pair, rows: dict[str, dict[str, str]]) -> dict[str, str] | None:
    return rows.get(pair.image.name) or rows.get(pair.stem)


def _without_row(pair: Pair, rows: dict[str, dict[str, str]], columns: Columns) -> str:
    if columns.csv is None or _row(pair, rows) is not None:
        return ""
    return f"{pair.image.name}: no row in {columns.csv.name}"


def _with_columns(pair: Pair, rows: dict[str, dict[str, str]], columns: Columns) -> Pair:
    row = _row(pair, rows)
    if row is None:
        return pair
    options = {name: row[column] for name, column in columns.options.items()}
    return replace(pair, group=row[columns.group] if columns.group else pair.stem, options=options)


def _problem(pair: Pair) -> str:
    """Return what is wrong with a pair, empty if nothing."""
    try:
        image, mask = read(pair.image), read_mask(pair.mask)
    except InputError as problem:
        return str(problem)
    if image.size != mask.size:
        (_, iy, ix), (_, my, mx) = image.size, mask.size
        return f"{pair.stem}: image is {iy}×{ix}, mask {my}×{mx}: they must be of one size"
    if wrong := _unfit_image(image.array):
        return f"{pair.image.name}: {wrong}"
    wrong = _unfit_mask(mask.array)
    return f"{pair.mask.name}: {wrong}" if wrong else ""


def _unfit_image(array: npt.NDArray[np.generic]) -> str:
    channels, slices = array.shape[:2]
    if channels not in (1, 3) or slices != 1:
        return f"the image has {channels} channels and {slices} slices: it must be one slice, grey or RGB"
    return "" if array.dtype.kind != "f" or np.isfinite(array).all() else "the image holds NaN or infinite values"


def _unfit_mask(labels: npt.NDArray[np.generic]) -> str:
    if labels.dtype.kind == "f" and not (np.isfinite(labels).all() and (labels == np.rint(labels)).all()):
        return "the mask holds fractions: it must hold whole label numbers"
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high > 255:
        return f"the mask holds the label {low if low < 0 else high}: labels lie between 0 and 255"
    return "" if high else "the mask is empty: remove the pair"
