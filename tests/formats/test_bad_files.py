"""Damaged, dishonest and mislabelled files: one sentence each, at once, without the memory they ask for."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import resource
import shutil
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from medsynth_core import formats
from medsynth_core.errors import FormatError, InputError, MedSynthError, StorageFullError
from medsynth_core.formats import limits
from medsynth_core.volume import Volume

SUFFIXES = [".png", ".jpg", ".bmp", ".tif", ".nii", ".nii.gz"]


def mask(size: int = 32) -> np.ndarray:
    array = np.zeros((1, 1, size, size), np.uint8)
    array[:, :, size // 4 : size // 2, size // 4 : size // 2] = 255
    return array


def refuse(path: Path, words: str) -> None:
    """The file is refused within two seconds, with these words, by a short sentence that holds no traceback."""
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(InputError, match=words) as caught:
        formats.read_mask(path)
    assert time.monotonic() - started < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def nifti_header(**fields: Any) -> bytes:
    header = nibabel.Nifti1Header()
    header.set_data_shape((4, 4, 4))
    header.set_data_dtype(np.uint8)
    for name, value in {"magic": b"n+1", "vox_offset": 352, **fields}.items():
        header[name] = value
    return bytes(header.binaryblock) + bytes(4)


def png(width: int, height: int, depth: int = 8, color: int = 0, data: bytes = b"") -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_a_missing_file(tmp_path: Path) -> None:
    refuse(tmp_path / "none.png", "does not exist")


def test_a_folder(tmp_path: Path) -> None:
    refuse(tmp_path, "is a folder")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_of_zero_bytes(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"m{suffix}").touch()
    refuse(tmp_path / f"m{suffix}", "0 bytes")


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_truncated_file(tmp_path: Path, suffix: str, part: float) -> None:
    path = tmp_path / f"m{suffix}"
    noise = np.random.default_rng(0).integers(0, 255, (1, 1, 64, 64)).astype(np.uint8)
    formats.write(path, Volume(noise), {})
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    refuse(path, "damaged or cut short|is cut short")


@pytest.mark.parametrize(
    ("true", "claimed"), [(".png", ".jpg"), (".jpg", ".png"), (".nii", ".tif"), (".tif", ".nii.gz"), (".bmp", ".nii")]
)
def test_a_mislabelled_file_is_named_as_such(tmp_path: Path, true: str, claimed: str) -> None:
    formats.write(tmp_path / f"m{true}", Volume(mask()), {})
    (tmp_path / f"m{true}").rename(tmp_path / f"n{claimed}")
    refuse(tmp_path / f"n{claimed}", "is named as .* but holds .*: rename it")


def test_a_file_without_suffix_is_read_by_its_content(tmp_path: Path) -> None:
    formats.write(tmp_path / "m.png", Volume(mask()), {})
    (tmp_path / "m.png").rename(tmp_path / "mask")
    np.testing.assert_array_equal(formats.read_mask(tmp_path / "mask").array, mask())


@pytest.mark.parametrize(
    "content", [b"hello, I am a text file", b"PK\x03\x04zip", b"GIF89a" + bytes(50), bytes(200), b"\x80\x04pickle"]
)
def test_an_unknown_kind(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.png").write_bytes(content)
    refuse(tmp_path / "m.png", "unknown kind")


def test_a_dicom_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "m.dcm").write_bytes(bytes(128) + b"DICM" + bytes(100))
    refuse(tmp_path / "m.dcm", "DICOM")


def test_a_small_nifti_that_asks_for_gigabytes(tmp_path: Path) -> None:
    header = nifti_header(dim=[4, 2000, 2000, 2000, 2, 1, 1, 1])
    (tmp_path / "bomb.nii").write_bytes(header)
    refuse(tmp_path / "bomb.nii", "GiB")
    (tmp_path / "bomb.nii.gz").write_bytes(gzip.compress(header))
    refuse(tmp_path / "bomb.nii.gz", "GiB")


def test_a_gzip_that_cannot_hold_what_its_header_declares(tmp_path: Path) -> None:
    header = nifti_header(dim=[3, 2000, 1000, 1000, 1, 1, 1, 1])
    (tmp_path / "bomb.nii.gz").write_bytes(gzip.compress(header + bytes(10**6)))
    refuse(tmp_path / "bomb.nii.gz", "made to fill the memory")


def test_a_gzip_bomb_is_read_no_further_than_its_header_says(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "bomb.nii.gz", "wb", compresslevel=1) as file:
        file.write(nifti_header())
        for _ in range(300):
            file.write(bytes(2**20))
    started = time.monotonic()
    assert formats.read(tmp_path / "bomb.nii.gz").size == (4, 4, 4)
    assert time.monotonic() - started < 0.5


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"dim": [0, 4, 4, 4, 1, 1, 1, 1]}, "0 axes"),
        ({"dim": [-5, 4, 4, 4, 1, 1, 1, 1]}, "axes"),
        ({"dim": [5, 4, 4, 4, 2, 2, 1, 1]}, "5 axes"),
        ({"dim": [3, 4, -4, 4, 1, 1, 1, 1]}, "1 to 2048"),
        ({"dim": [3, 4, 0, 4, 1, 1, 1, 1]}, "1 to 2048"),
        ({"dim": [3, 4, 3000, 4, 1, 1, 1, 1]}, "1 to 2048"),
        ({"datatype": 1}, "NIfTI|type"),
        ({"datatype": 32}, "complex"),
        ({"datatype": 9999}, "damaged"),
        ({"vox_offset": -1}, "byte -1"),
        ({"vox_offset": float("nan")}, "damaged"),
        ({"vox_offset": 1e30}, "damaged|byte"),
        ({"magic": b"ni1"}, "second file"),
        ({"sform_code": 1, "srow_x": [float("nan")] * 4}, "finite"),
        ({"sform_code": 1, "srow_x": [0, 0, 0, 0]}, "invertible"),
    ],
)
def test_nifti_headers_that_lie(tmp_path: Path, fields: dict[str, Any], words: str) -> None:
    (tmp_path / "m.nii").write_bytes(nifti_header(**fields) + bytes(4096))
    refuse(tmp_path / "m.nii", words)


def test_a_pickle_in_a_nifti_extension_is_never_opened(tmp_path: Path) -> None:
    import pickle

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    bait = pickle.dumps(Trap())
    size = -(-(len(bait) + 8) // 16) * 16
    extension = struct.pack("<ii", size, 16) + bait.ljust(size - 8, b"\0")
    header = nifti_header(vox_offset=352 + size)[:348] + b"\1\0\0\0"
    (tmp_path / "m.nii").write_bytes(header + extension + bytes(64))
    assert formats.read(tmp_path / "m.nii").size == (4, 4, 4)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("size", [(50_000, 50_000), (20_000, 10), (2**31 - 1, 2**31 - 1), (0, 5)])
def test_a_png_that_declares_too_much(tmp_path: Path, size: tuple[int, int]) -> None:
    (tmp_path / "bomb.png").write_bytes(png(*size, data=zlib.compress(bytes(1000))))
    refuse(tmp_path / "bomb.png", "pixels|damaged")


def test_a_png_with_sixteen_bit_colors_is_not_cut_to_eight(tmp_path: Path) -> None:
    rows = (b"\0" + bytes(range(24))) * 4
    (tmp_path / "deep.png").write_bytes(png(4, 4, 16, 2, zlib.compress(rows)))
    with pytest.raises(FormatError, match="16-bit colors"):
        formats.read(tmp_path / "deep.png")


def test_grey_saved_as_rgb_is_a_mask_but_color_is_not(tmp_path: Path) -> None:
    flat = mask()[0, 0]
    Image.fromarray(np.stack([flat] * 3, -1)).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(formats.read_mask(tmp_path / "grey.png").array, mask())
    Image.fromarray(np.stack([flat, flat, flat * 0], -1)).save(tmp_path / "color.png")
    refuse(tmp_path / "color.png", "color picture")
    formats.write(tmp_path / "color.tif", Volume(np.stack([flat, flat, flat * 0])[:, None]), {})
    refuse(tmp_path / "color.tif", "color picture")


def test_transparency_is_fine_only_where_it_hides_nothing(tmp_path: Path) -> None:
    flat = mask()[0, 0]
    Image.fromarray(np.stack([flat, flat, flat, flat * 0 + 255], -1)).save(tmp_path / "opaque.png")
    np.testing.assert_array_equal(formats.read_mask(tmp_path / "opaque.png").array, mask())
    Image.fromarray(np.stack([flat, flat, flat, flat], -1)).save(tmp_path / "glass.png")
    refuse(tmp_path / "glass.png", "transparent")


def test_palette_indices_and_single_bits_are_labels(tmp_path: Path) -> None:
    flat = mask()[0, 0] // 255
    palette = Image.frombytes("P", (32, 32), flat.tobytes())
    palette.putpalette([0, 0, 0, 200, 10, 10])
    palette.save(tmp_path / "palette.png")
    Image.fromarray(flat.astype(bool)).save(tmp_path / "bits.png")
    for name in ("palette.png", "bits.png"):
        np.testing.assert_array_equal(formats.read_mask(tmp_path / name).array, mask() // 255)


def test_a_jpeg_mask_is_cut_at_half_when_it_is_black_and_white(tmp_path: Path) -> None:
    Image.fromarray(mask(128)[0, 0]).save(tmp_path / "m.jpg", quality=90)
    np.testing.assert_array_equal(formats.read_mask(tmp_path / "m.jpg").array, mask(128))
    Image.fromarray(np.tile(np.arange(128, dtype=np.uint8), (128, 1))).save(tmp_path / "grey.jpg")
    refuse(tmp_path / "grey.jpg", "JPEG, which blurs")


def zarr_folder(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    path = tmp_path / "m.ome.zarr"
    formats.write(path, Volume(mask()), {})
    return path, json.loads((path / "0" / "zarr.json").read_text())


def grid(*chunk: int) -> dict[str, Any]:
    return {"name": "regular", "configuration": {"chunk_shape": list(chunk)}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"shape": [1, 2000, 2000, 2000], "data_type": "float64"}, "GiB"),
        ({"shape": [1, 2000, 700, 700], "chunk_grid": grid(1, 1, 700, 700)}, "fill the memory"),
        ({"shape": [1, 1, 10**9, 1]}, "1 to 2048"),
        ({"data_type": "string"}, "type"),
        ({"data_type": {"name": "struct"}}, "type|damaged"),
        ({"codecs": [{"name": "numcodecs.pickle"}]}, "packed with"),
        ({"codecs": [{"name": "gzip"}]}, "packed with"),
        ({"zarr_format": 2}, "zarr v3"),
        ({"node_type": "group"}, "zarr v3"),
        ({"chunk_grid": grid(1, 1, 0, 0)}, "entries"),
        ({"chunk_grid": grid(1, 1, 1, 1)}, "chunk that declares"),
    ],
)
def test_zarr_metadata_that_lies(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    path, fields = zarr_folder(tmp_path)
    (path / "0" / "zarr.json").write_text(json.dumps(fields | change))
    refuse(path, words)


def test_a_zarr_chunk_that_grows_is_refused(tmp_path: Path) -> None:
    from numcodecs.zstd import Zstd

    path, _ = zarr_folder(tmp_path)
    (chunk,) = [p for p in (path / "0" / "c").rglob("*") if p.is_file()]
    chunk.write_bytes(Zstd().encode(bytes(50 * 2**20)))
    refuse(path, "chunk that declares")


def test_a_zarr_folder_with_a_link_is_refused(tmp_path: Path) -> None:
    path, _ = zarr_folder(tmp_path)
    (chunk,) = [p for p in (path / "0" / "c").rglob("*") if p.is_file()]
    chunk.rename(tmp_path / "outside")
    chunk.symlink_to(tmp_path / "outside")
    refuse(path, "link")


def test_a_zarr_level_outside_its_folder_is_refused(tmp_path: Path) -> None:
    path, _ = zarr_folder(tmp_path)
    shutil.copytree(path / "0", tmp_path / "0")
    root = json.loads((path / "zarr.json").read_text())
    root["attributes"]["ome"]["multiscales"][0]["datasets"][0]["path"] = "../0"
    (path / "zarr.json").write_text(json.dumps(root))
    refuse(path, "outside of its folder")


def test_zarr_v2_is_named(tmp_path: Path) -> None:
    (tmp_path / "old.zarr").mkdir()
    (tmp_path / "old.zarr" / ".zattrs").write_text("{}")
    refuse(tmp_path / "old.zarr", "zarr v2")


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=60, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8))
def test_changed_bytes_give_an_image_or_one_of_our_errors(tmp_path: Path, suffix: str, changes: list[tuple[int, int]]) -> None:
    path = tmp_path / f"m{suffix}"
    formats.write(path, Volume(mask(16)), {"seed": 1})
    content = bytearray(path.read_bytes())
    for place, value in changes:
        content[place % len(content)] = value
    path.write_bytes(content)
    with contextlib.suppress(MedSynthError):
        formats.read(path)


@pytest.mark.parametrize("name", ["out", "out.gif", "out.gz", ".png", "out.txt"])
def test_an_unknown_output_suffix_is_refused_before_the_work(tmp_path: Path, name: str) -> None:
    with pytest.raises(FormatError, match=r"suffix .* \.nii\.gz"):
        formats.check_output(tmp_path / name)


def test_outputs_that_cannot_be_are_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        formats.check_output(tmp_path / "none" / "a.png")
    (tmp_path / "a.png").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        formats.check_output(tmp_path / "a.png")
    (tmp_path / "mine.zarr").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        formats.check_output(tmp_path / "mine.zarr")


SAVE_UNDER_A_LIMIT = """
import resource, sys, numpy as np
from pathlib import Path
from medsynth_core import formats
from medsynth_core.errors import StorageFullError
from medsynth_core.volume import Volume
noise = np.random.default_rng(0).integers(0, 255, (1, 1, 256, 256)).astype(np.uint8)
formats.read  # imported before the limit
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    formats.write(Path(sys.argv[1]), Volume(noise), {})
except StorageFullError as problem:
    print(problem)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs setrlimit")
@pytest.mark.parametrize("suffix", [".png", ".nii.gz", ".tif", ".ome.zarr"])
def test_a_full_disk_keeps_the_old_file_and_leaves_nothing_half_written(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    formats.write(path, Volume(mask()), {})
    backend = Path(formats.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", SAVE_UNDER_A_LIMIT, str(path)],
        env={**os.environ, "PYTHONPATH": str(backend)}, capture_output=True, text=True,
    )  # fmt: skip
    assert "the disk is full" in done.stdout, done.stderr
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    np.testing.assert_array_equal(formats.read(path).array, mask())


def test_a_full_disk_is_told_apart_from_other_troubles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(number: int) -> Any:
        def fsync(_: int) -> None:
            raise OSError(number, os.strerror(number))

        return fsync

    monkeypatch.setattr(limits.os, "fsync", fail(28))
    with pytest.raises(StorageFullError, match="disk is full"):
        formats.write(tmp_path / "a.png", Volume(mask()), {})
    monkeypatch.setattr(limits.os, "fsync", fail(13))
    with pytest.raises(InputError, match="Permission denied"):
        formats.write(tmp_path / "a.png", Volume(mask()), {})
    assert not list(tmp_path.iterdir())
