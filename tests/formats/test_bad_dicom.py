"""Damaged, dishonest and unsuitable DICOM: one sentence each, at once, that names neither a patient nor a path."""

from __future__ import annotations

import contextlib
import io
import resource
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    MediaStorageDirectoryStorage,
    generate_uid,
)

from medsynth_core import formats
from medsynth_core.errors import InputError, MedSynthError
from tests.formats.dicom_files import dataset, enhanced, place, save, series

PIXELS = np.arange(64, dtype=np.uint16).reshape(8, 8)
PATIENT_WORDS = ("Quixote", "LAMANCHA", "Panza", "WINDMILL", "1547", "2020")


def refuse(path: Path, words: str) -> None:
    """The path is refused within two seconds and 200 MiB, by one short sentence without patient text or path."""
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(InputError, match=words) as caught:
        formats.read(path)
    assert time.monotonic() - started < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 400
    assert str(path.parent) not in text
    assert not [word for word in PATIENT_WORDS if word in text]
    assert caught.value.__cause__ is None


def refuse_one(tmp_path: Path, ds: Dataset, words: str) -> None:
    refuse(save(ds, tmp_path / "Quixote^Alonso.dcm"), words)


def packed(frame: bytes, syntax: Any, pixels: np.ndarray = PIXELS, **facts: Any) -> Dataset:
    ds = dataset(pixels, syntax, PixelData=encapsulate([frame]), **facts)
    ds["PixelData"].VR = "OB"
    return ds


@pytest.mark.parametrize("part", [0.1, 0.2, 0.4, 0.6, 0.8, 0.95, 0.999])
def test_a_truncated_file(tmp_path: Path, part: float) -> None:
    path = save(dataset(PIXELS), tmp_path / "a.dcm")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    refuse(path, "cut short|damaged|of an unknown kind: it must")


def test_a_truncated_slice_is_not_left_out_of_its_series(tmp_path: Path) -> None:
    series(tmp_path / "s")
    victim = sorted((tmp_path / "s").iterdir())[1]
    victim.write_bytes(victim.read_bytes()[:-20])
    refuse(tmp_path / "s", "file 2 of the 4 in the DICOM folder .* cut short|cut short")


def test_a_slice_cut_off_in_its_header_is_not_taken_for_a_report(tmp_path: Path) -> None:
    series(tmp_path / "s")
    victim = sorted((tmp_path / "s").iterdir())[3]
    victim.write_bytes(victim.read_bytes()[:400])
    refuse(tmp_path / "s", "file 4 of the 4 .* cut short")


def test_a_slice_that_lost_its_beginning_is_not_left_out(tmp_path: Path) -> None:
    series(tmp_path / "s")
    victim = sorted((tmp_path / "s").iterdir())[1]
    victim.write_bytes(victim.read_bytes()[300:])
    refuse(tmp_path / "s", "file 2 of the 4 .* does not begin as DICOM")


def test_a_file_without_preamble_is_refused_as_such(tmp_path: Path) -> None:
    path = save(dataset(PIXELS), tmp_path / "a.dcm")
    path.write_bytes(path.read_bytes()[132:])
    refuse(path, "without its preamble")


def test_only_the_letters_dicm(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(bytes(128) + b"DICM")
    refuse(tmp_path / "a.dcm", "damaged|packed")
    (tmp_path / "a.dcm").write_bytes(bytes(128) + b"DICM" + b"\xff" * 500)
    refuse(tmp_path / "a.dcm", "damaged|packed")


@pytest.mark.parametrize("length", [0xFFFFFFF0, 0x7FFFFFFF, 0xFFFFFFFF])
@pytest.mark.parametrize("tag", [0x7FE00010, 0x00080060, 0x00091001])
def test_an_element_that_claims_gigabytes(tmp_path: Path, tag: int, length: int) -> None:
    path = save(dataset(PIXELS, PixelData=None), tmp_path / "a.dcm")
    element = struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, b"OB", 0, length) + bytes(50)
    path.write_bytes(path.read_bytes() + element)
    refuse(path, "damaged|cut short")


@pytest.mark.parametrize("sides", [(65535, 65535), (60000, 60000), (16000, 16000), (0, 5), (20000, 1)])
def test_declared_sides_that_are_not_there(tmp_path: Path, sides: tuple[int, int]) -> None:
    refuse_one(tmp_path, dataset(PIXELS, Rows=sides[0], Columns=sides[1]), "declares|damaged|entries")


@pytest.mark.parametrize("frames", [0, -1, 3000, 10**9, 2 * 10**9, 2000])
def test_declared_frames_that_are_not_there(tmp_path: Path, frames: int) -> None:
    ds = dataset(PIXELS, NumberOfFrames=frames, ImagePositionPatient=None, ImageOrientationPatient=None)
    if frames != 0:
        refuse_one(tmp_path, ds, "declares")


