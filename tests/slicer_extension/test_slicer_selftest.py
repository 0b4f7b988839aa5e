"""The self test that Slicer runs passes here, too; and Slicer finds it where it looks."""

from __future__ import annotations

import importlib

import pytest
from MedSynthLib import selftest

CASES = sorted(name for name in dir(selftest.MedSynthTest) if name.startswith("test_"))


@pytest.mark.parametrize("case", CASES)
def test_the_self_test_passes(case: str) -> None:
    test = selftest.MedSynthTest()
    test.setUp()
    getattr(test, case)()


def test_slicer_finds_the_self_test_by_the_module_s_name() -> None:
    module = importlib.import_module("MedSynth")
    found = module.MedSynthTest()
    found.runTest()
    assert len(CASES) >= 5
