"""Volume ↔ bytes, for uploads, results and slices alike.

    offset  bytes  what
    0       4      magic "MSV1"
    4       4      H, length of the header, unsigned little-endian
    8       H      header: UTF-8 JSON {"dtype", "shape", "affine", "encoding"}, keys sorted
    8+H     …      voxels in C order, little-endian: raw, or one zlib stream when encoding is "zlib"

`shape` is (channel, z, y, x), `affine` 16 numbers row by row. Dtypes: see DTYPES. Masks compress better than 200 to 1 and
are sent as zlib; images are sent raw, compressing them costs more than the loopback saves. The sha256 of these bytes is
the array's name, so encoding is deterministic.
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import struct
import zlib

import numpy as np

from medsynth_core.errors import FormatError
from medsynth_core.volume import Volume

MAGIC = b"MSV1"
DTYPES = ("uint8", "uint16", "uint32", "int16", "int32", "float32")
MAX_VOXEL_BYTES = 4 * 2**30
MAX_HEADER_BYTES = 4096
_PIECE_BYTES = 2**20
_PREFIX = struct.Struct("<4sI")


def encode(volume: Volume, compress: bool = False) -> bytes:
    """Return the volume as bytes. Raises FormatError for a dtype that does not travel."""
    array = volume.array
    if array.dtype.name not in DTYPES:
        raise FormatError(f"dtype is {array.dtype.name}: it must be one of {', '.join(DTYPES)}")
    voxels = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()
    head = header(array.shape, array.dtype.name, volume.affine, "zlib" if compress else "raw")
    return head + (zlib.compress(voxels, 1) if compress else voxels)


def header(shape: tuple[int, ...], dtype: str, affine: np.ndarray, encoding: str = "raw") -> bytes:
    """Return all that comes before the voxels, for a sender that has them in pieces."""
    affine_numbers = [float(v) for v in affine.ravel()]
    fields = {"dtype": dtype, "shape": list(shape), "affine": affine_numbers, "encoding": encoding}
    text = json.dumps(fields, sort_keys=True).encode()
    return _PREFIX.pack(MAGIC, len(text)) + text


def check(data: bytes | memoryview | mmap.mmap) -> None:
    """Raise FormatError unless `decode` would take the bytes; needs a few MiB, however large the array."""
    view = memoryview(data)
    fields, start = _read_header(view)
    dtype, shape, affine = _check_fields(fields)
    Volume(np.broadcast_to(np.zeros(1, dtype), shape), affine)
    expected = math.prod(shape) * dtype.itemsize
    held = _inflated_size(view[start:], expected) if fields["encoding"] == "zlib" else len(view) - start
    if held != expected:
        raise FormatError(f"array holds {held} bytes of voxels: its header declares {expected}")


def decode(data: bytes | bytearray | memoryview) -> Volume:
    """Return the volume the bytes hold; the array is read-only. Raises FormatError before any large allocation."""
    view = memoryview(data)
    fields, start = _read_header(view)
    dtype, shape, affine = _check_fields(fields)
    expected = math.prod(shape) * dtype.itemsize
    voxels = _inflate(view[start:], expected) if fields["encoding"] == "zlib" else view[start:]
    if len(voxels) != expected:
        raise FormatError(f"array holds {len(voxels)} bytes of voxels: its header declares {expected}")
    return Volume(np.frombuffer(voxels, dtype=dtype).reshape(shape), affine)


def fingerprint(data: bytes | bytearray | memoryview) -> str:
    """Return the sha256 that names these bytes."""
    return hashlib.sha256(data).hexdigest()


def _read_header(view: memoryview) -> tuple[dict[str, object], int]:
    if len(view) < _PREFIX.size:
        raise FormatError(f"array is {len(view)} bytes: too short to hold a header")
    magic, length = _PREFIX.unpack(view[: _PREFIX.size])
    if magic != MAGIC or length > MAX_HEADER_BYTES or len(view) < _PREFIX.size + length:
        raise FormatError("these bytes are not an encoded array: wrong magic or header length")
    try:
        fields = json.loads(bytes(view[_PREFIX.size : _PREFIX.size + length]))
    except (ValueError, RecursionError):
        raise FormatError("the array's header is not JSON") from None
    if not isinstance(fields, dict) or set(fields) != {"dtype", "shape", "affine", "encoding"}:
        raise FormatError("the array's header must hold dtype, shape, affine and encoding")
    return fields, _PREFIX.size + length


def _check_fields(fields: dict[str, object]) -> tuple[np.dtype[np.generic], tuple[int, ...], np.ndarray]:
    shape, affine = fields["shape"], fields["affine"]
    if fields["dtype"] not in DTYPES or fields["encoding"] not in ("raw", "zlib"):
        raise FormatError(f"dtype {fields['dtype']!r} or encoding {fields['encoding']!r} is not known")
    if not (isinstance(shape, list) and len(shape) == 4 and all(type(n) is int and 0 < n <= 2**16 for n in shape)):
        raise FormatError(f"shape is {shape!r}: it must be four whole numbers from 1 to 65536")
    if not (isinstance(affine, list) and len(affine) == 16 and all(type(v) in (int, float) and abs(v) < 1e30 for v in affine)):
        raise FormatError("affine must be 16 finite numbers")
    dtype = np.dtype(str(fields["dtype"])).newbyteorder("<")
    if math.prod(shape) * dtype.itemsize > MAX_VOXEL_BYTES:
        raise FormatError(f"array of shape {tuple(shape)} is larger than 4 GiB: send a smaller part")
    return dtype, tuple(shape), np.array(affine, dtype=np.float64).reshape(4, 4)


def _inflated_size(stream: memoryview, expected: int) -> int:
    inflater, size = zlib.decompressobj(), 0
    try:
        for start in range(0, len(stream), _PIECE_BYTES):
            rest = bytes(stream[start : start + _PIECE_BYTES])
            while rest and size <= expected and not inflater.eof:
                size += len(inflater.decompress(rest, _PIECE_BYTES))
                rest = inflater.unconsumed_tail
    except zlib.error:
        raise FormatError("the array's zlib stream is damaged") from None
    if not inflater.eof and size <= expected:
        raise FormatError("the array's zlib stream is cut short")
    return size


def _inflate(stream: memoryview, expected: int) -> bytes:
    inflater = zlib.decompressobj()
    try:
        voxels = inflater.decompress(stream, expected + 1)
    except zlib.error:
        raise FormatError("the array's zlib stream is damaged") from None
    if not inflater.eof and len(voxels) <= expected:
        raise FormatError("the array's zlib stream is cut short")
    return voxels
