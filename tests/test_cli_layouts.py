"""The layouts of a data set, read by the tools' own readers or by plain ones, never by ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image
from pycocotools.coco import COCO
from scipy import ndimage
from scipy.io import loadmat

from medsynth_core.cli_layouts import Subject, numbered
from medsynth_core.engines.tumor.prepare import SIGHT
from medsynth_core.training.order import TrainingOrder
from medsynth_core.training.pair_survey import survey_order
from medsynth_core.training.pairs import load_arrays
from medsynth_core.training.volume_cases import VolumeOptions
from medsynth_core.training.volumes import survey_folder
from tests.test_cli_dataset import make, order


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three samples with labels 2 and 5, each in two pieces or more, in all layouts."""
    folder = tmp_path_factory.mktemp("layouts")
    labels = np.zeros((40, 32), np.uint8)
    labels[4:12, 5:14], labels[20:30, 4:12], labels[20:30, 12:20] = 2, 2, 5
    Image.fromarray(labels).save(folder / "mask.png")
    layouts = [word for name in ("nnunet", "coco", "stardist", "hovernet") for word in ("--layout", name)]
    make(order("toy", "--masks", folder / "mask.png", "--count", 3, "-o", folder / "out", *layouts))
    return folder / "out"


def labels_of(folder: Path, name: str) -> np.ndarray:
    return np.asarray(Image.open(folder / "masks" / f"{name}.png"))


NAMES = ("00000", "00001", "00002")


def test_coco_is_read_by_pycocotools(made: Path, capsys: Any) -> None:
    coco = COCO(str(made / "coco" / "annotations.json"))
    assert {one["id"]: one["name"] for one in coco.loadCats(coco.getCatIds())} == {2: "polyp", 5: "ulcer"}
    assert len(coco.getImgIds()) == 3
    for name, told in zip(NAMES, coco.loadImgs(coco.getImgIds()), strict=True):
        labels = labels_of(made, name)
        assert (told["height"], told["width"]) == labels.shape
        with Image.open(made / "coco" / told["file_name"]) as image:
            assert image.size == labels.shape[::-1]
        for value in (2, 5):
            notes = coco.loadAnns(coco.getAnnIds(imgIds=told["id"], catIds=value))
            masks = np.array([coco.annToMask(note) for note in notes])
            np.testing.assert_array_equal(masks.sum(axis=0), labels == value)
            assert len(notes) == ndimage.label(labels == value, np.ones((3, 3)))[1]
            for note, mask in zip(notes, masks, strict=True):
                rows, columns = np.nonzero(mask)
                box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
                assert (note["bbox"], note["area"]) == (box, mask.sum())


def test_nnunet_finds_a_case_for_each_label_and_labels_without_gaps(made: Path) -> None:
    root = made / "nnunet" / "Dataset900_Toy"
    told = json.loads((root / "dataset.json").read_text())
    assert told["labels"] == {"background": 0, "polyp": 1, "ulcer": 2}
    assert told["channel_names"] == {"0": "R", "1": "G", "2": "B"}
    assert (told["numTraining"], told["file_ending"]) == (3, ".png")
    # as nnU-Net does: cases are what stands before _XXXX in imagesTr, the label has that name
    cases = sorted(path.name[: -len("_0000.png")] for path in (root / "imagesTr").iterdir())
    assert cases == sorted(path.stem for path in (root / "labelsTr").iterdir()) == list(NAMES)
    for name in cases:
        rows = np.asarray(Image.open(root / "labelsTr" / f"{name}.png"))
        np.testing.assert_array_equal(np.array([0, 2, 5])[rows], labels_of(made, name))
        image = np.asarray(Image.open(root / "imagesTr" / f"{name}_0000.png"))
        np.testing.assert_array_equal(image, np.asarray(Image.open(made / "images" / f"{name}.png")))


def test_stardist_gets_one_number_for_each_object(made: Path) -> None:
    for name in NAMES:
        numbers, labels = tifffile.imread(made / "stardist" / "masks" / f"{name}.tif"), labels_of(made, name)
        assert (numbers.dtype, numbers.shape) == (np.uint16, labels.shape)
        np.testing.assert_array_equal(numbers > 0, labels > 0)
        for number in np.unique(numbers)[1:]:
            assert len(np.unique(labels[numbers == number])) == 1
            assert ndimage.label(numbers == number, np.ones((3, 3)))[1] == 1
        image = tifffile.imread(made / "stardist" / "images" / f"{name}.tif")
        np.testing.assert_array_equal(image, np.asarray(Image.open(made / "images" / f"{name}.png")))


def test_hovernet_gets_the_kind_of_each_object(made: Path) -> None:
    for name in NAMES:
        told, labels = loadmat(made / "hovernet" / "Labels" / f"{name}.mat"), labels_of(made, name)
        kinds = np.concatenate([[0], told["inst_type"].ravel()])
        np.testing.assert_array_equal(kinds[told["inst_map"]], labels)


def test_volumes_lie_as_nnunet_wants_them_and_nibabel_reads_them(tmp_path: Path) -> None:
    out = tmp_path / "out"
    make(order("toy-tumor", "--sample", "--count", 2, "-o", out, "--layout", "nnunet"))
    root = out / "nnunet" / "Dataset900_ToyTumor"
    told = json.loads((root / "dataset.json").read_text())
    assert (told["file_ending"], told["channel_names"], told["numTraining"]) == (".nii.gz", {"0": "image"}, 2)
    for name in ("00000", "00001"):
        image, labels = (nibabel.load(root / place) for place in (f"imagesTr/{name}_0000.nii.gz", f"labelsTr/{name}.nii.gz"))
        assert image.shape == labels.shape == (48, 48, 8)
        np.testing.assert_allclose(image.affine, labels.affine)
        assert set(np.unique(labels.get_fdata())) == {0, 1}
        assert b"ynthetic" in bytes(image.header["descrip"])


def test_volumes_are_what_a_training_of_tumors_reads(tmp_path: Path) -> None:
    make(order("toy-tumor", "--sample", "--count", 3, "-o", tmp_path / "out"))
    found = survey_folder(tmp_path / "out", VolumeOptions(), None, SIGHT)
    assert [case.name for case in found.cases] == ["00000", "00001", "00002"]


def test_images_and_masks_are_what_a_training_reads(made: Path) -> None:
    survey = survey_order(made, TrainingOrder()).admit()
    pairs = (*survey.sides.training, *survey.sides.tuning, *survey.sides.held_out)
    images, masks = load_arrays(pairs, (40, 32), 3)
    assert (len(images), set(np.unique(masks))) == (3, {0, 2, 5})


def test_a_mask_without_background_has_its_objects_too() -> None:
    numbers, values = numbered(np.array([[4, 4], [7, 7]]), Subject("x", {4: "a", 7: "b"}))
    assert len(np.unique(numbers)) == 2
    assert sorted(values.values()) == [4, 7]
    assert all((numbers == number).any() for number in values)
