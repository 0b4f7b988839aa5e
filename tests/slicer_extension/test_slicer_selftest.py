"""What Slicer runs by Reload and Test, and by ctest, passes here, too; and Slicer finds it where it looks."""

from __future__ import annotations

import importlib
import types
import unittest
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import slicer
import vtk
from MedSynthLib import conversion, selftest

from tests.running import RunningService
from tests.slicer_extension.conftest import MODULE_FOLDER

CASES = sorted(name for name in dir(selftest.MedSynthTest) if name.startswith("test_"))
WITH_SERVICE = "test_an_engine_refines_a_sample"


@pytest.fixture(autouse=True)
def module() -> types.ModuleType:
    """The module as Slicer has it loaded: it knows the path."""
    slicer.modules.medsynth = types.SimpleNamespace(path=str(MODULE_FOLDER / "MedSynth.py"))
    return importlib.import_module("MedSynth")


@pytest.mark.parametrize("case", CASES)
def test_the_self_test_passes(case: str) -> None:
    test = selftest.MedSynthTest()
    test.setUp()
    if case == WITH_SERVICE:
        with pytest.raises(unittest.SkipTest, match="choose one that has"):
            getattr(test, case)()
    else:
        getattr(test, case)()


def test_with_a_service_the_case_that_needs_one_runs(service: RunningService) -> None:
    getattr(selftest.MedSynthTest(), WITH_SERVICE)()


def test_slicer_finds_the_self_test_by_the_module_s_name(module: types.ModuleType, caplog: pytest.LogCaptureFixture) -> None:
    """As Reload and Test calls it."""
    module.MedSynthTest().runTest()
    skipped = [record.getMessage() for record in caplog.records if "was skipped" in record.getMessage()]
    assert len(skipped) == 1
    assert len(CASES) >= 14


def test_ctest_runs_the_same_cases() -> None:
    """As slicer.testing.runUnitTest loads them, which is what CMake's slicer_add_python_unittest calls."""
    suite = unittest.TestLoader().loadTestsFromName("MedSynth")
    result = unittest.TestResult()
    suite.run(result)
    assert (result.testsRun, result.failures, result.errors) == (len(CASES), [], [])
    assert len(result.skipped) == 1
    cmake = (MODULE_FOLDER / "CMakeLists.txt").read_text("utf-8")
    assert "slicer_add_python_unittest(SCRIPT ${MODULE_NAME}.py)" in cmake


def without_parent(node: Any) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return np.array(slicer.util.arrayFromVTKMatrix(matrix))


def half_a_voxel_off(node: Any) -> np.ndarray:
    moved: np.ndarray = conversion.parent_of(node) @ without_parent(node)
    moved[:3, 3] += moved[:3, 0] / 2
    return moved


def mirrored(node: Any) -> np.ndarray:
    return np.asarray(np.diag([-1.0, -1, 1, 1]) @ conversion.parent_of(node) @ without_parent(node))


@pytest.mark.parametrize("wrong", [without_parent, half_a_voxel_off, mirrored])
@pytest.mark.parametrize(
    "case", ["test_volumes_come_back_to_where_they_were", "test_a_slice_lies_where_it_lay", "test_outputs_grow_in_place"]
)
def test_a_conversion_that_is_wrong_fails_the_self_test(
    case: str, wrong: Callable[[Any], np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test that cannot fail is none."""
    monkeypatch.setattr(conversion, "affine_of", wrong)
    with pytest.raises(AssertionError):
        getattr(selftest.MedSynthTest(), case)()


def test_the_cases_need_no_pytest() -> None:
    files = list((MODULE_FOLDER / "MedSynthLib").glob("selftest*.py"))
    assert len(files) == 3
    assert not [path.name for path in files if "pytest" in path.read_text("utf-8")]