def test_packed_pixels_that_cannot_honestly_hold_what_is_declared(tmp_path: Path) -> None:
    refuse_one(tmp_path, packed(b"\xff\xd8", JPEGLSLossless, Rows=8000, Columns=8000, NumberOfFrames=20), "fill the memory")


@pytest.mark.parametrize("kind", ["JPEG", "JPEG2000"])
def test_a_packed_image_that_unpacks_to_more_than_the_header_says(tmp_path: Path, kind: str) -> None:
    bomb = io.BytesIO()
    Image.new("L", (4000, 4000)).save(bomb, format=kind)
    syntax = JPEGBaseline8Bit if kind == "JPEG" else JPEG2000Lossless
    refuse_one(tmp_path, packed(bomb.getvalue(), syntax, PIXELS.astype(np.uint8)), "8 x 8 pixels, its packed image not")


def test_rubbish_in_the_place_of_packed_pixels(tmp_path: Path) -> None:
    refuse_one(tmp_path, packed(b"\xff\xd8rubbish" * 5, JPEGBaseline8Bit, PIXELS.astype(np.uint8)), "damaged")


def test_a_compression_without_decoder_is_named_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jpeg_lossless = get_decoder(JPEGLosslessSV1)
    for plugin in jpeg_lossless.available_plugins:  # this test must not depend on what is installed beside us
        monkeypatch.delitem(jpeg_lossless._available, plugin)
    words = r"compressed as JPEG Lossless.*no installed decoder reads: pip install python-gdcm"
    refuse_one(tmp_path, packed(b"\xff\xd8", JPEGLosslessSV1), words)


def test_a_private_compression_is_named_as_such(tmp_path: Path) -> None:
    path, ds = tmp_path / "b.dcm", packed(b"\xff\xd8", pydicom.uid.UID("1.2.3.99"))
    ds.save_as(path, implicit_vr=False, little_endian=True, enforce_file_format=True)
    refuse(path, "compressed as a private method, which is not read: export it uncompressed")


def test_video_is_no_image(tmp_path: Path) -> None:
    refuse_one(tmp_path, packed(b"\0\0\1", pydicom.uid.MPEG4HP41), "compressed as MPEG-4")


def test_a_deflated_header_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    ds = dataset(PIXELS)
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    refuse_one(tmp_path, ds, "deflated")


@pytest.mark.parametrize(
    ("uid", "name"),
    [
        ("1.2.840.10008.5.1.4.1.1.481.3", "RT Structure Set"),
        ("1.2.840.10008.5.1.4.1.1.88.11", "Basic Text SR"),
        ("9.9.9", "of an unknown kind"),
    ],
)
def test_objects_that_are_no_images_are_named(tmp_path: Path, uid: str, name: str) -> None:
    ds = dataset(PIXELS, SOPClassUID=uid)
    ds.file_meta.MediaStorageSOPClassUID = uid
    for tag in ("Rows", "Columns", "PixelData"):
        delattr(ds, tag)
    refuse_one(tmp_path, ds, name)
    (tmp_path / "s").mkdir()
    save(ds, tmp_path / "s" / "Quixote.dcm")
    refuse(tmp_path / "s", "holds no image")


def test_a_dicomdir_is_a_table_of_contents(tmp_path: Path) -> None:
    ds = dataset(PIXELS, SOPClassUID=MediaStorageDirectoryStorage)
    ds.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    save(ds, tmp_path / "DICOMDIR")
    refuse(tmp_path / "DICOMDIR", "table of contents")
    series(tmp_path / "s")
    (tmp_path / "DICOMDIR").rename(tmp_path / "s" / "DICOMDIR")
    assert formats.read(tmp_path / "s").size[0] == 4


def test_a_dicom_file_named_otherwise_is_named_without_its_name(tmp_path: Path) -> None:
    path = save(dataset(PIXELS), tmp_path / "Quixote.png")
    refuse(path, "named as PNG but holds DICOM")


