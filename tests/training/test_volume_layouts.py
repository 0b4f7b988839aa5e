"""Which files of a folder are cases, in each layout; what cannot be part of one is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from medsynth_core.errors import MedSynthError, ParameterError, TrainingDataError
from medsynth_core.training.volume_cases import Case, VolumeOptions
from medsynth_core.training.volume_layouts import list_cases
from medsynth_core.training.volume_names import patient_of


def touch(folder: Path, *names: str) -> Path:
    """Make empty files: layouts go by names alone."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """An empty folder for a data set."""
    (tmp_path / "set").mkdir()
    return tmp_path / "set"


def cases(folder: Path, **options: Any) -> tuple[Case, ...]:
    listing = list_cases(folder, VolumeOptions(**options))
    assert not listing.offenders
    return listing.cases


def offenders(folder: Path, **options: Any) -> tuple[str, ...]:
    return list_cases(folder, VolumeOptions(**options)).offenders


def brats(folder: Path, name: str, *words: str, dash: str = "_") -> Path:
    return touch(folder, *(f"{name}/{name}{dash}{word}.nii.gz" for word in words))


def listed(folder: Path, *entries: Any, **more: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "dataset.json").write_text(json.dumps({"training": entries, **more}))
    return folder


ENTRY = {"image": "./imagesTr/a.nii.gz", "label": "./labelsTr/a.nii.gz"}


def test_of_several_modalities_the_flair_is_taken(here: Path) -> None:
    brats(here, "BraTS2021_00001", "flair", "t1", "t1ce", "t2", "seg")
    brats(here, "BraTS-GLI-00002-000", "t2f", "t1n", "t1c", "t2w", "seg", dash="-")
    assert [(c.name, c.image.name, c.mask.name) for c in cases(here)] == [
        ("BraTS-GLI-00002-000", "BraTS-GLI-00002-000-t2f.nii.gz", "BraTS-GLI-00002-000-seg.nii.gz"),
        ("BraTS2021_00001", "BraTS2021_00001_flair.nii.gz", "BraTS2021_00001_seg.nii.gz"),
    ]


@pytest.mark.parametrize("modality", ["t1ce", "T1CE", "t1c", "t1gd"])
def test_a_modality_goes_by_its_old_and_its_new_name(here: Path, modality: str) -> None:
    brats(here, "A", "flair", "t1", "t1ce", "t2", "seg")
    brats(here, "B", "t2f", "t1n", "t1c", "t2w", "seg", dash="-")
    assert [case.image.name for case in cases(here, modality=modality)] == ["A_t1ce.nii.gz", "B-t1c.nii.gz"]


def test_a_modality_that_is_not_there_is_answered_with_those_that_are(here: Path) -> None:
    brats(here, "A", "t1", "t2", "seg")
    assert offenders(here) == ("A: no flair image, there are t1, t2: choose one with --modality",)
    assert offenders(here, modality="adc") == ("A: no adc image, there are t1, t2: choose one with --modality",)
    brats(here, "A", "adc")
    assert cases(here, modality="adc")[0].image.name == "A_adc.nii.gz"


@pytest.mark.parametrize("mask", ["seg", "mask", "label", "p1_segmentation", "P1-Seg"])
def test_the_only_image_beside_a_mask_needs_no_name(here: Path, mask: str) -> None:
    touch(here, "p1/anything.nii", f"p1/{mask}.nii.gz", "p1/notes.txt", "p1/._seg.nii.gz", ".git/x.nii")
    (case,) = cases(here)
    assert (case.name, case.patient, case.image.name) == ("p1", "p1", "anything.nii")


def test_each_folder_that_is_no_case_is_named_at_once(here: Path) -> None:
    touch(here, "a/flair.nii.gz", "b/seg.nii.gz", "c/flair.nii.gz", "c/seg.nii.gz", "c/mask.nii.gz", "d/readme.txt")
    touch(here, "e/flair.nii.gz", "e/x_flair.nii.gz", "e/seg.nii.gz")
    assert offenders(here) == (
        "a: no mask: add a seg file",
        "b: mask without an image: add the image",
        "c: mask.nii.gz and seg.nii.gz are masks: keep one",
        "d: it holds neither image nor mask: remove the folder",
        "e: more than one flair image, there are flair, flair: choose one with --modality",
    )


def test_one_patient_of_another_modality_is_not_mixed_in(here: Path) -> None:
    touch(here, *(f"{p}/flair.nii.gz" for p in "ab"), "c/t1.nii.gz", *(f"{p}/seg.nii.gz" for p in "abc"))
    assert offenders(here) == ("c: its image is t1, most are flair: remove it",)


@pytest.mark.parametrize("masks", ["masks", "labels"])
def test_images_and_masks_of_equal_stems_are_cases(here: Path, masks: str) -> None:
    touch(here, "images/a.nii.gz", f"{masks}/a.nii", "images/b.nii", f"{masks}/b.nii.gz", "images/notes.txt")
    assert [(c.name, c.patient, c.image.parent.name, c.mask.parent.name) for c in cases(here)] == [
        ("a", "a", "images", masks),
        ("b", "b", "images", masks),
    ]


def test_a_stem_alone_or_twice_is_named(here: Path) -> None:
    touch(here, "images/a.nii.gz", "images/a.nii", "images/b.nii", "masks/a.nii", "masks/c.nii")
    assert offenders(here) == (
        "a.nii.gz: a.nii has the same stem",
        "b.nii: image without a mask in masks/",
        "c.nii: mask without an image in images/",
    )


def test_a_list_names_images_and_labels(here: Path) -> None:
    touch(listed(here, ENTRY), "imagesTr/a.nii.gz", "labelsTr/a.nii.gz")
    (case,) = cases(here)
    assert (case.name, case.patient, case.channel) == ("imagesTr/a", "a", None)


MODALITIES = {"0": "T1w", "1": "T2w", "2": "FLAIR", "3": "t1gd"}


@pytest.mark.parametrize(("modality", "channel"), [("", 2), ("t2f", 2), ("t1ce", 3), ("T2w", 1), ("0", 0)])
def test_a_list_with_modalities_gives_the_index(here: Path, modality: str, channel: int) -> None:
    touch(listed(here, ENTRY, modality=MODALITIES), "imagesTr/a.nii.gz", "labelsTr/a.nii.gz")
    assert cases(here, modality=modality)[0].channel == channel


def test_a_list_without_the_modality_says_which_there_are(here: Path) -> None:
    listed(here, ENTRY, modality={"0": "ADC", "1": "T2w"})
    with pytest.raises(TrainingDataError, match="no flair image, there are ADC, T2w: choose one with --modality"):
        cases(here)


ENTRIES = {
    "no label": ({"image": "a.nii.gz"}, "must be an object with image and label"),
    "a text": ("a.nii.gz", "must be an object with image and label"),
    "a number": ({"image": 1, "label": 2}, "must be an object with image and label"),
    "an absolute path": ({"image": "/etc/hostname", "label": "x"}, "must be a path relative to the folder"),
    "a null byte": ({"image": "a\0b", "label": "x"}, "must be a path relative to the folder"),
    "out of the folder": ({"image": "../secret.nii.gz", "label": "x"}, "leads out of the folder"),
    "out by a link": ({"image": "link.nii.gz", "label": "x"}, "leads out of the folder"),
    "nothing": ({"image": "x.nii.gz", "label": "x"}, "x.nii.gz does not exist"),
    "the folder itself": ({"image": ".", "label": "."}, "does not exist"),
    "twice": ({"image": "imagesTr/../imagesTr/a.nii.gz", "label": "labelsTr/a.nii.gz"}, "listed more than once"),
}


@pytest.mark.parametrize("name", ENTRIES)
def test_a_bad_entry_of_a_list_is_named_by_number(here: Path, name: str) -> None:
    entry, said = ENTRIES[name]
    touch(here, "secret.nii.gz")
    folder = touch(listed(here / "set", ENTRY, entry), "imagesTr/a.nii.gz", "labelsTr/a.nii.gz")
    (folder / "link.nii.gz").symlink_to(here / "secret.nii.gz")
    (offender,) = offenders(folder)
    assert offender.startswith("dataset.json entry 2: ")
    assert said in offender


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"training": 3}', '{"numTraining": 3}', "[" * 100_000, '{"training": [], "modality": ["x"]}', "\udcff"]
)
def test_a_list_of_another_kind_is_refused_with_a_way_out(here: Path, text: str) -> None:
    (here / "dataset.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(TrainingDataError, match=r"mend it|instead"):
        cases(here)


def test_patterns_pair_by_what_the_wildcards_stand_for(here: Path) -> None:
    touch(here, *(f"HGG/P{i}/P{i}_{w}.nii.gz" for i in range(3) for w in ("flair", "seg")), "LGG/Q/Q_flair.nii.gz")
    touch(here, "LGG/Q/Q_seg.nii.gz")
    found = cases(here, images="**/*_flair.nii.gz", masks="**/*_seg.nii.gz")
    assert [(c.patient, c.image.name, c.mask.name) for c in found] == [
        (name, f"{name}_flair.nii.gz", f"{name}_seg.nii.gz") for name in ("P0", "P1", "P2", "Q")
    ]


def test_patterns_also_pair_across_folders(here: Path) -> None:
    touch(here, "imagesTr/a_0000.nii.gz", "imagesTr/b_0000.nii.gz", "labelsTr/a.nii.gz", "labelsTr/b.nii.gz")
    found = cases(here, images="imagesTr/*_0000.nii.gz", masks="labelsTr/*.nii.gz")
    assert [(c.patient, c.mask.name) for c in found] == [("a", "a.nii.gz"), ("b", "b.nii.gz")]


def test_what_pairs_with_nothing_or_with_two_is_named(here: Path) -> None:
    touch(here, "a/x_flair.nii", "b/x_flair.nii", "c/x_seg.nii", "a/x_seg.nii", "flair/a.nii", "seg/a.nii", "seg/a.nii.gz")
    assert offenders(here, images="flair/*", masks="seg/*") == ("a: a.nii and a.nii.gz both pair with it",)
    assert set(offenders(here, images="*/*_flair.nii", masks="*/*_seg.nii")) == {
        "b/x_flair.nii: no mask pairs with it",
        "c/x_seg.nii: no image pairs with it",
    }
    assert "a/x_seg.nii: it is image and mask at once" in offenders(here, images="*/*.nii", masks="*/*.nii")


def test_signs_in_the_name_of_the_folder_are_no_wildcards(here: Path) -> None:
    odd, like = here / "set [1]*", here / "set 1x"
    for folder in (odd, like):
        touch(folder, "p/flair.nii", "p/seg.nii")
    assert [c.image for c in cases(odd, images="*/flair.nii", masks="*/seg.nii")] == [odd / "p" / "flair.nii"]


def test_bids_subjects_are_patients(here: Path) -> None:
    names = [f"sub-{s}/ses-{t}/anat/sub-{s}_ses-{t}" for s in ("01", "02") for t in (1, 2)]
    touch(here, *(f"{name}_{word}.nii.gz" for name in names for word in ("FLAIR", "mask")))
    found = cases(here, images="**/*_FLAIR.nii.gz", masks="**/*_mask.nii.gz")
    assert [c.patient for c in found] == ["sub-01", "sub-01", "sub-02", "sub-02"]


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("BraTS-GLI-00001-000", "BraTS-GLI-00001"),
        ("BraTS-GLI-00001-001", "BraTS-GLI-00001"),
        ("BraTS2021_00001", "BraTS2021_00001"),
        ("BraTS20_Training_001", "BraTS20_Training_001"),
        ("TCGA_CS_4941", "TCGA_CS_4941"),
        ("UCSF-PDGM-0004-000x", "UCSF-PDGM-0004-000x"),
    ],
)
def test_two_visits_in_brats_are_one_patient(name: str, patient: str) -> None:
    assert patient_of(name) == patient


@pytest.mark.parametrize(
    "make", [lambda f: None, lambda f: touch(f, "a/b/c/flair.nii.gz"), lambda f: touch(f, "images/x.png", "masks/x.png")]
)
def test_a_folder_without_volumes_says_what_it_needs(here: Path, make: Any) -> None:
    make(here)
    with pytest.raises(
        TrainingDataError, match=r"holds no volumes: it needs a folder for each patient .* give --images and --masks"
    ):
        cases(here)


def test_a_folder_that_is_none_or_half_a_layout_says_so(here: Path) -> None:
    with pytest.raises(TrainingDataError, match="is not a folder"):
        cases(here / "nowhere")
    touch(here, "images/a.nii")
    with pytest.raises(TrainingDataError, match="neither masks/ nor labels/"):
        cases(here)
    touch(here, "masks/a.nii", "labels/a.nii")
    with pytest.raises(TrainingDataError, match="both masks/ and labels/"):
        cases(here)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"images": "*.nii"}, "--images is given without --masks"),
        ({"masks": "*.nii"}, "--masks is given without --images"),
        ({"images": "/etc/*", "masks": "*"}, "must not start with /"),
        ({"images": "*", "masks": "../*"}, "must not start with / or hold .."),
        ({"images": "flair.nii", "masks": "*"}, "must hold a wildcard"),
        ({"tumor_labels": (1, 0)}, "--tumor-label is 0"),
        ({"stack_height_mm": 0.0}, "--stack-height-mm is 0"),
        ({"stack_height_mm": float("nan")}, "--stack-height-mm is nan"),
        ({"stack_height_mm": 1e9}, "--stack-height-mm is 1e\\+09"),
        ({"images": "nope*", "masks": "*"}, "--images nope\\* matches nothing"),
        ({"images": "*/*", "masks": "*/*", "modality": "t1"}, "the pattern alone says"),
    ],
)
def test_an_option_that_cannot_be_meant_is_refused_with_its_value(here: Path, options: dict[str, Any], said: str) -> None:
    touch(here, "a/flair.nii", "a/seg.nii")
    with pytest.raises(MedSynthError, match=said):
        cases(here, **options)


def test_a_modality_by_name_is_refused_where_there_is_one_image(here: Path) -> None:
    touch(here, "images/a.nii", "masks/a.nii")
    with pytest.raises(ParameterError, match="images/ holds one image a case"):
        cases(here, modality="t1")
    assert cases(here, modality="2")[0].channel == 2
