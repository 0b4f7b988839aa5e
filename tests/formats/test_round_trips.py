"""What is written comes back the same, in its place, and says that it is synthetic."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from medsynth_core import formats
from medsynth_core.errors import FormatError
from medsynth_core.formats.marking import DIGITAL_SOURCE_TYPE
from medsynth_core.volume import Volume

RECIPE: dict[str, Any] = {"engine": "synthesize", "model": "polyp", "seed": 7, "note": "Größe"}
LOSSLESS = [".png", ".bmp", ".tif", ".tiff", ".nii", ".nii.gz", ".ome.zarr", ".zarr"]
OBLIQUE = np.array([[0.8, -0.3, 0.1, -90.5], [0.3, 0.9, -0.2, 126.25], [0.0, 0.2, 3.0, -72.0], [0, 0, 0, 1]])


def picture(channels: int = 1, dtype: str = "uint8", slices: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 200, (channels, slices, 17, 23)).astype(dtype)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("suffix", LOSSLESS)
def test_an_image_comes_back_bit_for_bit(tmp_path: Path, suffix: str, channels: int) -> None:
    path, array = tmp_path / f"out{suffix}", picture(channels)
    formats.write(path, Volume(array), RECIPE)
    again = formats.read(path)
    assert again.array.dtype == np.uint8
    np.testing.assert_array_equal(again.array, array)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_jpeg_comes_back_nearly(tmp_path: Path, channels: int) -> None:
    array = np.full((channels, 1, 24, 24), 90, np.uint8)
    array[:, :, 8:16] = 160
    formats.write(tmp_path / "out.jpg", Volume(array), RECIPE)
    assert np.abs(formats.read(tmp_path / "out.jpg").array.astype(int) - array).max() < 12


@pytest.mark.parametrize("suffix", [".tif", ".nii.gz", ".ome.zarr"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float32"])
def test_slices_and_types_survive(tmp_path: Path, suffix: str, dtype: str) -> None:
    path, array = tmp_path / f"out{suffix}", picture(1, dtype, slices=5)
    formats.write(path, Volume(array), RECIPE)
    again = formats.read(path)
    assert again.array.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(again.array, array)


def test_sixteen_bit_grey_survives_in_png(tmp_path: Path) -> None:
    array = picture(1, "uint16") * 300
    formats.write(tmp_path / "deep.png", Volume(array), RECIPE)
    np.testing.assert_array_equal(formats.read(tmp_path / "deep.png").array, array)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".ome.zarr"])
def test_an_oblique_position_in_space_survives(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    formats.write(path, Volume(picture(), OBLIQUE), RECIPE)
    again = formats.read(path)
    np.testing.assert_allclose(again.affine, OBLIQUE, rtol=1e-6, atol=1e-5)
    assert again.spacing_mm == pytest.approx(Volume(picture(), OBLIQUE).spacing_mm, rel=1e-6)


def test_nifti_to_nifti_keeps_the_affine_bit_for_bit(tmp_path: Path) -> None:
    formats.write(tmp_path / "a.nii.gz", Volume(picture(), OBLIQUE), RECIPE)
    first = formats.read(tmp_path / "a.nii.gz")
    formats.write(tmp_path / "b.nii", first, RECIPE)
    np.testing.assert_array_equal(formats.read(tmp_path / "b.nii").affine, first.affine)


def test_nibabel_sees_the_same_voxel_at_the_same_place(tmp_path: Path) -> None:
    array = picture(slices=4)
    formats.write(tmp_path / "a.nii.gz", Volume(array, OBLIQUE), RECIPE)
    image = nibabel.load(tmp_path / "a.nii.gz")
    assert np.asarray(image.dataobj)[5, 3, 2] == array[0, 2, 3, 5]
    np.testing.assert_allclose(image.affine, OBLIQUE, rtol=1e-6, atol=1e-5)


def test_voxels_of_nibabel_with_slope_are_read_scaled(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4))
    image.header.set_slope_inter(0.5, 10)
    image.to_filename(tmp_path / "scaled.nii")
    expected = np.asarray(nibabel.load(tmp_path / "scaled.nii").dataobj)
    np.testing.assert_allclose(formats.read(tmp_path / "scaled.nii").array[0], expected.T)


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("order", ["<", ">"])
def test_both_nifti_versions_and_byte_orders_are_read(tmp_path: Path, kind: Any, order: str) -> None:
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    header = kind.header_class(endianness=order)
    header.set_data_dtype(np.dtype("i2").newbyteorder(order))
    kind(array, np.eye(4), header).to_filename(tmp_path / "x.nii")
    np.testing.assert_array_equal(formats.read(tmp_path / "x.nii").array[0], array.T)


def test_nifti_says_it_is_synthetic(tmp_path: Path) -> None:
    formats.write(tmp_path / "a.nii", Volume(picture()), RECIPE)
    header = nibabel.load(tmp_path / "a.nii").header
    assert b"Synthetic" in bytes(header["descrip"])
    (extension,) = header.extensions
    assert extension.get_code() == 6
    content = extension.get_content()
    assert json.loads(content)["synthetic"] is True
    assert json.loads(content)["seed"] == 7


def test_png_says_it_is_synthetic(tmp_path: Path) -> None:
    formats.write(tmp_path / "a.png", Volume(picture()), RECIPE)
    with Image.open(tmp_path / "a.png") as image:
        assert json.loads(image.text["medsynth"]) == {**RECIPE, "synthetic": True}
        assert DIGITAL_SOURCE_TYPE in image.text["XML:com.adobe.xmp"]


def test_jpeg_says_it_is_synthetic(tmp_path: Path) -> None:
    formats.write(tmp_path / "a.jpg", Volume(picture(3)), RECIPE)
    with Image.open(tmp_path / "a.jpg") as image:
        assert json.loads(image.info["comment"])["synthetic"] is True
        assert DIGITAL_SOURCE_TYPE.encode() in image.info["xmp"]


def test_tiff_says_it_is_synthetic(tmp_path: Path) -> None:
    formats.write(tmp_path / "a.tif", Volume(picture(slices=3)), RECIPE)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert json.loads(file.pages[0].description)["synthetic"] is True
        assert DIGITAL_SOURCE_TYPE.encode() in bytes(file.pages[0].tags[700].value)


def test_ome_zarr_says_it_is_synthetic_and_is_valid_05(tmp_path: Path) -> None:
    formats.write(tmp_path / "a.ome.zarr", Volume(picture(), OBLIQUE), RECIPE)
    attributes = dict(zarr.open_group(tmp_path / "a.ome.zarr", mode="r").attrs)
    assert attributes["medsynth"]["synthetic"] is True
    assert attributes["ome"]["version"] == "0.5"
    (scales,) = attributes["ome"]["multiscales"]
    assert [axis["name"] for axis in scales["axes"]] == ["c", "z", "y", "x"]


def test_a_bmp_keeps_its_recipe_beside_it(tmp_path: Path) -> None:
    beside = formats.write(tmp_path / "a.bmp", Volume(picture()), RECIPE)
    assert beside == tmp_path / "a.bmp.json"
    assert json.loads(beside.read_text())["synthetic"] is True


def test_nothing_but_the_file_is_left_in_the_folder(tmp_path: Path) -> None:
    for suffix in (".png", ".tif", ".nii.gz", ".ome.zarr"):
        formats.write(tmp_path / f"a{suffix}", Volume(picture()), RECIPE)
        formats.write(tmp_path / f"a{suffix}", Volume(picture(seed=1)), RECIPE)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.nii.gz", "a.ome.zarr", "a.png", "a.tif"]
    np.testing.assert_array_equal(formats.read(tmp_path / "a.ome.zarr").array, picture(seed=1))


@pytest.mark.parametrize("suffix", [".png", ".nii.gz"])
def test_the_same_image_gives_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    for name in "ab":
        formats.write(tmp_path / f"{name}{suffix}", Volume(picture()), RECIPE)
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp"])
def test_flat_formats_refuse_what_they_cannot_hold(tmp_path: Path, name: str) -> None:
    with pytest.raises(FormatError, match=r"save as \.tif"):
        formats.write(tmp_path / name, Volume(picture(1, "float32")), RECIPE)
    assert not list(tmp_path.iterdir())


@settings(max_examples=30, deadline=None)
@given(array=hnp.arrays(np.uint8, st.tuples(st.sampled_from([1, 3]), st.integers(1, 4), st.integers(1, 9), st.integers(1, 9))))
def test_any_small_volume_survives_tiff_and_nifti(tmp_path_factory: pytest.TempPathFactory, array: np.ndarray) -> None:
    folder = tmp_path_factory.mktemp("any")
    for suffix in (".tif", ".nii"):
        formats.write(folder / f"a{suffix}", Volume(array), RECIPE)
        np.testing.assert_array_equal(formats.read(folder / f"a{suffix}").array, array)
