"""Flagged samples stay, unless the override is given, and then every file says so."""

from __future__ import annotations

import pytest

from medsynth_core.copy_rule import ALLOWED, KEPT_OUT, OVERRIDE, UNLIKE, CopyRule, Parting, part
from medsynth_core.errors import InputError
from medsynth_core.protocol import Thresholds
from medsynth_core.quality import KEY, Badge

NAMES = ("a", "b", "c")


def test_flagged_samples_are_kept_out() -> None:
    parting = part(NAMES, {"b"})
    assert parting.exported == ("a", "c")
    assert parting.kept_out == ("b",)
    assert [parting.verdict(name) for name in NAMES] == [UNLIKE, KEPT_OUT, UNLIKE]
    assert parting.record() == {"checked": 3, "flagged": ["b"], "kept_out": ["b"], "override": ""}


def test_the_override_exports_them_and_is_on_record() -> None:
    parting = part(NAMES, {"b"}, allowed=True)
    assert parting.exported == NAMES
    assert parting.mark("b") == {"copy_check": ALLOWED}
    assert OVERRIDE in parting.mark("b")["copy_check"]
    assert parting.mark("a") == {"copy_check": UNLIKE}
    assert parting.record() == {"checked": 3, "flagged": ["b"], "kept_out": [], "override": OVERRIDE}


def test_an_override_that_was_not_needed_is_none() -> None:
    parting = part(NAMES, (), allowed=True)
    assert not parting.overridden
    assert parting.record()["override"] == ""


def test_an_export_of_copies_alone_is_refused_and_says_the_way_out() -> None:
    with pytest.raises(InputError, match=r"all 3 samples look like copies.*--allow-copies"):
        part(NAMES, NAMES)
    assert part(NAMES, NAMES, allowed=True).exported == NAMES


def test_a_flag_on_no_sample_is_an_error() -> None:
    with pytest.raises(InputError, match="d is flagged but not among the 3"):
        part(NAMES, {"d"})


def test_nothing_to_export_is_no_error() -> None:
    assert part((), ()).exported == ()


def by(likeness: float | None) -> dict[str, object]:
    """Return the recipe of a result of that likeness; copies are above 0.8."""
    return {KEY: Badge.of(Thresholds(likeness=0.8), None, None, likeness).record()}


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (CopyRule(), [UNLIKE, KEPT_OUT, "", ""]),
        (CopyRule(allowed=True), [UNLIKE, ALLOWED, "", ""]),
        (CopyRule(alone=True), ["", "", "", ""]),
    ],
)
def test_a_red_badge_keeps_a_result_out_unless_it_is_alone_or_allowed(rule: CopyRule, said: list[str]) -> None:
    assert [rule.check(recipe) for recipe in (by(0.2), by(0.9), by(None), {})] == said


@pytest.mark.parametrize(
    ("before", "batch", "allowed", "alone"),
    [
        ("", False, False, True),  # saved when it was alone: a batch takes it out, or marks it
        (KEPT_OUT, True, False, False),
        (ALLOWED, False, True, True),
    ],
)
def test_what_was_said_of_a_possible_copy_holds_as_long_as_the_rule_does(
    before: str, batch: bool, allowed: bool, alone: bool
) -> None:
    rules = (CopyRule(), CopyRule(allowed=True), CopyRule(alone=True))
    assert [rule.stands(before, by(0.9)) for rule in rules] == [batch, allowed, alone]
    assert all(rule.stands(said, by(0.2)) for rule in rules for said in ("", UNLIKE)), "of what is no copy it always holds"


def test_what_became_of_samples_is_told_by_what_was_said_of_each() -> None:
    parting = Parting.of({"d": ALLOWED, "c": UNLIKE, "b": KEPT_OUT, "a": "not checked"})
    assert (parting.exported, parting.kept_out, parting.flagged) == (("c", "d"), ("b",), ("b", "d"))
    assert parting.record() == {"checked": 3, "flagged": ["b", "d"], "kept_out": ["b"], "override": OVERRIDE}
