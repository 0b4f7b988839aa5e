"""What a file may claim, checked on its header before anything is allocated, and how a file is put in its place.

Every reader looks at the header alone first; a claim beyond these limits, or beyond what the stored bytes can hold, is refused.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from medsynth_core.errors import FormatError, InputError, MedSynthError, StorageFullError

MAX_AXES = 4
MAX_SIDE = 2048
MAX_RASTER_SIDE = 16384
MAX_PIXELS = 89_000_000
"""Of one flat image; just below the number at which Pillow itself begins to warn."""
MAX_BYTES = 4 * 2**30
DTYPES = ("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64")
TRUSTED_BYTES = 512 * 2**20
"""Up to here any compression ratio is honest: an empty mask shrinks 1000 to 1."""
MAX_RATIO = 200
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def check_grid(name: str, shape: Sequence[int], dtype: np.dtype[np.generic], side: int = MAX_SIDE) -> int:
    """Return the bytes an array of this shape needs. Raises FormatError for one that is empty, too large or of an odd type."""
    if not 1 <= len(shape) <= MAX_AXES:
        raise FormatError(f"{name} has {len(shape)} axes: at most {MAX_AXES} can be read")
    if not all(1 <= n <= side for n in shape):
        raise FormatError(f"{name} is {tuple(shape)}: each axis must have 1 to {side} entries")
    if dtype.name not in DTYPES:
        raise FormatError(f"{name} holds values of type {dtype}: it must be one of {', '.join(DTYPES)}")
    size = math.prod(shape) * dtype.itemsize
    if size > MAX_BYTES:
        raise FormatError(f"{name} declares {size / 2**30:.1f} GiB: at most {MAX_BYTES / 2**30:.0f} GiB can be read")
    return size


def check_pixels(name: str, height: int, width: int) -> None:
    """Raise FormatError for a flat image whose sides or area are beyond the limits."""
    if not (1 <= height <= MAX_RASTER_SIDE and 1 <= width <= MAX_RASTER_SIDE and height * width <= MAX_PIXELS):
        raise FormatError(
            f"{name} declares {height} x {width} pixels: at most {MAX_PIXELS} can be read, no side over {MAX_RASTER_SIDE}"
        )


def check_honest(name: str, stored: int, declared: int) -> None:
    """Raise FormatError when `stored` compressed bytes cannot honestly hold the `declared` ones."""
    if declared > TRUSTED_BYTES and declared > stored * MAX_RATIO:
        raise FormatError(f"{name} declares {declared} bytes in {stored} stored ones: it is damaged or made to fill the memory")


@contextlib.contextmanager
def decoding(name: str, kind: str) -> Iterator[None]:
    """Turn whatever a decoder raises on a damaged file into one FormatError; our own errors and a full memory pass."""
    try:
        yield
    except (MedSynthError, MemoryError):
        raise
    except Exception as problem:  # noqa: BLE001  border: decoders raise anything on damaged bytes
        raise FormatError(f"{name} cannot be read as {kind}, it is damaged or cut short ({type(problem).__name__})") from None


@contextlib.contextmanager
def placing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to, which takes its place at the end or vanishes without a trace.

    Raises StorageFullError when the disk is full, InputError when the folder cannot be written to.
    """
    partial = path.with_name(f".{uuid.uuid4().hex}.partial")
    try:
        yield partial
        _replace(partial, path)
    except OSError as problem:
        raise _cause(problem, path) from None
    finally:
        remove(partial)


def sweep(folder: Path) -> None:
    """Remove what writers that were killed left half-written in `folder` and below; nobody else may be writing there."""
    for partial in folder.rglob(f".{'[0-9a-f]' * 32}.partial"):
        remove(partial)


def write_file(path: Path, content: bytes) -> None:
    """Write `content` to `path` in one step: it is there whole or not at all. Raises StorageFullError, InputError."""
    with placing(path) as partial, open(partial, "xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _replace(partial: Path, path: Path) -> None:
    if not path.is_dir():
        os.replace(partial, path)
        return
    old = path.with_name(f".{uuid.uuid4().hex}.old")  # a folder cannot be replaced in one step: the old one steps aside
    os.rename(path, old)
    os.rename(partial, path)
    remove(old)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all in it; one that is not there is no error."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _cause(problem: OSError, path: Path) -> MedSynthError:
    if problem.errno in FULL:
        return StorageFullError(f"{path.name} could not be saved: the disk is full; free some space or choose another folder")
    return InputError(f"{path.name} could not be saved: {problem.strerror or 'the folder cannot be written to'}")
