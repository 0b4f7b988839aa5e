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
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from medsynth_core.errors import InputError, TrainingDataError
from medsynth_core.formats import read, read_mask
from medsynth_core.protocol_training import Defect, Finding
from medsynth_core.training.findings import OUT, check_excluded, refuse, stops, unreadable
from medsynth_core.training.likeness import checksum_of
from medsynth_core.volume import Volume

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


@dataclass(frozen=True)
class PairList:
    """The pairs of a folder, not opened yet; what is wrong with their names; and where the files of every case lie.

    `places` holds (image, mask) of each case by name, None for one that is missing.
    """

    pairs: tuple[Pair, ...]
    findings: tuple[Finding, ...]
    places: dict[str, tuple[Path | None, Path | None]]


def read_pairs(folder: Path, columns: Columns | None = None) -> tuple[Pair, ...]:
    """Return the pairs of a training folder, sorted by stem.

    Raises TrainingDataError with every offender: an image without a mask or the reverse, sizes that differ, a file that
    cannot be read, a mask without foreground, an image without a row in the table.
    """
    there = list_pairs(folder, columns)
    lost = {case for finding in there.findings for case in finding.cases}
    wrong = [finding for pair in there.pairs if pair.stem not in lost and (finding := _problem(pair))]
    refuse(folder.name, (*there.findings, *wrong))
    return there.pairs


def list_pairs(
    folder: Path, columns: Columns | None = None, excluded: Sequence[str] = (), mask_folders: Sequence[str] = ("masks",)
) -> PairList:
    """Return what the names of a folder say, pairs sorted by stem; `excluded` cases are not there.

    Raises TrainingDataError for a folder that holds no pairs in either layout, ParameterError for an excluded case it lacks.
    """
    columns = columns or Columns()
    if not folder.is_dir():
        raise TrainingDataError(f"{folder.name} is not a folder: give the folder that holds images/ and masks/")
    found = _published(folder) if (folder / "prompt.json").is_file() else _by_stem(folder, mask_folders)
    check_excluded(excluded, found.places, folder.name)
    pairs = tuple(pair for pair in found.pairs if pair.stem not in excluded)
    findings = [finding for finding in found.findings if not set(finding.cases) & set(excluded)]
    if not (pairs or findings):
        raise TrainingDataError(f"{folder.name} holds no pairs: it needs images/ and masks/ with equal stems, or a prompt.json")
    rows = rows_by_file(columns)
    findings += [finding for pair in pairs if (finding := _without_row(pair, rows, columns))]
    return PairList(tuple(_with_columns(pair, rows, columns) for pair in pairs), tuple(findings), found.places)


def is_held_out(group: str) -> bool:
    """Return whether a group belongs to the validation side: decided by its name alone, so it never changes."""
    return int(hashlib.sha256(group.encode()).hexdigest()[:8], 16) % 100 < HELD_OUT_PERCENT


