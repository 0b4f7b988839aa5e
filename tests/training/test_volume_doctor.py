"""What is wrong with a folder of volumes is named before anything starts, all at once; what is odd is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from medsynth_core.errors import ParameterError, TrainingDataError
from medsynth_core.training.pairs import Columns
from medsynth_core.training.volumes import Sight, Survey, VolumeOptions, read_cases, survey_folder
from tests.toy_volumes import LPS, SIZE, head, save_volume, write_patients


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A sound folder of four patients."""
    return write_patients(tmp_path / "set")


def surveyed(folder: Path, columns: Columns | None = None, **options: Any) -> Survey:
    return survey_folder(folder, VolumeOptions(**options), columns)


def offenders(folder: Path, columns: Columns | None = None, **options: Any) -> tuple[str, ...]:
    with pytest.raises(TrainingDataError) as caught:
        surveyed(folder, columns, **options)
    return caught.value.offenders


def replace_image(here: Path, change: Callable[[np.ndarray], Any], patient: str = "P1") -> None:
    save_volume(change(head(int(patient[1:]))[0]), here / patient / "flair.nii.gz")


def replace_mask(here: Path, change: Callable[[np.ndarray], Any], patient: str = "P1") -> None:
    save_volume(change(head(int(patient[1:]))[1]), here / patient / "seg.nii.gz")


def respaced(here: Path, *spacing: float, patients: tuple[str, ...] = ("P1",)) -> None:
    for patient in patients:
        for array, name in zip(head(int(patient[1:])), ("flair.nii.gz", "seg.nii.gz"), strict=True):
            save_volume(array, here / patient / name, np.diag([*spacing, 1.0]))


def with_value(array: np.ndarray, value: float) -> np.ndarray:
    changed = array.astype(np.float32)
    changed[3, 4, 5] = value
    return changed


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def flat(here: Path) -> None:
    for name in ("flair.nii.gz", "seg.nii.gz"):
        save_volume(np.eye(*SIZE[:2], dtype=np.uint8)[..., None], here / "P1" / name)


