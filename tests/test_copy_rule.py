"""Flagged samples stay, unless the override is given, and then every file says so."""

from __future__ import annotations

import pytest

from medsynth_core.copy_rule import ALLOWED, KEPT_OUT, OVERRIDE, UNLIKE, part
from medsynth_core.errors import InputError

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
