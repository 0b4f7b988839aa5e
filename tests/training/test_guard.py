"""Figures are refused where the model has met the test: by pixels, by patient, by look; and where nobody can tell."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medsynth_core.errors import ModelError, TrainingDataError
from medsynth_core.models.folder import finish_folder, verify
from medsynth_core.protocol import ModelCard
from medsynth_core.training.guard import check_apart, check_split, known_cases, unmet
from medsynth_core.training.ledger import FILE, Ledger, Mark, going_on, ledger_of, mark_of, read_ledger, write_ledger
from medsynth_core.training.likeness import likeness_of
from tests.toy_pairs import picture

CARD = ModelCard("toy", "Toy", "synthesize", 3, (32, 32), (), license="none", data="none")


def marked(name: str, pixels: np.ndarray, group: str = "") -> Mark:
    """Return the mark of an RGB picture (y, x, 3)."""
    return mark_of(name, group, likeness_of(pixels.transpose(2, 0, 1)[:, None], Image.fromarray(pixels)))


def case(number: int, group: str = "", name: str = "") -> Mark:
    return marked(name or f"case{number}", picture(number, 64)[0], group)


def compressed(pixels: np.ndarray) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=60)
    return np.asarray(Image.open(io.BytesIO(buffer.getvalue())))


def refusal(ledger: Ledger, *tested: Mark) -> TrainingDataError:
    with pytest.raises(TrainingDataError) as caught:
        check_apart(ledger, tested)
    return caught.value


def test_other_cases_of_other_patients_pass() -> None:
    check_apart(ledger_of([case(i, f"patient {i}") for i in range(20)]), [case(i, f"patient {i}") for i in range(20, 40)])


def test_the_same_pixels_under_another_name_are_known() -> None:
    refused = refusal(ledger_of([case(1), case(2)]), case(7), case(2, name="renamed"))
    assert refused.offenders == ("renamed: the same pixels were learned from",)
    assert "1 of 2 cases" in str(refused)
    assert "--exclude" in str(refused)


def test_the_same_patient_is_known_by_another_image() -> None:
    refused = refusal(ledger_of([case(1, "patient 17")]), case(9, "patient 17"))
    assert refused.offenders == ("case9: others of patient 17 were learned from",)


def test_the_same_number_in_another_column_is_another_patient() -> None:
    check_apart(ledger_of([case(1, "dup_group 17")]), [case(9, "patient 17")])


def test_cases_without_a_group_are_not_one_group() -> None:
    check_apart(ledger_of([case(1), case(2)]), [case(9), case(10)])


@pytest.mark.parametrize(
    "change",
    [
        compressed,
        lambda p: np.asarray(Image.fromarray(p).resize((48, 48), Image.Resampling.BICUBIC)),
        lambda p: (p * 0.8 + 20).astype(np.uint8),
        lambda p: (p + np.random.default_rng(0).normal(0, 4, p.shape)).clip(0, 255).astype(np.uint8),
    ],
)
def test_a_changed_copy_is_known_by_its_look(change: object) -> None:
    copy = change(picture(3, 64)[0])  # type: ignore[operator]
    (said,) = refusal(ledger_of([case(i) for i in range(6)]), marked("copy", copy)).offenders
    assert said.startswith("copy: an image of the same look was learned from")


@pytest.mark.parametrize("change", [lambda p: p, compressed, lambda p: (p * 0.8 + 20).astype(np.uint8)])
def test_the_mirror_image_of_a_training_image_is_known(change: object) -> None:
    copy = change(picture(3, 64)[0][:, ::-1])  # type: ignore[operator]
    (said,) = refusal(ledger_of([case(i) for i in range(6)]), marked("copy", np.ascontiguousarray(copy))).offenders
    assert said.startswith("copy: its mirror image was learned from, by its look")


def test_a_mirror_image_in_another_folder_is_named_with_its_twin() -> None:
    mirrored = marked("test/x", np.ascontiguousarray(picture(1, 64)[0][:, ::-1]))
    with pytest.raises(TrainingDataError) as caught:
        check_split([case(2, name="train/a"), case(1, name="train/b")], [mirrored, case(5, name="test/y")])
    (said,) = caught.value.offenders
    assert said.startswith("test/x: its mirror image was learned from")
    assert said.endswith("(train/b)")


def test_upside_down_is_another_image() -> None:
    check_apart(ledger_of([case(i) for i in range(6)]), [marked("turned", np.ascontiguousarray(picture(3, 64)[0][::-1]))])


def test_who_is_in_a_group_with_a_case_that_was_met_is_left_out_with_it() -> None:
    tested = [case(i) for i in range(6)]
    heads = {"case0": "a", "case1": "a", "case2": "b", "case3": "b", "case4": "c", "case5": "c"}
    left = unmet(ledger_of([case(1), case(9)]), tested, tested, lambda mark: heads[mark.name])
    assert [mark.name for mark in left] == ["case2", "case3", "case4", "case5"]


def test_what_a_model_was_chosen_by_is_known_and_what_it_held_out_is_not() -> None:
    ledger = ledger_of([case(1)], [case(2)], [case(3)])
    assert refusal(ledger, case(2), case(3)).offenders == ("case2: the same pixels were learned from",)
    assert known_cases(ledger, [case(1), case(2), case(3), case(4)]) == {"case1", "case2"}
    check_apart(ledger, [case(3)])


def test_what_was_held_out_although_it_looks_alike_may_be_tested_on() -> None:
    ledger = ledger_of([case(1)], [], [marked("paler", (picture(1, 64)[0] * 0.8 + 20).astype(np.uint8))])
    check_apart(ledger, [marked("paler", (picture(1, 64)[0] * 0.8 + 20).astype(np.uint8))])
    refusal(ledger, marked("darker", (picture(1, 64)[0] * 0.7).astype(np.uint8)))


def test_every_offender_is_named_once() -> None:
    refused = refusal(ledger_of([case(i, "patient 1") for i in range(30)]), *(case(i, "patient 1") for i in range(40)))
    assert [said.split(":")[0] for said in refused.offenders] == [f"case{i}" for i in range(40)]


def test_a_patient_on_both_sides_of_a_split_is_named() -> None:
    with pytest.raises(TrainingDataError, match="--group-by") as caught:
        check_split([case(1, "patient 1"), case(2, "patient 2")], [case(3, "patient 2"), case(4, "patient 4")])
    assert caught.value.offenders == ("case3: others of patient 2 were learned from (case2)",)


def test_a_duplicate_in_another_folder_is_named_with_its_twin() -> None:
    with pytest.raises(TrainingDataError) as caught:
        check_split([case(1, name="train/a"), case(2, name="train/b")], [case(2, name="test/x"), case(5, name="test/y")])
    assert caught.value.offenders == ("test/x: the same pixels were learned from (train/b)",)


def test_nothing_learned_or_nothing_tested_is_apart() -> None:
    check_apart(Ledger(), [case(1)])
    check_apart(ledger_of([case(1)]), [])


def test_a_ledger_is_read_as_it_was_written(tmp_path: Path) -> None:
    ledger = ledger_of([case(1, "patient 1"), case(2, "patient 1"), case(3)], [case(4)], [case(5)], label_percent=10)
    write_ledger(ledger, tmp_path)
    again = read_ledger(tmp_path)
    assert again is not None
    assert (set(again.training), again.tuning, again.held_out) == (set(ledger.training), ledger.tuning, ledger.held_out)
    assert again.label_percent == 10
    assert again.counted == "3 learned from, 1 chosen by, 1 held out"


def test_a_ledger_says_no_name_and_is_small(tmp_path: Path) -> None:
    write_ledger(ledger_of([case(i, f"patient Miller {i // 4}", name=f"miller_{i}") for i in range(200)]), tmp_path)
    text = (tmp_path / FILE).read_text()
    assert "iller" not in text
    assert len(text) < 40 * 200


def test_the_ledger_is_among_the_checksums_of_its_model(tmp_path: Path) -> None:
    write_ledger(ledger_of([case(1)]), tmp_path)
    finish_folder(tmp_path, CARD)
    assert FILE in verify(tmp_path).sha256
    write_ledger(Ledger(), tmp_path)
    with pytest.raises(ModelError, match=r"ledger\.json"):
        verify(tmp_path)


def test_what_taught_the_base_has_taught_the_model(tmp_path: Path) -> None:
    write_ledger(ledger_of([case(1)], [case(2)], [case(3)]), tmp_path)
    ledger = going_on(ledger_of([case(4)], [], [case(1)]), tmp_path)
    assert known_cases(ledger, [case(i) for i in range(1, 6)]) == {"case1", "case2", "case4"}


def test_a_base_without_a_ledger_is_named_by_every_model_after_it(tmp_path: Path) -> None:
    old, new = (tmp_path / name for name in ("old", "new"))
    for folder in (old, new):
        folder.mkdir()
    write_ledger(going_on(ledger_of([case(1)]), old), new)
    ledger = going_on(ledger_of([case(2)]), new)
    assert ledger.unlisted == ("old",)
    refusal(ledger, case(1), case(2))


@pytest.mark.parametrize(
    "harm",
    [
        lambda text: text[:-9],
        lambda text: "[]",
        lambda text: json.dumps({**json.loads(text), "training": {"": ["short"]}}),
        lambda text: json.dumps({**json.loads(text), "format": 2}),
        lambda text: json.dumps({**json.loads(text), "tuning": {"": [3]}}),
    ],
)
def test_a_damaged_or_newer_ledger_is_no_ledger(tmp_path: Path, harm: object) -> None:
    write_ledger(ledger_of([case(1)]), tmp_path)
    path = tmp_path / FILE
    path.write_text(harm(path.read_text()))  # type: ignore[operator]
    with pytest.raises(ModelError, match=r"ledger\.json"):
        read_ledger(tmp_path)