def test_deeply_nested_sequences_end_in_a_sentence(tmp_path: Path) -> None:
    path = save(dataset(PIXELS, PixelData=None), tmp_path / "a.dcm")
    item = struct.pack("<HH2sHI", 0x5200, 0x9229, b"SQ", 0, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    path.write_bytes(path.read_bytes() + item * 20_000)
    refuse(path, "damaged")


def test_a_long_header_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from medsynth_core.formats import dicom_header

    monkeypatch.setattr(dicom_header, "MAX_HEADER", 100)
    refuse_one(tmp_path, dataset(PIXELS), "header of more than")


Change = Callable[[int, Dataset], None]


def lose(z: int, ds: Dataset) -> None:
    ds.ImagePositionPatient = place(z + (z > 1), ds.ImageOrientationPatient)


def crowd(z: int, ds: Dataset) -> None:
    ds.ImagePositionPatient = place(z + 0.2 * (z == 1), ds.ImageOrientationPatient)


def double(z: int, ds: Dataset) -> None:
    ds.ImagePositionPatient = place(z // 2, ds.ImageOrientationPatient)


def turn(z: int, ds: Dataset) -> None:
    if z == 2:
        ds.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]


def shrink(z: int, ds: Dataset) -> None:
    if z == 2:
        ds.Rows, ds.Columns, ds.PixelData = 3, 5, bytes(30)


def respace(z: int, ds: Dataset) -> None:
    if z == 2:
        ds.PixelSpacing = [0.6, 0.25]


def unplace(z: int, ds: Dataset) -> None:
    del ds.ImagePositionPatient


def unsign(z: int, ds: Dataset) -> None:
    if z == 2:
        ds.PixelRepresentation = 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lose, r"slices are missing .* 4\.00 mm between slices 2 and 3 of 4, elsewhere 2\.00 mm"),
        (crowd, r"unevenly spaced: 1\.60 to 2\.40 mm"),
        (double, "2 slices at a place where there is one already"),
        (turn, r"different orientations \(3, 1 images\)"),
        (shrink, "is 3 x 5, others 6 x 5|is 6 x 5, others 3 x 5"),
        (respace, "different pixel sizes"),
        (unplace, "do not say where their slices lie"),
        (unsign, "keeps its pixels otherwise"),
    ],
)
def test_series_that_make_no_volume(tmp_path: Path, change: Change, words: str) -> None:
    series(tmp_path / "s", change=change)
    refuse(tmp_path / "s", words)


def test_several_series_are_counted(tmp_path: Path) -> None:
    series(tmp_path / "s", change=lambda z, ds: setattr(ds, "SeriesInstanceUID", generate_uid()))
    refuse(tmp_path / "s", "equal numbers: 3 .1 image.")


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "right angles"),
        ({"ImageOrientationPatient": [0, 0, 0, 0, 0, 0]}, "right angles"),
        ({"ImageOrientationPatient": [1, 0, 0]}, "6 finite numbers"),
        ({"ImagePositionPatient": [0, 0]}, "3 finite numbers"),
        ({"PixelSpacing": [0, 1]}, "above 0"),
        ({"RescaleSlope": 0, "RescaleIntercept": 5}, "slope of 0"),
        ({"PhotometricInterpretation": "CMYK"}, "of a kind that is not read"),
        ({"PhotometricInterpretation": "RGB"}, "of a kind that is not read"),
        ({"BitsAllocated": 1}, "1 bits"),
        ({"BitsAllocated": 12}, "12 bits"),
        ({"BitsStored": 17}, "bits"),
        ({"ModalityLUTSequence": [Dataset()]}, "look-up table"),
        ({"NumberOfFrames": 2, "PixelData": bytes(256)}, "2 frames at one position"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "damaged"),
    ],
)
def test_headers_that_make_no_sense(tmp_path: Path, facts: dict[str, Any], words: str) -> None:
    refuse_one(tmp_path, dataset(PIXELS, **facts), words)


def test_frames_that_are_not_described(tmp_path: Path) -> None:
    ds = enhanced(np.zeros((3, 4, 4), np.uint16), (0, 1, 2))
    ds.PerFrameFunctionalGroupsSequence = ds.PerFrameFunctionalGroupsSequence[:2]
    refuse_one(tmp_path, ds, "declares 3 frames and describes 2")


def test_a_file_that_may_not_be_opened_is_not_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from medsynth_core.formats import dicom

    def forbidden(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    series(tmp_path / "s")
    monkeypatch.setattr(dicom, "is_dicom", forbidden)
    refuse(tmp_path / "s", "a file of the folder cannot be opened: Permission denied")


def test_a_folder_of_folders_is_not_named(tmp_path: Path) -> None:
    (tmp_path / "Quixote").mkdir()
    series(tmp_path / "Quixote" / "s")
    refuse(tmp_path / "Quixote", "is a folder: name .* a folder with the DICOM files of a series")


def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from medsynth_core.formats import dicom

    monkeypatch.setattr(dicom, "MAX_FILES", 3)
    series(tmp_path / "s")
    refuse(tmp_path / "s", "holds 4 files: at most 3")


@settings(max_examples=150, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8), kind=st.integers(0, 2))
def test_changed_bytes_give_an_image_or_one_of_our_errors(tmp_path: Path, changes: list[tuple[int, int]], kind: int) -> None:
    voxels = np.zeros((3, 4, 4), np.uint16)
    jpeg = io.BytesIO()
    Image.new("L", (8, 8)).save(jpeg, format="JPEG")
    made = (
        lambda: dataset(PIXELS, RescaleSlope=1, RescaleIntercept=-5),
        lambda: enhanced(voxels, (1, 0, 2), (1, 2, 3)),
        lambda: packed(jpeg.getvalue(), JPEGBaseline8Bit, PIXELS.astype(np.uint8)),
    )
    path = save(made[kind](), tmp_path / "a.dcm")
    content = bytearray(path.read_bytes())
    for spot, value in changes:
        content[132 + spot % (len(content) - 132)] = value
    path.write_bytes(content)
    with contextlib.suppress(MedSynthError):
        formats.read(path)
