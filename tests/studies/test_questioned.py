"""A model stands before its judges with the data it learned from, and the report says what its record says, no more."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from medsynth_core.errors import TrainingDataError
from medsynth_core.studies import questioned as asking
from medsynth_core.studies.questioned import NO_RECORD, Question, Questioned, questioned
from medsynth_core.training.ledger import Ledger, Mark, ledger_of, write_ledger
from medsynth_core.training.order import TrainingOrder
from tests.studies.toy_study import toy_generator, toy_material


def mark(name: str) -> Mark:
    """A case that is like no other."""
    checksum = hashlib.sha256(name.encode()).hexdigest()
    return Mark(name, "", checksum, int(checksum[:16], 16), int(checksum[16:32], 16))


def asked(folder: Path, monkeypatch: pytest.MonkeyPatch, ledger: Ledger | None, starter: str = "") -> Questioned:
    """Return the model with this record beside its data: items 0 and 1 are of one group, 2 and 3 of another."""
    material = toy_material(pool=2, test=4)
    marks = {item.name: mark(item.name) for item in (*material.pool, *material.test)}
    monkeypatch.setattr(asking, "read_material", lambda *_: replace(material, marked=lambda: marks))
    toy_generator(folder)
    if ledger is not None:
        write_ledger(ledger, folder)
    return questioned(Question(Path("data"), str(folder), TrainingOrder(starter=starter)))


def note(folder: Path, monkeypatch: pytest.MonkeyPatch, ledger: Ledger | None) -> str:
    return asked(folder, monkeypatch, ledger).note


def test_what_its_record_says_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = note(tmp_path, monkeypatch, ledger_of([mark("learn 00")]))
    assert said == ("By its record: 1 learned from, 0 chosen by, 0 held out; none of the items measured on is among the first.")


def test_one_that_has_met_an_item_measured_on_is_refused_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TrainingDataError, match="1 of 4 cases") as caught:
        note(tmp_path, monkeypatch, ledger_of([mark("learn 00"), mark("test 1")]))
    assert caught.value.offenders == ("test 1: the same pixels were learned from",)


def test_a_model_that_ships_is_measured_on_the_groups_that_it_has_not_met(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turned = replace(mark("another"), look=mark("test 1").mirrored)  # what it learned from is an item measured on, mirrored
    found = asked(tmp_path, monkeypatch, ledger_of([mark("learn 00"), turned]), starter="brain-slice")
    assert [item.name for item in found.material.test] == ["test 2", "test 3"]
    assert found.material.met == ("test 0", "test 1")
    assert " 2 others of the held out side are left out: it has met them, their mirror image" in found.note


def test_a_model_that_ships_and_has_met_all_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TrainingDataError, match="all 4 cases to measure on are known"):
        asked(tmp_path, monkeypatch, ledger_of([mark("test 1"), mark("test 3")]), starter="brain-slice")


def test_a_base_that_nobody_can_list_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = note(tmp_path, monkeypatch, replace(ledger_of([mark("learn 00")]), unlisted=("mystery",)))
    assert said.endswith("It goes on from mystery, which has no record: whether that has met them, nobody can tell.")


def test_without_a_record_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert note(tmp_path, monkeypatch, None) == NO_RECORD
