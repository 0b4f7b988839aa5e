"""Results on disk: one zarr v3 array an output, one uncompressed chunk a slice: jobs/<id>/<output>.zarr/c/0/<z>/0/0

The layout is written here, not by the zarr library, for three reasons: each chunk is synced before it is journaled (zarr does
not sync), the service can hand out slices as plain files without loading anything, and a worker starts half a second earlier.
A test reads every result back with the zarr library, so viewers may do the same.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from medsynth_core import wire
from medsynth_core.errors import FormatError, NotFoundError, ShapeError
from medsynth_core.protocol import OutputInfo
from medsynth_core.service import durable
from medsynth_core.volume import Volume

FULL_DISK = (errno.ENOSPC, errno.EDQUOT) if hasattr(errno, "EDQUOT") else (errno.ENOSPC,)
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")


class ResultVolume:
    """One output of one job, whose chunks are written and read slice by slice."""

    def __init__(self, folder: Path, output: OutputInfo) -> None:
        if not _NAME.fullmatch(output.name):
            raise FormatError(f"output is {output.name!r}: lower-case letters, digits, - and _ only")
        if output.dtype not in wire.DTYPES:
            raise FormatError(f"dtype is {output.dtype}: it must be one of {', '.join(wire.DTYPES)}")
        self.output = output
        self._root = folder / f"{output.name}.zarr"
        self._preview = folder / f"{output.name}.preview"
        self._dtype = np.dtype(output.dtype).newbyteorder("<")

    def create(self, attributes: dict[str, object]) -> None:
        """Write the array's metadata, so that any zarr reader can open what is there so far."""
        (self._root / "c" / "0").mkdir(parents=True, exist_ok=True)
        durable.write_file(self._root / "zarr.json", json.dumps(self._metadata(attributes)).encode(), sync=False)

    def write(self, z: int, array: np.ndarray) -> str:
        """Put slice z, (c, y, x), on disk and return the sha256 of its bytes. Raises ShapeError for another shape or dtype."""
        c, depth, y, x = self.output.shape
        if array.shape != (c, y, x) or array.dtype.name != self.output.dtype or not 0 <= z < depth:
            raise ShapeError(
                f"slice {z} of {self.output.name} is {array.shape} {array.dtype.name}: announced were "
                f"{depth} slices of {(c, y, x)} {self.output.dtype}"
            )
        content = self._content(array)
        chunk = self._chunk(z)
        chunk.parent.mkdir(parents=True, exist_ok=True)
        durable.write_file(chunk, content)
        return hashlib.sha256(content).hexdigest()

    def fingerprint(self, array: np.ndarray) -> str:
        """Return the sha256 of the bytes that `write` would put on disk."""
        return hashlib.sha256(self._content(array)).hexdigest()

    def sync(self) -> None:
        """Make the metadata survive a power cut, as the slices do already."""
        durable.sync_file(self._root / "zarr.json")

    def is_sound(self, z: int, sha256: str) -> bool:
        """Return whether slice z is on disk with the bytes that were journaled."""
        try:
            return hashlib.sha256(self._chunk(z).read_bytes()).hexdigest() == sha256
        except FileNotFoundError:
            return False

    def read(self, z: int) -> np.ndarray:
        """Return slice z, (c, y, x). Raises NotFoundError."""
        c, _, y, x = self.output.shape
        return np.frombuffer(self._read_chunk(z), dtype=self._dtype).reshape(c, y, x).astype(self.output.dtype)

    def encoded_slice(self, z: int) -> bytes:
        """Return slice z as wire bytes of a volume (c, 1, y, x), placed where the slice lies. Raises NotFoundError."""
        c, _, y, x = self.output.shape
        affine = np.array(self.output.affine)
        affine[:3, 3] += z * affine[:3, 2]
        return wire.header((c, 1, y, x), self.output.dtype, affine) + self._read_chunk(z)

    def encoded(self) -> tuple[int, Iterator[bytes]]:
        """Return the whole volume as wire bytes: their number, and the bytes plane by plane."""
        head = wire.header(self.output.shape, self.output.dtype, np.array(self.output.affine))
        c, depth, y, x = self.output.shape
        return len(head) + c * depth * y * x * self._dtype.itemsize, self._stream(head)

    def write_preview(self, array: np.ndarray) -> None:
        """Replace the preview, (c, z, y, x)."""
        affine = np.array(self.output.affine)
        durable.write_file(self._preview, wire.encode(Volume(array, affine)), sync=False)

    def preview(self) -> bytes:
        """Return the newest preview as wire bytes. Raises NotFoundError."""
        try:
            return self._preview.read_bytes()
        except FileNotFoundError:
            raise NotFoundError(f"there is no preview of {self.output.name} yet") from None

    def _stream(self, head: bytes) -> Iterator[bytes]:
        c, depth, y, x = self.output.shape
        plane = y * x * self._dtype.itemsize
        yield head
        for channel in range(c):
            for z in range(depth):
                with open(self._chunk(z), "rb") as file:
                    file.seek(channel * plane)
                    yield file.read(plane)

    def _content(self, array: np.ndarray) -> bytes:
        return np.ascontiguousarray(array, dtype=self._dtype).tobytes()

    def _chunk(self, z: int) -> Path:
        return self._root / "c" / "0" / str(z) / "0" / "0"

    def _read_chunk(self, z: int) -> bytes:
        try:
            return self._chunk(z).read_bytes()
        except FileNotFoundError:
            raise NotFoundError(f"slice {z} of {self.output.name} is not made yet") from None

    def _metadata(self, attributes: dict[str, object]) -> dict[str, object]:
        c, _, y, x = shape = self.output.shape
        return {
            "zarr_format": 3,
            "node_type": "array",
            "shape": list(shape),
            "data_type": self.output.dtype,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [c, 1, y, x]}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
            "fill_value": 0,
            "attributes": {"medsynth": attributes | {"affine": self.output.affine, "synthetic": True}},
            "dimension_names": ["channel", "z", "y", "x"],
        }


def is_full_disk(problem: OSError) -> bool:
    """Return whether an OSError says that there is no room left."""
    return problem.errno in FULL_DISK


def folder_bytes(folder: Path) -> int:
    """Return the size of all files under a folder."""
    return sum(os.path.getsize(os.path.join(root, name)) for root, _, names in os.walk(folder) for name in names)
