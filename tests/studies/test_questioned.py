"""A model stands before its judges with the data it learned from, and the report says what its record says, no more."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from medsynth_core.errors import TrainingDataError
from medsynth_core.studies import questioned as asking
from medsynth_core.studies.questioned import NO_RECORD, Question, questioned
from medsynth_core.training.ledger import Ledger, Mark, ledger_of, write_ledger
from tests.studies.toy_study import toy_generator, toy_material


def mark(name: str) -> Mark:
    """A case that is like no other."""
    checksum = hashlib.sha256(name.encode()).hexdigest()
    return Mark(name, "", checksum, int(checksum[:16], 16), int(checksum[16:32], 16))


def note(folder: Path, monkeypatch: pytest.MonkeyPatch, ledger: Ledger | None) -> str:
    """Return what is said of a model with this record."""
    material = toy_material(pool=2, test=2)
    marks = {item.name: mark(item.name) for item in (*material.pool, *material.test)}
    monkeypatch.setattr(asking, "read_material", lambda *_: replace(material, marked=lambda: marks))
    toy_generator(folder)
    if ledger is not None:
        write_ledger(ledger, folder)
    return questioned(Question(Path("data"), str(folder))).note


def test_what_its_record_says_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = note(tmp_path, monkeypatch, ledger_of([mark("learn 00")]))
    assert said == ("By its record: 1 learned from, 0 chosen by, 0 held out; none of the items measured on is among the first.")


def test_one_that_has_met_an_item_measured_on_is_refused_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TrainingDataError, match="1 of 2 cases") as caught:
        note(tmp_path, monkeypatch, ledger_of([mark("learn 00"), mark("test 1")]))
    assert caught.value.offenders == ("test 1: the same pixels were learned from",)


def test_a_base_that_nobody_can_list_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = note(tmp_path, monkeypatch, replace(ledger_of([mark("learn 00")]), unlisted=("mystery",)))
    assert said.endswith("It goes on from mystery, which has no record: whether that has met them, nobody can tell.")


def test_without_a_record_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert note(tmp_path, monkeypatch, None) == NO_RECORD
