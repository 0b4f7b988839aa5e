"""A synthetic volume as a DICOM series: where its slices lie, what it says of itself, and what it cannot hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom.uid import CTImageStorage, MRImageStorage

from medsynth_core import formats
from medsynth_core.errors import FormatError
from medsynth_core.formats import dicom_series
from medsynth_core.volume import Volume
from tests.formats.dicom_files import series

TURNED = np.array([[0.0, -0.6, 1.6, 11.5], [-0.9, 0.0, 0.0, -7.25], [0.0, 0.8, 1.2, 40.0], [0, 0, 0, 1.0]])
"""Axes at right angles, turned about x, spacing (x, y, z) 0.9, 1, 2 mm."""
GRIDS = {
    "LPS": np.diag([-1.875, -1.875, 2.5, 1.0]),
    "RAS": np.diag([0.5, 0.7, 3.0, 1.0]),
    "upside down": np.diag([-1.0, -1.0, -2.0, 1.0]),
    "turned": TURNED,
}
RECIPE = {"engine": "tumor", "seed": 4, "synthetic": True}


def volume(affine: np.ndarray = GRIDS["LPS"], dtype: str = "int16") -> Volume:
    low = -500 if dtype == "int16" else 0
    voxels = np.random.default_rng(0).integers(low, 250, (1, 4, 5, 7)).astype(dtype)
    return Volume(voxels, affine)


def in_world(given: Volume) -> dict[tuple[float, ...], int]:
    """Every voxel's value by its place in the world."""
    index = np.argwhere(np.ones(given.size))
    places = np.c_[index[:, ::-1], np.ones(len(index))] @ given.affine.T
    return {tuple(np.round(place[:3], 3) + 0.0): int(v) for place, v in zip(places, given.array.ravel(), strict=True)}


@pytest.mark.parametrize("dtype", dicom_series.DTYPES)
@pytest.mark.parametrize("grid", list(GRIDS))
def test_every_voxel_comes_back_where_it_was(tmp_path: Path, grid: str, dtype: str) -> None:
    made = volume(GRIDS[grid], dtype)
    formats.write_series(tmp_path / "s", made, RECIPE)
    assert in_world(formats.read(tmp_path / "s")) == in_world(made)


def test_another_reader_sees_the_same_places(tmp_path: Path) -> None:
    made = volume(TURNED)
    formats.write_series(tmp_path / "s", made, RECIPE)
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path / "s")))
    image = reader.Execute()
    index = (3, 2, 1)  # x, y, z
    place = np.array(image.TransformIndexToPhysicalPoint(index)) * [-1, -1, 1]
    assert in_world(made)[tuple(np.round(place, 3) + 0.0)] == image.GetPixel(index)
    assert image.GetSpacing() == pytest.approx((0.9, 1.0, 2.0))


def test_it_says_what_it_is_and_names_no_patient(tmp_path: Path) -> None:
    formats.write_series(tmp_path / "s", volume(), RECIPE)
    slices = [pydicom.dcmread(path) for path in sorted((tmp_path / "s").iterdir())]
    assert len({ds.SOPInstanceUID for ds in slices}) == len(slices) == 4
    assert len({(ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID) for ds in slices}) == 1
    for ds in slices:
        assert (ds.SyntheticData, ds.SOPClassUID, ds.Modality) == ("YES", MRImageStorage, "MR")
        assert ds.PatientID.startswith("SYNTHETIC-")
        assert ds.BitsAllocated == 16
        assert '"seed": 4' in ds.ContributingEquipmentSequence[0].ContributionDescription


def test_other_recipes_make_other_series_and_the_same_makes_the_same(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        formats.write_series(tmp_path / name, volume(), RECIPE | {"seed": seed})
    a, b, c = (pydicom.dcmread(tmp_path / name / "0001.dcm") for name in "abc")
    assert a == b
    for tag in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "PatientID"):
        assert a[tag].value != c[tag].value


def test_it_is_ct_where_the_background_is_ct(tmp_path: Path) -> None:
    series(tmp_path / "scan", 4)
    formats.write_series(tmp_path / "s", volume(), RECIPE, formats.Scan(tmp_path / "scan"))
    made = pydicom.dcmread(tmp_path / "s" / "0001.dcm")
    assert (made.SOPClassUID, made.Modality, made.RescaleType) == (CTImageStorage, "CT", "HU")
    np.testing.assert_array_equal(formats.read(tmp_path / "s").array, volume().array)


def leaning() -> np.ndarray:
    affine = np.eye(4)
    affine[0, 2] = 0.1
    return affine


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (volume(dtype="float32"), "float32: a DICOM series holds"),
        (volume(dtype="int32"), "int32"),
        (volume(leaning()), "not at right angles"),
        (Volume(np.zeros((3, 2, 4, 4), np.uint8)), "3 channels"),
    ],
)
def test_what_a_series_cannot_hold_is_refused_and_leaves_nothing(tmp_path: Path, given: Volume, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        formats.write_series(tmp_path / "s", given, RECIPE)
    assert list(tmp_path.glob("s*")) == []


def test_a_series_is_replaced_whole(tmp_path: Path) -> None:
    formats.write_series(tmp_path / "s", volume(), RECIPE)
    short = Volume(volume().array[:, :2], volume().affine)
    formats.write_series(tmp_path / "s", short, RECIPE)
    assert len(list((tmp_path / "s").iterdir())) == 2
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == ["s"]


@pytest.mark.parametrize(("synthetic", "mark"), [(True, "YES"), (False, None)])
def test_a_segmentation_is_marked_as_synthetic_where_it_is(tmp_path: Path, synthetic: bool, mark: str | None) -> None:
    formats.write_series(tmp_path / "s", volume(), RECIPE)
    mask = Volume((volume().array > 0).astype(np.uint8), volume().affine)
    formats.write_mask(tmp_path / "m.dcm", mask, {"synthetic": synthetic}, source=formats.Scan(tmp_path / "s"))
    assert pydicom.dcmread(tmp_path / "m.dcm").get("SyntheticData") == mark
