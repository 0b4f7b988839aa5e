"""A mask goes back as it came: grid, value coding, header; and what was derived is marked as derived."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from medsynth_core import formats
from medsynth_core.errors import FormatError, InputError, ShapeError
from medsynth_core.formats import Scan
from medsynth_core.formats.marking import DIGITAL_SOURCE_TYPE, ENHANCED_SOURCE_TYPE
from medsynth_core.volume import Volume
from tests.formats.dicom_files import dataset, save, series

RECIPE: dict[str, Any] = {"engine": "refine", "seed": 3, "synthetic": False}
OBLIQUE = np.array([[0.8, -0.3, 0.1, -90.5], [0.3, 0.9, -0.2, 126.25], [0.0, 0.2, 3.0, -72.0], [0, 0, 0, 1]])
FLAT = np.zeros((7, 9), np.uint8)
FLAT[2:5, 3:6] = 1
FLAT[5, 1] = 2


def refined(mask: Volume) -> Volume:
    """A result on the same grid with the same values, but not the same."""
    return mask.with_array(np.flip(mask.array, axis=3).copy())


def there_and_back(path: Path, name: str = "", names: dict[int, str] | None = None) -> Path:
    out = path.with_name(name or "out" + formats.suffix(path))
    mask = formats.read_mask(path)
    formats.write_mask(out, refined(mask), RECIPE, like=path, names=names)
    np.testing.assert_array_equal(formats.read_mask(out).array, refined(mask).array)
    return out


def paletted() -> Image.Image:
    image = Image.frombytes("P", (9, 7), FLAT.tobytes())
    image.putpalette([0, 0, 0, 200, 10, 20, 30, 40, 250])
    return image


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_a_picture_keeps_its_pixel_mode(tmp_path: Path, suffix: str, mode: str) -> None:
    image = {
        "1": Image.fromarray(FLAT == 1),
        "L": Image.fromarray((FLAT == 1) * np.uint8(255)),
        "P": paletted(),
        "RGB": Image.fromarray((FLAT == 1) * np.uint8(255)).convert("RGB"),
    }[mode]
    image.save(tmp_path / f"m{suffix}")
    out = there_and_back(tmp_path / f"m{suffix}")
    with Image.open(out) as again, Image.open(tmp_path / f"m{suffix}") as before:
        assert again.mode == before.mode
        np.testing.assert_array_equal(np.asarray(again), np.flip(np.asarray(before), axis=1))
        if mode == "P":
            assert again.getpalette()[:9] == [0, 0, 0, 200, 10, 20, 30, 40, 250]


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_an_opaque_channel_stays(tmp_path: Path, mode: str) -> None:
    Image.fromarray(FLAT).convert(mode).save(tmp_path / "m.png")
    with Image.open(there_and_back(tmp_path / "m.png")) as again:
        assert again.mode == mode
        assert again.getchannel("A").getextrema() == (255, 255)


def test_a_palette_keeps_its_transparent_entry(tmp_path: Path) -> None:
    paletted().save(tmp_path / "m.png", transparency=0)
    with Image.open(there_and_back(tmp_path / "m.png")) as again:
        assert again.info["transparency"] == 0


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bit_instances_stay_sixteen_bit(tmp_path: Path, suffix: str) -> None:
    array = FLAT.astype(np.uint16)[None, None] * 300
    formats.write(tmp_path / f"m{suffix}", Volume(array), {})
    assert formats.read_mask(there_and_back(tmp_path / f"m{suffix}")).array.dtype == np.uint16
    formats.write(tmp_path / f"n{suffix}", Volume(FLAT.astype(np.uint16)[None, None]), {})  # small numbers, too
    assert formats.read_mask(there_and_back(tmp_path / f"n{suffix}")).array.dtype == np.uint16


def test_a_tiff_keeps_pages_resolution_and_signed_or_wide_numbers(tmp_path: Path) -> None:
    for dtype in (np.uint8, np.int16, np.uint32):
        pages = np.stack([FLAT, FLAT * 2]).astype(dtype)
        options: dict[str, Any] = {"resolution": (50, 25), "resolutionunit": "CENTIMETER"}
        tifffile.imwrite(tmp_path / "m.tif", pages, photometric="minisblack", metadata=None, **options)
        with tifffile.TiffFile(there_and_back(tmp_path / "m.tif")) as file:
            assert len(file.pages) == 2
            assert file.pages[0].dtype == dtype
            assert file.pages[0].get_resolution() == (50, 25)
            assert file.pages[0].resolutionunit == tifffile.RESUNIT.CENTIMETER


def nifti(path: Path, array: np.ndarray, affine: np.ndarray = OBLIQUE, kind: Any = nibabel.Nifti1Image, **fields: Any) -> Path:
    image = kind(array, affine)
    image.set_sform(affine, fields.pop("sform", 2))
    image.set_qform(affine, fields.pop("qform", 1))
    image.header.set_xyzt_units(*fields.pop("units", ("mm", "sec")))
    for name, value in fields.items():
        image.header[name] = value
    image.to_filename(path)
    return path


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_nifti_keeps_codes_units_type_and_axes(tmp_path: Path, suffix: str, kind: Any) -> None:
    array = np.stack([FLAT, FLAT * 2], -1).astype(np.int16)[..., None]  # (x, y, z, 1)
    path = nifti(tmp_path / f"m{suffix}", array, kind=kind, sform=4, qform=3, units=("micron", "msec"), aux_file=b"Quixote")
    before, after = nibabel.load(path), nibabel.load(there_and_back(path))
    assert type(after) is type(before)
    for name in (
        "sform_code",
        "qform_code",
        "xyzt_units",
        "datatype",
        "dim",
        "pixdim",
        "srow_x",
        "srow_y",
        "quatern_b",
        "qoffset_x",
    ):
        np.testing.assert_array_equal(after.header[name], before.header[name], err_msg=name)
    np.testing.assert_array_equal(after.affine, before.affine)
    assert b"check before use" in bytes(after.header["descrip"])
    assert b"Quixote" not in bytes(after.header.binaryblock)


def test_a_big_endian_nifti_and_one_with_slope_keep_their_values(tmp_path: Path) -> None:
    array = np.stack([FLAT, FLAT * 2], -1)
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_dtype(np.dtype(">i2"))
    nibabel.Nifti1Image(array.astype(">i2"), OBLIQUE, header).to_filename(tmp_path / "big.nii")
    there_and_back(tmp_path / "big.nii")
    scaled = nibabel.Nifti1Image(array.astype(np.int16), OBLIQUE)
    scaled.header.set_slope_inter(2, 1)
    scaled.to_filename(tmp_path / "scaled.nii")
    there_and_back(tmp_path / "scaled.nii")


@pytest.mark.parametrize("dtype", [np.bool_, np.int64, np.uint64])
def test_types_that_nifti_readers_refuse_are_written_as_ones_they_take(tmp_path: Path, dtype: Any) -> None:
    formats.write_mask(tmp_path / "m.nii.gz", Volume((FLAT == 1).astype(dtype)[None, None], OBLIQUE), RECIPE)
    assert nibabel.load(tmp_path / "m.nii.gz").get_data_dtype() == np.uint8
    np.testing.assert_array_equal(formats.read_mask(tmp_path / "m.nii.gz").array[0, 0], FLAT == 1)


def test_an_ome_zarr_is_a_label_image_with_its_scale(tmp_path: Path) -> None:
    formats.write(tmp_path / "m.ome.zarr", Volume(FLAT[None, None], OBLIQUE), {})
    out = there_and_back(tmp_path / "m.ome.zarr", names={1: "polyp"})
    ome = dict(zarr.open_group(out, mode="r").attrs)["ome"]
    assert ome["image-label"]["properties"] == [{"label-value": 1, "name": "polyp"}, {"label-value": 2, "name": "label 2"}]
    scale = ome["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"]
    assert scale[1:] == pytest.approx(Volume(FLAT[None, None], OBLIQUE).spacing_mm)
    np.testing.assert_allclose(formats.read_mask(out).affine, OBLIQUE)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".nii.gz", ".ome.zarr"])
def test_without_a_mask_to_be_like_the_labels_are_written_as_they_are(tmp_path: Path, suffix: str) -> None:
    formats.write_mask(tmp_path / f"out{suffix}", Volume(FLAT[None, None]), RECIPE)
    np.testing.assert_array_equal(formats.read_mask(tmp_path / f"out{suffix}").array[0, 0], FLAT)


@pytest.mark.parametrize(("first", "second"), itertools.permutations([".png", ".tif", ".nii.gz", ".ome.zarr"], 2))
def test_another_format_keeps_the_values(tmp_path: Path, first: str, second: str) -> None:
    formats.write(tmp_path / f"m{first}", Volume((FLAT == 1)[None, None] * np.uint8(255)), {})
    out = there_and_back(tmp_path / f"m{first}", name=f"other{second}")
    assert set(np.unique(formats.read_mask(out).array)) == {0, 255}


def test_no_mask_is_written_as_jpeg(tmp_path: Path) -> None:
    for call in (formats.check_mask_output, lambda path: formats.write_mask(path, Volume(FLAT[None, None]), RECIPE)):
        with pytest.raises(FormatError, match=r"JPEG blurs .*save as \.png"):
            call(tmp_path / "out.jpg")
    Image.fromarray((FLAT == 1) * np.uint8(255)).resize((90, 70), 0).save(tmp_path / "m.jpg", quality=95)
    there_and_back(tmp_path / "m.jpg", name="out.png")


def test_outputs_that_cannot_be_are_refused_before_the_work(tmp_path: Path) -> None:
    Image.fromarray(FLAT).save(tmp_path / "a.png")
    with pytest.raises(FormatError, match="needs the DICOM images"):
        formats.check_mask_output(tmp_path / "out.dcm", Scan(tmp_path / "a.png"))
    with pytest.raises(InputError, match="does not exist"):
        formats.check_mask_output(tmp_path / "none" / "out.png")
    with pytest.raises(FormatError, match="only segmentations are"):
        formats.check_output(tmp_path / "out.dcm")
    with pytest.raises(FormatError, match="only segmentations are"):
        formats.write(tmp_path / "out.dcm", Volume(FLAT[None, None]), RECIPE)
    series(tmp_path / "s")
    formats.check_mask_output(tmp_path / "out.dcm", Scan(tmp_path / "s"))


@pytest.mark.parametrize(("array", "name"), [(FLAT.astype(np.int16) - 1, "a.png"), (FLAT.astype(np.uint16) * 300, "a.bmp")])
def test_labels_a_picture_cannot_hold_are_refused(tmp_path: Path, array: np.ndarray, name: str) -> None:
    with pytest.raises(FormatError, match=r"save as \.tif"):
        formats.write_mask(tmp_path / name, Volume(array[None, None]), RECIPE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".png", ".ome.zarr", ".nii", ".tif"])
def test_labels_kept_as_real_numbers_are_labels_if_they_are_whole(tmp_path: Path, suffix: str) -> None:
    formats.write_mask(tmp_path / f"out{suffix}", Volume(FLAT[None, None].astype(np.float32)), RECIPE)
    np.testing.assert_array_equal(formats.read_mask(tmp_path / f"out{suffix}").array[0, 0], FLAT)
    if suffix in (".png", ".ome.zarr"):
        with pytest.raises(InputError, match="fractions"):
            formats.write_mask(tmp_path / f"half{suffix}", Volume(FLAT[None, None] * 0.5), RECIPE)


def orientations() -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    return [(axes, signs) for axes in itertools.permutations(range(3)) for signs in itertools.product((1, -1), repeat=3)]


@pytest.mark.parametrize(("axes", "signs"), orientations()[::5])
def test_a_mask_turned_otherwise_is_paired_and_goes_back_as_it_came(
    tmp_path: Path, axes: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    array = np.random.default_rng(0).integers(0, 3, (4, 5, 6)).astype(np.uint8)  # (x, y, z)
    nifti(tmp_path / "image.nii.gz", array)
    orientation = np.array(list(zip(axes, signs, strict=True)))
    turned = nibabel.Nifti1Image(array, OBLIQUE).as_reoriented(orientation)
    nifti(tmp_path / "mask.nii.gz", np.asarray(turned.dataobj), turned.affine)
    image, mask = formats.read_pair(tmp_path / "image.nii.gz", tmp_path / "mask.nii.gz")
    np.testing.assert_array_equal(mask.array, image.array)
    np.testing.assert_array_equal(mask.affine, image.affine)
    formats.write_mask(tmp_path / "out.nii.gz", mask, RECIPE, like=tmp_path / "mask.nii.gz")
    out = nibabel.load(tmp_path / "out.nii.gz")
    np.testing.assert_array_equal(np.asarray(out.dataobj), np.asarray(turned.dataobj))
    np.testing.assert_allclose(out.affine, turned.affine, atol=1e-5)


def test_a_nifti_mask_of_a_dicom_series_is_paired_by_place(tmp_path: Path) -> None:
    series(tmp_path / "s")
    image = formats.read(tmp_path / "s")
    labels = np.random.default_rng(0).integers(0, 3, image.array.shape).astype(np.uint8)
    as_nifti = nibabel.Nifti1Image(labels[0].T, image.affine)
    flipped = as_nifti.as_reoriented(np.array([[0, -1], [1, -1], [2, 1]]))  # as converters write it
    nifti(tmp_path / "mask.nii.gz", np.asarray(flipped.dataobj), flipped.affine)
    _, mask = formats.read_pair(tmp_path / "s", tmp_path / "mask.nii.gz")
    np.testing.assert_array_equal(mask.array, labels)


def test_a_picture_mask_takes_the_place_of_its_image(tmp_path: Path) -> None:
    save(dataset(np.zeros((7, 9), np.uint16)), tmp_path / "a.dcm")
    Image.fromarray(FLAT).save(tmp_path / "m.png")
    image, mask = formats.read_pair(tmp_path / "a.dcm", tmp_path / "m.png")
    np.testing.assert_array_equal(mask.affine, image.affine)
    formats.write_mask(tmp_path / "out.png", mask, RECIPE, like=tmp_path / "m.png")
    np.testing.assert_array_equal(formats.read_mask(tmp_path / "out.png").array[0, 0], FLAT)


def test_a_nifti_that_says_no_place_counts_by_its_size(tmp_path: Path) -> None:
    array = np.zeros((4, 5, 6), np.uint8)
    nifti(tmp_path / "image.nii", array)
    nifti(tmp_path / "mask.nii", array, np.eye(4), sform=0, qform=0)
    image, mask = formats.read_pair(tmp_path / "image.nii", tmp_path / "mask.nii")
    np.testing.assert_array_equal(mask.affine, image.affine)
    formats.write_mask(tmp_path / "out.nii", mask, RECIPE, like=tmp_path / "mask.nii")
    assert nibabel.load(tmp_path / "out.nii").header["sform_code"] == 0


@pytest.mark.parametrize(
    ("shape", "shift", "words"),
    [
        ((4, 5, 7), 0.0, r"mask is \(7, 5, 4\), image \(6, 5, 4\)"),
        ((4, 5, 6), 1.0, "different places"),
        ((5, 4, 6), 0.0, "places|mask is"),
    ],
)
def test_a_mask_of_another_grid_is_refused_with_the_way_out(
    tmp_path: Path, shape: tuple[int, ...], shift: float, words: str
) -> None:
    moved = OBLIQUE.copy()
    moved[0, 3] += shift
    nifti(tmp_path / "image.nii", np.zeros((4, 5, 6), np.uint8))
    nifti(tmp_path / "mask.nii", np.zeros(shape, np.uint8), moved)
    with pytest.raises(ShapeError, match=f"({words}).*resample"):
        formats.read_pair(tmp_path / "image.nii", tmp_path / "mask.nii")
    Image.fromarray(FLAT).save(tmp_path / "m.png")
    with pytest.raises(ShapeError, match="resample"):
        formats.read_pair(tmp_path / "image.nii", tmp_path / "m.png")


def marks(path: Path) -> tuple[str, dict[str, Any]]:
    """Return (all the words a file has for its origin, its recipe)."""
    if path.suffix == ".png":
        with Image.open(path) as image:
            return image.text["Description"] + image.text["XML:com.adobe.xmp"], json.loads(image.text["medsynth"])
    if path.suffix == ".jpg":
        with Image.open(path) as image:
            return image.info["xmp"].decode(), json.loads(image.info["comment"])
    if path.suffix == ".tif":
        with tifffile.TiffFile(path) as file:
            return bytes(file.pages[0].tags[700].value).decode(), json.loads(file.pages[0].description)
    if path.suffix == ".nii":
        header = nibabel.load(path).header
        return bytes(header["descrip"]).decode(), json.loads(header.extensions[0].get_content())
    attributes = dict(zarr.open_group(path, mode="r").attrs)["medsynth"]
    return attributes["digital_source_type"], attributes


@pytest.mark.parametrize("suffix", [".png", ".tif", ".nii", ".ome.zarr"])
def test_a_refined_mask_is_marked_as_an_algorithms_output(tmp_path: Path, suffix: str) -> None:
    formats.write_mask(tmp_path / f"a{suffix}", Volume(FLAT[None, None]), RECIPE)
    words, recipe = marks(tmp_path / f"a{suffix}")
    assert recipe["synthetic"] is False
    assert recipe["seed"] == 3
    assert DIGITAL_SOURCE_TYPE not in words
    assert "ynthetic" not in words
    assert ENHANCED_SOURCE_TYPE in words or "Refined by an algorithm" in words


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".nii", ".ome.zarr"])
@pytest.mark.parametrize("recipe", [{}, {"synthetic": True}, {"synthetic": None}, {"synthetic": 0}])
def test_only_an_explicit_no_makes_an_image_not_synthetic(tmp_path: Path, suffix: str, recipe: dict[str, Any]) -> None:
    formats.write(tmp_path / f"a{suffix}", Volume(FLAT[None, None]), recipe)
    words, kept = marks(tmp_path / f"a{suffix}")
    assert kept["synthetic"] is True
    assert DIGITAL_SOURCE_TYPE in words or "Synthetic" in words


def test_a_derived_jpeg_is_marked_as_derived(tmp_path: Path) -> None:
    formats.write(tmp_path / "a.jpg", Volume(FLAT[None, None]), RECIPE)
    words, kept = marks(tmp_path / "a.jpg")
    assert ENHANCED_SOURCE_TYPE in words
    assert kept["synthetic"] is False


def test_a_bmp_mask_keeps_its_recipe_beside_it(tmp_path: Path) -> None:
    beside = formats.write_mask(tmp_path / "a.bmp", Volume(FLAT[None, None]), RECIPE)
    assert json.loads(beside.read_text())["synthetic"] is False
