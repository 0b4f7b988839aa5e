"""A generator serves a fraction only if its record says that it knows labels of that fraction's items alone."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from medsynth_core.errors import ModelError, ParameterError, TrainingDataError
from medsynth_core.models.card import read_card, write_card
from medsynth_core.studies.generators import Known, checked, training_words
from medsynth_core.training.ledger import Ledger, Mark, ledger_of, write_ledger
from tests.studies.toy_study import toy_generator

WAY_OUT = "train one on these items alone"


def mark(name: str, group: str = "") -> Mark:
    """A case that is like no other."""
    checksum = hashlib.sha256(name.encode()).hexdigest()
    return Mark(name, group, checksum, int(checksum[:16], 16), int(checksum[16:32], 16))


POOL = {name: mark(name, f"patient {name[0]}") for name in ("a1", "a2", "b1", "c1")}
TEST = (mark("t1", "patient t"), mark("t2", "patient t"))
KNOWN = Known(POOL, TEST)


def generator(folder: Path, ledger: Ledger | None) -> Path:
    toy_generator(folder)
    if ledger is not None:
        write_ledger(ledger, folder)
    return folder


def check(folder: Path, percent: int = 10, items: tuple[str, ...] = ("a1", "a2")) -> str:
    return checked(folder, "synthesize", percent, items, KNOWN, WAY_OUT).note


def test_one_that_learned_from_the_items_alone_is_taken_and_says_so(tmp_path: Path) -> None:
    folder = generator(tmp_path / "model", ledger_of([POOL["a1"], POOL["a2"]]))
    assert check(folder) == "By its record it has learned from 2 cases, all of this fraction."


def test_one_that_learned_from_fewer_items_is_taken_too(tmp_path: Path) -> None:
    assert "1 cases" in check(generator(tmp_path / "model", ledger_of([POOL["a2"]])))


def test_one_that_knows_other_training_items_is_refused_with_the_way_out(tmp_path: Path) -> None:
    folder = generator(tmp_path / "model", ledger_of(POOL.values()))
    with pytest.raises(ModelError, match=f"learned from 2 cases that are not among the 2 of the 10 %.*{WAY_OUT}"):
        check(folder)
    check(folder, 100, tuple(POOL))


@pytest.mark.parametrize("percent", [10, 100])
def test_one_that_knows_a_case_measured_on_is_refused_by_its_name(tmp_path: Path, percent: int) -> None:
    folder = generator(tmp_path / "model", ledger_of([POOL["a1"], TEST[0]]))
    with pytest.raises(TrainingDataError) as told:
        check(folder, percent)
    assert [offender.split(":")[0] for offender in told.value.offenders] == ["t1", "t2"]  # t2 is of the same patient


def test_one_that_was_chosen_by_a_case_measured_on_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="known to the model"):
        check(generator(tmp_path / "model", ledger_of([POOL["a1"]], [TEST[0]])), 100, tuple(POOL))


def test_labels_to_choose_by_count_as_labels_where_they_are_scarce(tmp_path: Path) -> None:
    folder = generator(tmp_path / "model", ledger_of([POOL["a1"]], [mark("tuning")]))
    with pytest.raises(ModelError, match="chosen by 1 cases that are not among the 10 %"):
        check(folder)
    assert "chosen by 1 cases of the tuning side" in check(folder, 100, tuple(POOL))


def test_what_it_has_learned_from_the_tuning_side_is_told_where_all_items_may_be_known(tmp_path: Path) -> None:
    spare = mark("spare")
    known = replace(KNOWN, spare=(spare,))
    folder = generator(tmp_path / "model", ledger_of([*POOL.values(), spare]))
    note = checked(folder, "synthesize", 100, tuple(POOL), known, WAY_OUT).note
    assert "all of this fraction but 1 that no arm learns from or is measured on" in note
    with pytest.raises(ModelError, match="learned from 1 cases that are not"):
        checked(folder, "synthesize", 10, tuple(POOL), known, WAY_OUT)
    with pytest.raises(ModelError, match="learned from 1 cases that are not"):
        checked(folder, "synthesize", 100, tuple(POOL), KNOWN, WAY_OUT)


def test_images_without_masks_are_no_labels_but_none_may_be_measured_on(tmp_path: Path) -> None:
    bare = replace(ledger_of([POOL["a1"]]), images_only=ledger_of([POOL["b1"], POOL["c1"]]).training)
    assert check(generator(tmp_path / "bare", bare)).endswith("; it knows 2 images without their masks.")
    leaking = replace(bare, images_only=ledger_of([TEST[0]]).training)
    with pytest.raises(TrainingDataError, match="known to the model"):
        check(generator(tmp_path / "leaking", leaking))


def test_one_without_a_record_serves_only_where_all_items_may_be_known(tmp_path: Path) -> None:
    folder = generator(tmp_path / "model", None)
    with pytest.raises(ModelError, match=f"no record of its data.*{WAY_OUT}"):
        check(folder)
    assert check(folder, 100, tuple(POOL)).startswith("It has no record of what it learned from")


def test_one_that_goes_on_from_a_base_nobody_can_list_is_refused(tmp_path: Path) -> None:
    folder = generator(tmp_path / "model", replace(ledger_of([POOL["a1"]]), unlisted=("mystery",)))
    with pytest.raises(ModelError, match="goes on from mystery"):
        check(folder)


def test_a_model_of_another_engine_is_refused(tmp_path: Path) -> None:
    folder = generator(tmp_path / "model", None)
    write_card(folder, replace(read_card(folder), engine="refine"))
    with pytest.raises(ParameterError, match="a model of refine"):
        check(folder)


def test_the_command_that_trains_one_names_the_items_of_its_fraction(tmp_path: Path) -> None:
    words = training_words(Path("data"), "synthesize", tmp_path, 20, ("--grey",))
    assert words[:3] == ["train", "synthesize", "data"]
    assert words[words.index("--items") + 1] == str(tmp_path / "items-20.txt")
    assert words[words.index("-o") + 1] == str(tmp_path / "generator-20")
    assert words[-1] == "--grey"
