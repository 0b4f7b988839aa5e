"""DICOM comes in as what it means: values, colors and places, and nothing of the patient."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import CTImageStorage, JPEG2000Lossless, JPEGBaseline8Bit, RLELossless, generate_uid

from medsynth_core import formats
from medsynth_core.errors import InputError
from medsynth_core.volume import Volume
from tests.formats.dicom_files import OBLIQUE, dataset, enhanced, place, save, series

GREY = np.arange(30, dtype=np.uint16).reshape(5, 6) * 10
COLOR = np.random.default_rng(0).integers(0, 255, (8, 10, 3)).astype(np.uint8)


def world(volume: Volume, x: int, y: int, z: int) -> np.ndarray:
    return (volume.affine @ [x, y, z, 1])[:3]


def corners(volume: Volume) -> list[tuple[int, int, int]]:
    z, y, x = volume.size
    return [(0, 0, 0), (x - 1, 0, 0), (0, y - 1, 0), (0, 0, z - 1), (x - 1, y - 1, z - 1)]


def read_one(tmp_path: Path, ds: Dataset) -> Volume:
    return formats.read(save(ds, tmp_path / "one.dcm"))


def sitk_image(folder: Path) -> SimpleITK.Image:
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


@pytest.mark.parametrize("orientation", [[1, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, -1], [-1, 0, 0, 0, 1, 0], OBLIQUE])
def test_simpleitk_sees_the_same_voxels_of_a_series_at_the_same_places(tmp_path: Path, orientation: list[float]) -> None:
    voxels = series(tmp_path / "s", orientation=orientation)
    ours, theirs = formats.read(tmp_path / "s"), sitk_image(tmp_path / "s")
    np.testing.assert_array_equal(ours.array[0], voxels)
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(theirs), voxels)
    for corner in corners(ours):
        lps = np.array(theirs.TransformIndexToPhysicalPoint(corner))
        np.testing.assert_allclose(world(ours, *corner), lps * [-1, -1, 1], atol=1e-4)


def test_places_follow_the_standard_by_plain_arithmetic(tmp_path: Path) -> None:
    series(tmp_path / "s")
    volume = formats.read(tmp_path / "s")
    along, down = np.array(OBLIQUE[:3]), np.array(OBLIQUE[3:])
    lps = (
        np.array([10.0, -20.0, 30.0]) + 3 * 0.25 * along + 2 * 0.5 * down + 1 * 2.0 * np.cross(along, down)
    )  # x = 3, y = 2, z = 1
    np.testing.assert_allclose(world(volume, 3, 2, 1), lps * [-1, -1, 1], atol=1e-6)
    assert volume.spacing_mm == pytest.approx((2.0, 0.5, 0.25))


def test_a_leaning_series_keeps_its_lean(tmp_path: Path) -> None:
    def tilt(z: int, ds: Dataset) -> None:
        ds.ImageOrientationPatient, ds.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0.5 * z, 2.0 * z]

    series(tmp_path / "s", change=tilt)
    np.testing.assert_allclose(world(formats.read(tmp_path / "s"), 0, 0, 2), [0, -1.0, 4.0], atol=1e-9)


def test_one_file_of_a_series_is_just_that_slice_in_its_place(tmp_path: Path) -> None:
    voxels = series(tmp_path / "s")
    one = formats.read(next(path for path in (tmp_path / "s").iterdir() if path.name.endswith("003.dcm")))
    whole = formats.read(tmp_path / "s")
    np.testing.assert_array_equal(one.array[0, 0], voxels[0])
    np.testing.assert_allclose(one.affine, whole.affine, atol=1e-6)


@pytest.mark.parametrize(
    ("facts", "stored", "expected", "dtype"),
    [
        ({}, [0, 7, 4095], [0, 7, 4095], "uint16"),
        ({"RescaleSlope": 1, "RescaleIntercept": -1024}, [0, 1000, 4095], [-1024, -24, 3071], "int16"),
        ({"RescaleSlope": 2, "RescaleIntercept": 0}, [0, 1, 30000], [0, 2, 60000], "int32"),
        ({"RescaleSlope": 0.5, "RescaleIntercept": 1}, [0, 1, 2], [1, 1.5, 2], "float32"),
        ({"PixelPaddingValue": 4000}, [5, 4000, 9], [5, 5, 9], "uint16"),
        ({"PixelPaddingValue": 4000, "PixelPaddingRangeLimit": 4095}, [5, 4090, 9], [5, 5, 9], "uint16"),
        ({"PhotometricInterpretation": "MONOCHROME1", "BitsStored": 12}, [0, 5, 4095], [4095, 4090, 0], "uint16"),
        (
            {"PhotometricInterpretation": "MONOCHROME1", "BitsStored": 12, "PixelPaddingValue": 0},
            [0, 5, 4000],
            [95, 4090, 95],
            "uint16",
        ),
    ],
)
def test_numbers_mean_what_the_header_says(
    tmp_path: Path, facts: dict[str, Any], stored: list[int], expected: list[float], dtype: str
) -> None:
    volume = read_one(tmp_path, dataset(np.array([stored], np.uint16), **facts))
    assert volume.array.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(volume.array[0, 0, 0], expected)


def test_signed_pixels_and_signed_padding(tmp_path: Path) -> None:
    ds = dataset(np.array([[-2000, -1000, 300]], np.int16), PixelPaddingValue=-2000, RescaleSlope=1, RescaleIntercept=10)
    np.testing.assert_array_equal(read_one(tmp_path, ds).array[0, 0, 0], [-990, -990, 310])
    inverted = dataset(np.array([[-128, 0, 127]], np.int8), PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(read_one(tmp_path, inverted).array[0, 0, 0], [127, -1, -128])


def test_slices_with_slopes_of_their_own_are_scaled_each(tmp_path: Path) -> None:
    def scale(z: int, ds: Dataset) -> None:
        ds.RescaleSlope, ds.RescaleIntercept = 0.5 * (z + 1), 0

    voxels = series(tmp_path / "s", change=scale)
    expected = voxels * (0.5 * np.arange(1, 5))[:, None, None]
    np.testing.assert_allclose(formats.read(tmp_path / "s").array[0], expected)


def test_rgb_and_ybr_become_rgb(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_one(tmp_path, dataset(COLOR)).array, np.moveaxis(COLOR, 2, 0)[:, None])
    planar = dataset(COLOR, PlanarConfiguration=1, PixelData=np.moveaxis(COLOR, 2, 0).tobytes())
    np.testing.assert_array_equal(read_one(tmp_path, planar).array, np.moveaxis(COLOR, 2, 0)[:, None])
    ybr = np.asarray(Image.fromarray(COLOR).convert("YCbCr"))
    again = read_one(tmp_path, dataset(ybr, PhotometricInterpretation="YBR_FULL")).array
    assert np.abs(again[:, 0].astype(int) - np.moveaxis(COLOR, 2, 0)).max() <= 3


def test_a_palette_gives_its_colors(tmp_path: Path) -> None:
    ds = dataset(np.array([[0, 1, 2]], np.uint8), PhotometricInterpretation="PALETTE COLOR")
    for number, name in enumerate(("Red", "Green", "Blue")):
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [3, 0, 16])
        setattr(ds, f"{name}PaletteColorLookupTableData", (np.arange(3, dtype="<u2") * 1000 * (number + 1)).tobytes())
    expected = np.arange(3) * 1000 * np.arange(1, 4)[:, None] // 256
    np.testing.assert_array_equal(read_one(tmp_path, ds).array[:, 0, 0], expected)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_lossless_compression_is_unpacked_bit_for_bit(tmp_path: Path, syntax: Any) -> None:
    ds = dataset(GREY.astype(np.uint8))
    if syntax == RLELossless:
        ds.compress(syntax)
    else:
        packed = io.BytesIO()
        Image.fromarray(GREY.astype(np.uint8)).save(packed, format="JPEG2000", no_jp2=True)
        ds.file_meta.TransferSyntaxUID, ds.PixelData = syntax, encapsulate([packed.getvalue()])
        ds["PixelData"].VR = "OB"
    np.testing.assert_array_equal(read_one(tmp_path, ds).array[0, 0], GREY.astype(np.uint8))


def test_a_color_jpeg_inside_keeps_its_colors(tmp_path: Path) -> None:
    flat = np.full((16, 16, 3), (200, 40, 90), np.uint8)
    packed = io.BytesIO()
    Image.fromarray(flat).save(packed, format="JPEG", quality=95)
    ds = dataset(flat, JPEGBaseline8Bit, PhotometricInterpretation="YBR_FULL_422", PixelData=encapsulate([packed.getvalue()]))
    ds["PixelData"].VR = "OB"
    assert np.abs(read_one(tmp_path, ds).array[:, 0, 8, 8].astype(int) - (200, 40, 90)).max() <= 3


def test_frames_of_an_enhanced_file_are_sorted_by_place_and_scaled_each(tmp_path: Path) -> None:
    voxels = np.random.default_rng(1).integers(0, 1000, (4, 6, 5)).astype(np.uint16)
    order, slopes = (2, 0, 3, 1), (0.5, 1.5, 2.5, 3.5)
    volume = read_one(tmp_path, enhanced(voxels, order, slopes))
    by_place = np.array([slopes[order.index(z)] for z in range(4)])
    np.testing.assert_allclose(volume.array[0], voxels * by_place[:, None, None] + 1)
    lps = np.array(place(2, OBLIQUE), float)
    np.testing.assert_allclose(world(volume, 0, 0, 2), lps * [-1, -1, 1], atol=1e-6)
    assert volume.spacing_mm == pytest.approx((2.0, 0.5, 0.25), rel=1e-6)


def test_a_film_without_places_is_read_frame_by_frame(tmp_path: Path) -> None:
    frames = np.random.default_rng(2).integers(0, 255, (3, 4, 5)).astype(np.uint8)
    volume = read_one(tmp_path, dataset(frames, ImagePositionPatient=None, ImageOrientationPatient=None))
    np.testing.assert_array_equal(volume.array[0], frames)


def test_of_several_series_one_is_chosen_by_its_number(tmp_path: Path) -> None:
    first = series(tmp_path / "s", count=3)
    other = generate_uid()

    def renumber(z: int, ds: Dataset) -> None:
        ds.SeriesInstanceUID, ds.SeriesNumber = other, 8

    second = series(tmp_path / "s", count=5, change=renumber, prefix="b")
    with pytest.raises(InputError, match=r"holds 2 series: choose one .* 3 \(3 images\), 8 \(5 images\)"):
        formats.read(tmp_path / "s")
    with pytest.raises(InputError, match="no series number 4"):
        formats.read(tmp_path / "s", series=4)
    np.testing.assert_array_equal(formats.read(tmp_path / "s", series=3).array[0], first)
    np.testing.assert_array_equal(formats.read(tmp_path / "s", series=8).array[0], second)


def test_what_else_lies_in_the_folder_is_passed_over(tmp_path: Path) -> None:
    voxels = series(tmp_path / "s")
    (tmp_path / "s" / "readme.txt").write_text("hello")
    (tmp_path / "s" / ".DS_Store").write_bytes(bytes(10))
    (tmp_path / "s" / "sub").mkdir()
    report = dataset(GREY, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11")
    for tag in ("Rows", "Columns", "PixelData"):
        delattr(report, tag)
    save(report, tmp_path / "s" / "report.dcm")
    np.testing.assert_array_equal(formats.read(tmp_path / "s").array[0], voxels)


def test_files_without_suffix_are_known_by_their_content(tmp_path: Path) -> None:
    voxels = series(tmp_path / "s")
    for number, path in enumerate(sorted((tmp_path / "s").iterdir())):
        path.rename(tmp_path / "s" / f"IM{number}")
    np.testing.assert_array_equal(formats.read(tmp_path / "s").array[0], voxels)
    assert formats.read(tmp_path / "s" / "IM0").size == (1, 6, 5)


def test_a_dicom_slice_can_be_a_mask(tmp_path: Path) -> None:
    mask = np.array([[0, 1, 1], [0, 2, 0]], np.uint8)
    np.testing.assert_array_equal(formats.read_mask(save(dataset(mask), tmp_path / "m.dcm")).array[0, 0], mask)


def test_a_series_is_asked_for_in_dicom_only(tmp_path: Path) -> None:
    Image.fromarray(GREY.astype(np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="chosen in a DICOM folder"):
        formats.read(tmp_path / "a.png", series=2)


def test_odd_values_in_the_header_are_never_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = save(dataset(GREY), tmp_path / "one.dcm")
    path.write_bytes(path.read_bytes().replace(b"1.2.3.4\0", b"Quixote\0").replace(b"15470929", b"Quixote!"))
    with caplog.at_level(logging.DEBUG):
        assert formats.read(path).size == (1, 5, 6)
    assert "Quixote" not in caplog.text
    assert logging.getLogger("pydicom").propagate


@settings(max_examples=25, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-3.1, 3.1)] * 3),
    spacing=st.tuples(*[st.floats(0.2, 8)] * 3),
    origin=st.tuples(*[st.floats(-500, 500)] * 3),
)
def test_any_orientation_gives_the_arithmetic_of_the_standard(
    angles: tuple[float, ...], spacing: tuple[float, ...], origin: tuple[float, ...]
) -> None:
    from medsynth_core.formats.dicom_header import Header
    from medsynth_core.formats.dicom_planes import Plane, arranged

    cos, sin = np.cos(angles), np.sin(angles)
    turn = np.array([[cos[0], -sin[0], 0], [sin[0], cos[0], 0], [0, 0, 1]])
    turn = turn @ np.array([[1, 0, 0], [0, cos[1], -sin[1]], [0, sin[1], cos[1]]])
    normal = np.cross(turn[:, 0], turn[:, 1])
    header = Header(Path("x"), "x", CTImageStorage, JPEGBaseline8Bit, Dataset())
    places = [np.array(origin) + normal * spacing[2] * z for z in (2, 0, 3, 1)]
    planes = [
        Plane(header, i, p, np.concatenate([turn[:, 0], turn[:, 1]]), spacing[:2], 1.0, 1.0, 0.0) for i, p in enumerate(places)
    ]
    ordered, affine = arranged(planes)
    assert [plane.frame for plane in ordered] == [1, 3, 0, 2]
    lps = np.array(origin) + turn[:, 0] * spacing[1] * 5 + turn[:, 1] * spacing[0] * 7 + normal * spacing[2] * 2
    np.testing.assert_allclose((affine @ [5, 7, 2, 1])[:3], lps * [-1, -1, 1], atol=1e-6)
