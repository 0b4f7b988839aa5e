"""DICOM in, DICOM SEG out: other readers find the labels where the images are, and no patient."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

import medsynth_core
from medsynth_core import formats
from medsynth_core.errors import FormatError, InputError, ShapeError
from medsynth_core.formats import Scan
from medsynth_core.volume import Volume, affine_from_spacing
from tests.formats.dicom_files import OBLIQUE, dataset, enhanced, place, save, series

RECIPE: dict[str, Any] = {"engine": "refine", "model": "refiner", "seed": 3, "inputs": {"mask": "ab"}, "synthetic": False}
NAMES = {2: "tumor", 7: "edema"}
PATIENT_WORDS = (b"Quixote", b"LAMANCHA", b"15470929", b"Panza", b"WINDMILL", b"GIANT", b"Puerto", b"Rocinante", b"20200102")


def labels(like: Volume) -> Volume:
    array = np.zeros((1, *like.size), np.uint8)
    array[0, 1, 1:4, 2:5] = 2
    array[0, 2, 0:2, 0:3] = 7
    return like.with_array(array)


def written(tmp_path: Path, **options: Any) -> tuple[Path, Volume]:
    mask = labels(formats.read(tmp_path / "s"))
    formats.write_mask(tmp_path / "out.dcm", mask, RECIPE, source=Scan(tmp_path / "s", **options), names=NAMES)
    return tmp_path / "out.dcm", mask


def by_instance(path: Path) -> dict[tuple[str, int], np.ndarray]:
    """Return the pixels of each stored frame under (the instance it is drawn on, its segment), by plain pydicom."""
    ds = pydicom.dcmread(path)
    frames = ds.pixel_array.reshape(-1, ds.Rows, ds.Columns)
    found = {}
    for pixels, item in zip(frames, ds.PerFrameFunctionalGroupsSequence, strict=True):
        source = item.DerivationImageSequence[0].SourceImageSequence[0]
        found[source.ReferencedSOPInstanceUID, item.SegmentIdentificationSequence[0].ReferencedSegmentNumber] = pixels
    return found


@pytest.mark.parametrize("orientation", [OBLIQUE, [1, 0, 0, 0, 1, 0], [-1, 0, 0, 0, 1, 0]])
def test_each_frame_lies_on_the_instance_it_was_drawn_on(tmp_path: Path, orientation: list[float]) -> None:
    voxels = series(tmp_path / "s", orientation=orientation)
    path, mask = written(tmp_path)
    frames = by_instance(path)
    assert len(frames) == 2
    for source in (pydicom.dcmread(file) for file in (tmp_path / "s").iterdir()):
        z = int(np.flatnonzero((voxels == source.pixel_array).all(axis=(1, 2)))[0])
        for number, value in enumerate((2, 7), 1):
            expected = mask.array[0, z] == value
            np.testing.assert_array_equal(frames.get((source.SOPInstanceUID, number), expected * 0), expected)


def test_highdicom_reads_the_labels_back_at_the_place_of_the_voxels(tmp_path: Path) -> None:
    series(tmp_path / "s")
    path, mask = written(tmp_path)
    volume = highdicom.seg.segread(path).get_volume(combine_segments=True)
    assert sorted(np.unique(volume.array)) == [0, 1, 2]
    for value, number in ((2, 1), (7, 2)):
        ours = np.argwhere(mask.array[0] == value)  # (n, 3) of z, y, x
        theirs = np.argwhere(volume.array == number)
        ras = (np.c_[ours[:, ::-1], np.ones(len(ours))] @ mask.affine.T)[:, :3]
        lps = (np.c_[theirs, np.ones(len(theirs))] @ volume.affine.T)[:, :3]
        np.testing.assert_allclose(sorted((ras * [-1, -1, 1]).round(4).tolist()), sorted(lps.round(4).tolist()), atol=1e-3)


def test_simpleitk_puts_the_segmentation_where_we_do(tmp_path: Path) -> None:
    series(tmp_path / "s")
    path, mask = written(tmp_path)
    ds = pydicom.dcmread(path)
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path / "s")))
    image = reader.Execute()
    for item in ds.PerFrameFunctionalGroupsSequence:
        position = [float(v) for v in item.PlanePositionSequence[0].ImagePositionPatient]
        z = image.TransformPhysicalPointToIndex(position)[2]
        assert (mask.array[0, z] > 0).any()
        np.testing.assert_allclose(image.TransformIndexToPhysicalPoint((0, 0, z)), position, atol=1e-4)


def test_it_names_segments_algorithm_and_itself(tmp_path: Path) -> None:
    series(tmp_path / "s")
    ds = pydicom.dcmread(written(tmp_path)[0])
    first, second = ds.SegmentSequence
    assert (first.SegmentLabel, second.SegmentLabel) == ("tumor", "edema")
    assert (first.TrackingID, second.TrackingID) == ("label 2", "label 7")
    assert first.SegmentAlgorithmType == "SEMIAUTOMATIC"
    (algorithm,) = first.SegmentationAlgorithmIdentificationSequence
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("MedSynth", medsynth_core.__version__)
    assert '"seed": 3' in algorithm.AlgorithmParameters
    assert "check before use" in ds.ContentDescription
    assert "synthetic" not in ds.ContentDescription.lower()


def test_without_a_painted_mask_it_is_automatic_and_a_lone_label_takes_the_lone_name(tmp_path: Path) -> None:
    series(tmp_path / "s")
    mask = formats.read(tmp_path / "s")
    mask = mask.with_array((labels(mask).array > 0) * np.uint8(255))
    recipe = {**RECIPE, "inputs": {"image": "ab"}}
    formats.write_mask(tmp_path / "out.dcm", mask, recipe, source=Scan(tmp_path / "s"), names={1: "polyp"})
    (segment,) = pydicom.dcmread(tmp_path / "out.dcm").SegmentSequence
    assert (segment.SegmentAlgorithmType, segment.SegmentLabel, segment.TrackingID) == ("AUTOMATIC", "polyp", "label 255")


def test_nothing_of_the_patient_is_copied_but_the_references_are(tmp_path: Path) -> None:
    series(tmp_path / "s")
    path, _ = written(tmp_path)
    assert not [word for word in PATIENT_WORDS if word in path.read_bytes()]
    ds = pydicom.dcmread(path)
    assert ds.PatientIdentityRemoved == "YES"
    assert (ds.StudyInstanceUID, ds.FrameOfReferenceUID) == ("1.2.3", "1.2.3.5")
    assert ds.ReferencedSeriesSequence[0].SeriesInstanceUID == "1.2.3.4"
    assert ds.SeriesInstanceUID != "1.2.3.4"


def test_identity_is_kept_only_when_asked_for(tmp_path: Path) -> None:
    series(tmp_path / "s")
    path, _ = written(tmp_path, keep_identity=True)
    ds = pydicom.dcmread(path)
    assert (ds.PatientName, ds.PatientID, ds.StudyDate) == ("Quixote^Alonso", "LAMANCHA-1605", "20200102")
    assert "PatientIdentityRemoved" not in ds
    assert b"Rocinante" not in path.read_bytes()


def test_names_in_other_alphabets_are_kept_whole(tmp_path: Path) -> None:
    def rename(z: int, ds: Dataset) -> None:
        ds.SpecificCharacterSet, ds.PatientName = "ISO_IR 192", "Cervantès^Día"

    series(tmp_path / "s", change=rename)
    assert pydicom.dcmread(written(tmp_path, keep_identity=True)[0]).PatientName == "Cervantès^Día"


def test_an_enhanced_file_gets_its_segments_on_the_right_frames(tmp_path: Path) -> None:
    voxels = np.random.default_rng(0).integers(0, 99, (4, 6, 5)).astype(np.uint16)
    order = (2, 0, 3, 1)
    save(enhanced(voxels, order), tmp_path / "e.dcm")
    mask = labels(formats.read(tmp_path / "e.dcm"))
    formats.write_mask(tmp_path / "out.dcm", mask, RECIPE, source=Scan(tmp_path / "e.dcm"))
    ds = pydicom.dcmread(tmp_path / "out.dcm")
    for pixels, item in zip(ds.pixel_array, ds.PerFrameFunctionalGroupsSequence, strict=True):
        frame = int(item.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber)
        value = (2, 7)[item.SegmentIdentificationSequence[0].ReferencedSegmentNumber - 1]
        np.testing.assert_array_equal(pixels, mask.array[0, order[frame - 1]] == value)
        position = item.PlanePositionSequence[0].ImagePositionPatient
        np.testing.assert_allclose([float(v) for v in position], np.array(place(order[frame - 1], OBLIQUE), float), atol=1e-4)


def test_a_single_slice_is_a_source_too(tmp_path: Path) -> None:
    save(dataset(np.zeros((6, 5), np.uint16)), tmp_path / "a.dcm")
    mask = formats.read(tmp_path / "a.dcm")
    array = np.zeros(mask.array.shape, np.uint8)
    array[0, 0, 2, 3] = 1
    formats.write_mask(tmp_path / "out.dcm", mask.with_array(array), RECIPE, source=Scan(tmp_path / "a.dcm"))
    np.testing.assert_array_equal(pydicom.dcmread(tmp_path / "out.dcm").pixel_array, array[0, 0])


def test_a_mask_whose_axes_run_otherwise_is_turned(tmp_path: Path) -> None:
    series(tmp_path / "s")
    path, mask = written(tmp_path)
    flip = np.diag([1.0, -1.0, 1.0, 1.0])
    flip[1, 3] = mask.size[1] - 1
    turned = Volume(mask.array[:, :, ::-1], mask.affine @ flip)
    formats.write_mask(tmp_path / "turned.dcm", turned, RECIPE, source=Scan(tmp_path / "s"))
    first, second = by_instance(path), by_instance(tmp_path / "turned.dcm")
    assert first.keys() == second.keys()
    for key, pixels in first.items():
        np.testing.assert_array_equal(pixels, second[key])


def test_of_several_series_the_chosen_one_is_the_source(tmp_path: Path) -> None:
    series(tmp_path / "s")
    other = generate_uid()

    def renumber(z: int, ds: Dataset) -> None:
        ds.SeriesInstanceUID, ds.SeriesNumber = other, 8

    series(tmp_path / "s", change=renumber, prefix="b")
    mask = labels(formats.read(tmp_path / "s", series=8))
    formats.write_mask(tmp_path / "out.dcm", mask, RECIPE, source=Scan(tmp_path / "s", series=8))
    assert pydicom.dcmread(tmp_path / "out.dcm").ReferencedSeriesSequence[0].SeriesInstanceUID == other


def test_what_cannot_be_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    series(tmp_path / "s")
    image, scan, out = formats.read(tmp_path / "s"), Scan(tmp_path / "s"), tmp_path / "out.dcm"
    with pytest.raises(InputError, match="0 labels"):
        formats.write_mask(out, image.with_array(np.zeros(image.array.shape, np.uint8)), RECIPE, source=scan)
    with pytest.raises(ShapeError, match="resample"):
        formats.write_mask(out, Volume(np.ones((1, 4, 6, 5), np.uint8), affine_from_spacing((2, 1, 1))), RECIPE, source=scan)
    with pytest.raises(InputError, match="whole numbers"):
        formats.write_mask(out, image.with_array(np.full(image.array.shape, 0.5, np.float32)), RECIPE, source=scan)
    with pytest.raises(FormatError, match="needs the DICOM images"):
        formats.write_mask(out, labels(image), RECIPE)
    assert not out.exists()


@pytest.mark.parametrize("missing", ["FrameOfReferenceUID", "StudyInstanceUID", "ImagePositionPatient"])
def test_a_source_that_cannot_be_referred_to_is_refused(tmp_path: Path, missing: str) -> None:
    save(dataset(np.zeros((6, 5), np.uint16), **{missing: None}), tmp_path / "a.dcm")
    mask = formats.read(tmp_path / "a.dcm").with_array(np.ones((1, 1, 6, 5), np.uint8))
    with pytest.raises(FormatError, match=r"save .*as \.nii\.gz"):
        formats.write_mask(tmp_path / "out.dcm", mask, RECIPE, source=Scan(tmp_path / "a.dcm"))


def test_a_segmentation_is_read_back_as_the_mask_of_its_images(tmp_path: Path) -> None:
    series(tmp_path / "s")
    path, mask = written(tmp_path)
    image, again = formats.read_pair(tmp_path / "s", path)
    np.testing.assert_array_equal(again.array, mask.array)
    np.testing.assert_array_equal(again.affine, image.affine)
    formats.write_mask(tmp_path / "out.nii.gz", again, RECIPE, like=path)
    np.testing.assert_array_equal(formats.read_mask(tmp_path / "out.nii.gz").array, mask.array)


def test_a_segmentation_left_beside_its_images_is_not_one_of_them(tmp_path: Path) -> None:
    voxels = series(tmp_path / "s")
    path, _ = written(tmp_path)
    path.rename(tmp_path / "s" / "zz.dcm")
    np.testing.assert_array_equal(formats.read(tmp_path / "s").array[0], voxels)
    with pytest.raises(FormatError, match="give it as the mask"):
        formats.read(tmp_path / "s" / "zz.dcm")


def test_segments_of_other_programs_are_labels_by_their_number(tmp_path: Path) -> None:
    series(tmp_path / "s")
    path, mask = written(tmp_path)
    ds = pydicom.dcmread(path)
    for item in ds.SegmentSequence:
        del item.TrackingID
    ds.save_as(path)
    _, again = formats.read_pair(tmp_path / "s", path)
    np.testing.assert_array_equal(again.array, np.select([mask.array == 2, mask.array == 7], [1, 2]))


def change(path: Path, **facts: Any) -> None:
    ds = pydicom.dcmread(path)
    for name, value in facts.items():
        setattr(ds, name, value)
    ds.save_as(path)


def test_segmentations_that_are_no_mask_are_refused(tmp_path: Path) -> None:
    series(tmp_path / "s")
    series(tmp_path / "t", orientation=[1, 0, 0, 0, 1, 0])
    path, _ = written(tmp_path)
    with pytest.raises(ShapeError, match="resample"):
        formats.read_pair(tmp_path / "t", path)
    ds = pydicom.dcmread(path)
    frames = ds.PerFrameFunctionalGroupsSequence
    frames[1].PlanePositionSequence = frames[0].PlanePositionSequence
    ds.save_as(tmp_path / "over.dcm")
    with pytest.raises(FormatError, match="overlap"):
        formats.read_pair(tmp_path / "s", tmp_path / "over.dcm")
    for facts, words in (
        ({"SegmentationType": "FRACTIONAL"}, "not binary"),
        ({"NumberOfFrames": 10**6}, "declares 1000000 frames"),
        ({"Rows": 60000, "Columns": 60000}, "pixels"),
        ({"Rows": 9000, "Columns": 9000}, "cut short"),
        ({"NumberOfFrames": 1}, "declares 1 frames and describes 2"),
        ({"SegmentSequence": []}, "damaged"),
    ):
        path, _ = written(tmp_path)
        change(path, **facts)
        with pytest.raises(FormatError, match=words):
            formats.read_pair(tmp_path / "s", path)
