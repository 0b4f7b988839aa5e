"""Bytes of a volume: what goes in comes out, and what is not ours is refused before it costs memory."""

from __future__ import annotations

import json
import struct
import time
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from medsynth_core import wire
from medsynth_core.errors import FormatError, InputError
from medsynth_core.volume import Volume

SHAPES = st.tuples(*[st.integers(1, 5)] * 4)
ARRAYS = st.sampled_from(wire.DTYPES).flatmap(lambda dtype: hnp.arrays(dtype, SHAPES))
OFFSETS = st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3)


def packed(fields: dict[str, Any], voxels: bytes) -> bytes:
    header = json.dumps(fields).encode()
    return struct.pack("<4sI", b"MSV1", len(header)) + header + voxels


def fields(**changes: Any) -> dict[str, Any]:
    eye = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    return {"dtype": "uint8", "shape": [1, 1, 2, 2], "affine": eye, "encoding": "raw", **changes}


@given(array=ARRAYS, offset=OFFSETS, compress=st.booleans())
def test_any_volume_comes_back_bit_for_bit(array: np.ndarray, offset: list[float], compress: bool) -> None:
    affine = np.eye(4)
    affine[:3, 3] = offset
    again = wire.decode(wire.encode(Volume(array, affine), compress))
    assert again.array.tobytes() == np.ascontiguousarray(array).tobytes()
    assert again.array.dtype == array.dtype
    np.testing.assert_array_equal(again.affine, affine)


@given(array=ARRAYS, compress=st.booleans())
def test_the_same_volume_always_has_the_same_name(array: np.ndarray, compress: bool) -> None:
    first = wire.fingerprint(wire.encode(Volume(array), compress))
    views = (array.copy(), np.asfortranarray(array), array.astype(array.dtype.newbyteorder(">")))
    assert {wire.fingerprint(wire.encode(Volume(view), compress)) for view in views} == {first}


@settings(max_examples=300)
@given(data=st.binary(max_size=200))
def test_random_bytes_are_refused_as_a_bad_file(data: bytes) -> None:
    with pytest.raises(FormatError):
        wire.decode(data)


@settings(max_examples=300)
@given(changes=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), min_size=1, max_size=5), compress=st.booleans())
def test_changed_bytes_give_a_volume_or_one_of_our_errors(changes: list[tuple[int, int]], compress: bool) -> None:
    data = bytearray(wire.encode(Volume(np.arange(48, dtype=np.int16).reshape(1, 3, 4, 4)), compress))
    for place, value in changes:
        data[place % len(data)] = value
    try:
        wire.decode(data)
    except InputError as problem:
        assert len(str(problem)) < 500  # noqa: PT017  a volume is fine too


@pytest.mark.parametrize("cut", [1, 4, 7, 8, 20, -1])
@pytest.mark.parametrize("compress", [False, True])
def test_cut_bytes_are_refused(cut: int, compress: bool) -> None:
    data = wire.encode(Volume(np.random.default_rng(0).integers(0, 255, (1, 1, 32, 32)).astype(np.uint8)), compress)
    with pytest.raises(FormatError):
        wire.decode(data[:cut])


@pytest.mark.parametrize(
    "lie",
    [
        {"shape": [1, 1, 65536, 65536]},
        {"shape": [65536] * 4, "dtype": "float32"},
        {"shape": [1, 1, 2, 3]},
        {"shape": [1, 1, 4]},
        {"shape": [1, 1, 2, 0]},
        {"shape": [1, 1, 2, -2]},
        {"shape": [True, True, 2, 2]},
        {"shape": "1122"},
        {"dtype": "object"},
        {"dtype": "float64"},
        {"dtype": ["u1"]},
        {"encoding": "lzma"},
        {"affine": [1] * 15},
        {"affine": ["1"] * 16},
        {"affine": [0] * 16},
        {"affine": [float("nan")] * 16},
        {"surplus": 1},
    ],
)
def test_a_header_that_lies_is_refused_at_once(lie: dict[str, Any]) -> None:
    started = time.monotonic()
    with pytest.raises(InputError):
        wire.decode(packed(fields(**lie), bytes(4)))
    assert time.monotonic() - started < 0.5


def test_a_zlib_bomb_grows_no_further_than_its_header_says() -> None:
    bomb = zlib.compress(bytes(50 * 2**20), 9)
    with pytest.raises(FormatError):
        wire.decode(packed(fields(encoding="zlib"), bomb))


def test_bytes_after_the_voxels_are_refused() -> None:
    with pytest.raises(FormatError, match="declares 4"):
        wire.decode(packed(fields(), bytes(5)))


def test_what_came_over_the_wire_cannot_be_written_to() -> None:
    array = wire.decode(wire.encode(Volume(np.zeros((1, 1, 2, 2), np.uint8)))).array
    with pytest.raises(ValueError, match="read-only"):
        array[...] = 1


@pytest.mark.parametrize("dtype", ["bool", "int64", "float64", "complex64"])
def test_types_that_do_not_travel_are_named(dtype: str) -> None:
    with pytest.raises(FormatError, match=dtype):
        wire.encode(Volume(np.zeros((1, 1, 2, 2), dtype)))