def without_duplicates(pairs: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """Return the pairs with each distinct image once: the first by stem stays."""
    seen: dict[str, Pair] = {}
    for pair in pairs:
        seen.setdefault(checksum_of(read(pair.image).array), pair)
    return tuple(seen.values())


def load_arrays(
    pairs: tuple[Pair, ...], size: tuple[int, int], channels: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Return images (n, channels, y, x) and masks (n, y, x), both uint8, resized to `size`; binary masks become 0/1."""
    if not pairs:
        return np.empty((0, channels, *size), np.uint8), np.empty((0, *size), np.uint8)
    images = np.stack([image_at(pair.image, size, channels) for pair in pairs])
    masks = np.stack([_mask_at(pair, size) for pair in pairs])
    return images, (masks > 0).astype(np.uint8) if set(np.unique(masks)) <= {0, 255} else masks


def image_at(path: Path, size: tuple[int, int], channels: int) -> npt.NDArray[np.uint8]:
    """Return an image (channels, y, x) resized to `size` (y, x), in grey for one channel, else in color. Raises InputError."""
    picture = grey_or_color(path).convert("RGB" if channels == 3 else "L").resize(size[::-1], Image.Resampling.BOX)
    return np.asarray(picture).reshape(*size, channels).transpose(2, 0, 1)


def grey_or_color(path: Path) -> Image.Image:
    """Return an image file of one slice as 8-bit grey or RGB; what is deeper is scaled from its own range. Raises InputError."""
    return as_picture(read(path).array)


def as_picture(pixels: npt.NDArray[np.generic]) -> Image.Image:
    """Return an image (channel, 1, y, x) of one or three channels as 8-bit grey or RGB, scaled from its own range if deeper."""
    array = pixels[:, 0]
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


def _mask_at(pair: Pair, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    labels = read_mask(pair.mask).array[0, 0].astype(np.uint8)
    return np.asarray(Image.fromarray(labels).resize(size[::-1], Image.Resampling.NEAREST))


def _by_stem(folder: Path, mask_folders: Sequence[str]) -> PairList:
    beside = next((name for name in mask_folders if (folder / name).is_dir()), "")
    if not beside or not (folder / "images").is_dir():
        lost = "images" if beside else " or ".join(f"{name}/" for name in mask_folders).rstrip("/")
        raise TrainingDataError(f"{folder.name} has no folder {lost}/: it needs images/ and masks/, or a prompt.json")
    (images, twice), (masks, twice_masks) = _files(folder / "images"), _files(folder / beside)
    findings = [*twice, *twice_masks]
    for stem in sorted(set(images) ^ set(masks)):
        path = images.get(stem) or masks[stem]
        said = f"image without a mask in {beside}/" if stem in images else "mask without an image in images/"
        findings.append(stops(Defect.UNPAIRED, stem, f"{path.name}: {said}"))
    pairs = tuple(Pair(stem, images[stem], masks[stem], stem) for stem in sorted(images) if stem in masks)
    places = {stem: (images.get(stem), masks.get(stem)) for stem in sorted(set(images) | set(masks))}
    return PairList(pairs, tuple(findings), places)


def _files(folder: Path) -> tuple[dict[str, Path], list[Finding]]:
    """Return the files by stem, and a complaint for each stem there is twice."""
    found = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES]
    by_stem = {path.stem: path for path in reversed(found)}
    twice = [(path, by_stem[path.stem]) for path in found if by_stem[path.stem] != path]
    fix = "Remove or rename one of both files, or exclude the case."
    return by_stem, [
        stops(Defect.UNPAIRED, path.stem, f"{path.name}: {other.name} has the same stem", fix) for path, other in twice
    ]


def _published(folder: Path) -> PairList:
    pairs, findings = [], []
    fix = "Mend the line, or exclude it."
    for number, line in enumerate(_text(folder / "prompt.json").splitlines(), start=1):
        if not line.strip():
            continue
        case = f"prompt.json line {number}"
        try:
            pairs.append(_listed(folder, line))
        except InputError as problem:
            findings.append(stops(Defect.UNPAIRED, case, f"{case}: {problem}", fix))
    places: dict[str, tuple[Path | None, Path | None]] = {case: (None, None) for f in findings for case in f.cases}
    places |= {pair.stem: (pair.image, pair.mask) for pair in pairs}
    twice = [stem for stem, count in Counter(pair.stem for pair in pairs).items() if count > 1]
    findings += [stops(Defect.UNPAIRED, stem, f"{stem}: listed more than once in prompt.json", fix) for stem in twice]
    return PairList(tuple(sorted(pairs, key=lambda p: p.stem)), tuple(findings), places)


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


def _without_row(pair: Pair, rows: dict[str, dict[str, str]], columns: Columns) -> Finding | None:
    row = _row(pair, rows)
    if columns.csv is None or (row is not None and (row[columns.group] if columns.group else True)):
        return None
    lost = "row" if row is None else f"value of {columns.group}"
    fix = "Add it to the table, or exclude the case."
    return stops(Defect.OTHER, pair.stem, f"{pair.image.name}: no {lost} in {columns.csv.name}", fix)


def _with_columns(pair: Pair, rows: dict[str, dict[str, str]], columns: Columns) -> Pair:
    row = _row(pair, rows)
    if row is None:
        return pair
    options = {name: row[column] for name, column in columns.options.items()}
    return replace(pair, group=row[columns.group] if columns.group else pair.stem, options=options)


def _problem(pair: Pair) -> Finding | None:
    """Return what is wrong with a pair, None if nothing."""
    try:
        return fault_of(pair, read(pair.image), read_mask(pair.mask))
    except InputError as problem:
        return unreadable(pair.stem, problem)


def fault_of(pair: Pair, image: Volume, mask: Volume) -> Finding | None:
    """Return what stops a training on an image with its mask, None if nothing."""
    if image.size != mask.size:
        (_, iy, ix), (_, my, mx) = image.size, mask.size
        says = f"{pair.stem}: image is {iy}×{ix}, mask {my}×{mx}: they must be of one size"
        return stops(Defect.SIZE, pair.stem, says)
    return unfit_image(pair, image.array) or _unfit_mask(pair, mask.array)


def unfit_image(pair: Pair, array: npt.NDArray[np.generic]) -> Finding | None:
    """Return what stops a training on an image; None if nothing."""
    channels, slices = array.shape[:2]
    if channels not in (1, 3) or slices != 1:
        says = f"the image has {channels} channels and {slices} slices: it must be one slice, grey or RGB"
        return stops(Defect.SIZE, pair.stem, f"{pair.image.name}: {says}", f"Save one slice as grey or RGB, or {OUT}.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return stops(Defect.INTENSITY, pair.stem, f"{pair.image.name}: the image holds NaN or infinite values")
    if (array == array[:, :, :1, :1]).all():
        return stops(Defect.INTENSITY, pair.stem, f"{pair.image.name}: the image holds one value everywhere: it shows nothing")
    return None


def _unfit_mask(pair: Pair, labels: npt.NDArray[np.generic]) -> Finding | None:
    name = pair.mask.name
    if has_fractions(labels):
        says = f"{name}: the mask holds fractions: it must hold whole label numbers"
        return stops(Defect.LABELS, pair.stem, says, f"Threshold the mask, or {OUT}.")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high > 255:
        says = f"{name}: the mask holds the label {low if low < 0 else high}: labels lie between 0 and 255"
        return stops(Defect.LABELS, pair.stem, says, f"Renumber the mask, or {OUT}.")
    return None if high else stops(Defect.EMPTY_MASK, pair.stem, f"{name}: the mask is empty: remove the pair")


def has_fractions(labels: npt.NDArray[np.generic]) -> bool:
    """Return whether a mask holds other than whole numbers."""
    return labels.dtype.kind == "f" and not (bool(np.isfinite(labels).all()) and bool((labels == np.rint(labels)).all()))