BROKEN: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no mask": (lambda f: (f / "P1/seg.nii.gz").unlink(), "P1: no mask: add"),
    "no image": (lambda f: (f / "P1/flair.nii.gz").unlink(), "P1: mask without an image: add"),
    "image cut short": (lambda f: cut_short(f / "P1/flair.nii.gz"), "P1: flair.nii.gz cannot be read as NIfTI, it is damaged"),
    "mask cut short": (lambda f: cut_short(f / "P1/seg.nii.gz"), "P1: seg.nii.gz cannot be read as NIfTI, it is damaged"),
    "no bytes": (lambda f: (f / "P1/seg.nii.gz").write_bytes(b""), "P1: seg.nii.gz is empty: it has 0 bytes"),
    "a text": (lambda f: (f / "P1/flair.nii.gz").write_text("hello"), "P1: flair.nii.gz is of an unknown kind"),
    "another size": (
        lambda f: replace_mask(f, lambda m: m[:-1]),
        "P1: mask is (10, 20, 23), image (10, 20, 24) (z, y, x): resample",
    ),
    "another place": (
        lambda f: save_volume(head(1)[1], f / "P1/seg.nii.gz", LPS + np.eye(4, k=3) * 21),
        "P1: mask and image are both (10, 20, 24) (z, y, x) but lie at different places: resample",
    ),
    "four axes": (lambda f: replace_image(f, lambda i: np.stack([i, i], -1)), "P1: flair.nii.gz has a fourth axis of 2: choose"),
    "NaN": (
        lambda f: replace_image(f, lambda i: with_value(i, np.nan)),
        "P1: flair.nii.gz holds 1 voxels that are NaN or infinite",
    ),
    "infinite": (lambda f: replace_image(f, lambda i: with_value(i, np.inf)), "P1: flair.nii.gz holds 1 voxels that are NaN"),
    "beyond float32": (
        lambda f: replace_image(f, lambda i: i.astype(np.float64) * 1e300),
        "P1: flair.nii.gz holds",
    ),
    "black": (lambda f: replace_image(f, np.zeros_like), "P1: flair.nii.gz is empty, no voxel is above 0"),
    "one value": (lambda f: replace_image(f, np.ones_like), "P1: flair.nii.gz holds the same value everywhere"),
    "fractions": (lambda f: replace_mask(f, lambda m: m.astype(np.float32) / 2), "P1: seg.nii.gz holds fractions"),
    "NaN in the mask": (lambda f: replace_mask(f, lambda m: with_value(m, np.nan)), "P1: seg.nii.gz holds fractions"),
    "negative label": (lambda f: replace_mask(f, lambda m: with_value(m, -2)), "P1: seg.nii.gz holds the label -2"),
    "slices too far": (lambda f: respaced(f, 2, 2, 25), "P1: its slices are 25 mm apart: it must be 0.2 to 20 mm; mend"),
    "slices too near": (lambda f: respaced(f, 2, 2, 0.1), "P1: its slices are 0.1 mm apart"),
    "meters": (lambda f: respaced(f, 0.002, 0.002, 1), "P1: its pixels are 0.002 mm wide"),
    "one slice": (flat, "P1: it has 1 slice from bottom to top: a volume must have 4 or more"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_one_bad_case_is_named_with_what_is_wrong(here: Path, name: str) -> None:
    harm, said = BROKEN[name]
    harm(here)
    (offender,) = offenders(here)
    assert offender.startswith(said)


def test_all_that_is_wrong_is_named_at_once(here: Path) -> None:
    (here / "P0" / "seg.nii.gz").unlink()
    replace_image(here, lambda i: with_value(i, np.nan), "P1")
    replace_mask(here, lambda m: m.astype(np.float32) / 2, "P1")
    respaced(here, 2, 2, 30, patients=("P2",))
    assert [text.split(" ")[0] for text in offenders(here)] == ["P0:", "P1:", "P1:", "P2:"]


def test_a_sound_folder_is_counted(here: Path) -> None:
    survey = surveyed(here)
    masks = [np.asanyarray(nibabel.load(path).dataobj) for path in sorted(here.glob("*/seg.nii.gz"))]
    tumor = sum(int(mask.any(axis=(0, 1)).sum()) for mask in masks)
    assert survey.notices == (f"4 cases of 4 patients: 40 slices, {tumor} with tumor; slices 10 mm apart, pixels of 2 mm.",)
    assert read_cases(here) == survey.cases


def test_a_case_without_tumor_is_left_out_and_named(here: Path) -> None:
    replace_mask(here, np.zeros_like)
    survey = surveyed(here)
    assert [case.name for case in survey.cases] == ["P0", "P2", "P3"]
    assert "Left out, 1 case without tumor: P1." in survey.notices


def test_a_tumor_the_network_would_not_see_is_left_out_and_named(here: Path) -> None:
    replace_mask(here, lambda m: np.pad(np.ones((3, 3, 3), np.uint8), [(0, n - 3) for n in SIZE]), "P1")  # at the rim
    replace_mask(here, lambda m: np.pad(np.ones((1, 1, 1), np.uint8), [(n // 2, n - n // 2 - 1) for n in SIZE]), "P2")  # 4 mm²
    assert len(surveyed(here).cases) == 4
    survey = survey_folder(here, sight=Sight(field_mm=30, least_mm2=5))
    assert [case.name for case in survey.cases] == ["P0", "P3"]
    assert any(notice.startswith("Left out, 2 cases whose tumor is too small, or outside") for notice in survey.notices)


def test_a_folder_without_any_tumor_is_refused(here: Path) -> None:
    for patient in ("P0", "P1", "P2", "P3"):
        replace_mask(here, np.zeros_like, patient)
    with pytest.raises(TrainingDataError, match="none of the 4 cases shows a tumor"):
        surveyed(here)


def test_only_the_labels_chosen_count(here: Path) -> None:
    replace_mask(here, lambda m: m * 3, "P1")
    assert any("The mask values 1, 3 all count as tumor; --tumor-label" in notice for notice in surveyed(here).notices)
    survey = surveyed(here, tumor_labels=(3,))
    assert [case.name for case in survey.cases] == ["P1"]
    assert "Left out, 3 cases without tumor: P0, P2, P3." in survey.notices
    with pytest.raises(TrainingDataError, match="--tumor-label is 2, which no mask holds: there is 1, 3"):
        surveyed(here, tumor_labels=(3, 2))


def test_heads_of_no_human_height_are_told_with_the_way_out(here: Path) -> None:
    assert len(surveyed(here).notices) == 1
    respaced(here, 2, 2, 2, patients=("P1", "P2"))
    (said,) = surveyed(here).notices[1:-1]
    assert said == (
        "Heads are 20 to 100 mm high (slices times their distance), outside 40 to 400: P1, P2; "
        "if the headers do not tell the true distance, give --stack-height-mm."
    )


def test_a_height_given_makes_heads_human_and_distances_fit(here: Path) -> None:
    respaced(here, -2, -2, 30)
    survey = surveyed(here, stack_height_mm=145)
    assert survey.notices == (survey.notices[0],)
    assert "slices 14.5 mm apart" in survey.notices[0]
    (first, *_) = offenders(here, stack_height_mm=1000)
    assert first == "P0: its slices are 100 mm apart: it must be 0.2 to 20 mm; give another --stack-height-mm"


def test_a_header_without_orientation_is_told(here: Path) -> None:
    image, mask = head(1)
    save_volume(image, here / "P1" / "flair.nii.gz", placed=False)
    save_volume(mask, here / "P1" / "seg.nii.gz", placed=False)
    assert any("does not say where the axes run" in notice and "P1" in notice for notice in surveyed(here).notices)


def test_mixed_orientations_are_fine_and_told(here: Path) -> None:
    respaced(here, 2, 2, 10)
    (said,) = surveyed(here).notices[1:]
    assert said == "Axes run differently (LPS, RAS): all are turned to one orientation."


def test_many_negative_intensities_are_told(here: Path) -> None:
    replace_image(here, lambda i: i - 90)
    assert any(notice.startswith("Voxels below 0 become black") and "P1" in notice for notice in surveyed(here).notices)


def test_a_mask_that_lies_on_black_is_told(here: Path) -> None:
    replace_mask(here, lambda m: np.pad(np.ones((3, 3, 3), np.uint8), [(0, n - 3) for n in SIZE]))
    assert any("where the image is black" in notice and notice.endswith(" P1.") for notice in surveyed(here).notices)


def test_one_mask_of_two_patients_is_told(here: Path) -> None:
    save_volume(head(2)[1], here / "P1" / "seg.nii.gz")
    (said,) = surveyed(here).notices[1:]
    assert said == "Different patients have the same mask; is it mixed up? P1, P2."


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda i: i, "P3: it holds the same voxels as P0"),
        (
            lambda i: i * 3 + np.random.default_rng(0).normal(0, 2, i.shape).astype(np.float32),
            "P0 and P3 look alike (correlation",
        ),
        (lambda i: (i / 4).astype(np.uint8), "P0 and P3 look alike (correlation"),
    ],
)
def test_the_same_head_under_two_names_stays_on_one_side(here: Path, change: Callable[..., Any], said: str) -> None:
    save_volume(change(head(0)[0]), here / "P3" / "flair.nii.gz")
    survey = surveyed(here)
    assert [case.patient for case in survey.cases] == ["P0", "P1", "P2", "P0"]
    assert any(notice.startswith(said) for notice in survey.notices)
    assert survey.notices[0].startswith("4 cases of 3 patients")


def test_the_same_head_stored_along_other_axes_is_known(here: Path) -> None:
    image = nibabel.load(here / "P0" / "flair.nii.gz")
    for name in ("flair.nii.gz", "seg.nii.gz"):
        image = nibabel.load(here / "P0" / name)
        nibabel.save(nibabel.as_closest_canonical(image), here / "P3" / name)
    assert surveyed(here).cases[3].patient == "P0"


def test_a_mirrored_head_is_the_same_patient(here: Path) -> None:
    save_volume(head(0)[0][::-1] * 0.9, here / "P3" / "flair.nii.gz")
    survey = surveyed(here)
    assert [case.patient for case in survey.cases] == ["P0", "P1", "P2", "P0"]
    (said,) = (text for text in survey.notices if "alike" in text)
    assert said.startswith("P0 and P3 look alike (once one is mirrored, correlation")


def test_twins_of_twins_are_one_patient(here: Path) -> None:
    for patient in ("P2", "P3"):
        save_volume(head(0)[0], here / patient / "flair.nii.gz")
    assert [case.patient for case in surveyed(here).cases] == ["P0", "P1", "P0", "P0"]


def table(here: Path, text: str) -> Columns:
    path = here.parent / "table.csv"
    path.write_text(text)
    return Columns(path, "who")


def test_a_column_says_whose_a_case_is(here: Path) -> None:
    columns = table(here, "file,who\nP0,ann\nP1/flair.nii.gz,ann\nP2,bob\nP3,cid\n")
    assert [case.patient for case in surveyed(here, columns).cases] == ["ann", "ann", "bob", "cid"]


def test_a_case_without_a_row_or_a_value_is_named(here: Path) -> None:
    columns = table(here, "file,who\nP0,ann\nP1,\nflair.nii.gz,bob\n")
    assert offenders(here, columns) == (
        "P1: no value of who in table.csv",
        "P2: no row in table.csv",
        "P3: no row in table.csv",
    )


def test_an_option_column_is_refused(here: Path) -> None:
    with pytest.raises(ParameterError, match="volumes have no options"):
        surveyed(here, Columns(None, "", {"grade": "grade"}))


def test_few_patients_for_many_cases_are_told(tmp_path: Path) -> None:
    folder = write_patients(tmp_path / "set", 10)
    columns = table(folder, "file,who\n" + "".join(f"P{i},ann\n" for i in range(10)))
    assert any("Only 1 patient for 10 cases" in notice for notice in surveyed(folder, columns).notices)


def test_many_bad_cases_do_not_hide_one_another(tmp_path: Path) -> None:
    folder = write_patients(tmp_path / "set", 12)
    for i in range(12):
        cut_short(folder / f"P{i}" / "flair.nii.gz")
    assert len(offenders(folder)) == 12
