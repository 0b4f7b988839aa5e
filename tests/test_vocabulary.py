"""What a mask means to a model: one rule for viewers, command line and engines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from medsynth_core.errors import InputError, LabelError
from medsynth_core.protocol import LabelInfo
from medsynth_core.vocabulary import foreground, understand

POLYP = (LabelInfo(0, "background", "#000000"), LabelInfo(1, "polyp", "#ff0000"))
CELLS = (*POLYP[:1], LabelInfo(2, "nucleus", "#00ff00"), LabelInfo(5, "stroma", "#0000ff"))
DTYPES = ["bool", "uint8", "int16", "int64", "uint64", "float32", "float64"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_label_may_be_written_as_one_or_true(dtype: str) -> None:
    mask = np.eye(4).astype(dtype)
    np.testing.assert_array_equal(understand(mask, POLYP), np.eye(4, dtype=np.uint8))


def test_one_label_may_be_written_as_255() -> None:
    np.testing.assert_array_equal(understand(np.eye(4, dtype=np.uint8) * 255, POLYP), np.eye(4))


def test_a_mask_without_any_background_is_fine() -> None:
    assert understand(np.full((3, 3), 255, np.uint8), POLYP).tolist() == [[1] * 3] * 3


@given(mask=hnp.arrays(np.uint8, (5, 5), elements=st.sampled_from([0, 2, 5])))
def test_several_labels_stay_what_they_are(mask: np.ndarray) -> None:
    if not mask.any():
        with pytest.raises(InputError, match="empty: paint at least one pixel of nucleus or stroma"):
            understand(mask, CELLS)
        return
    result = understand(mask, CELLS)
    np.testing.assert_array_equal(result, mask)
    assert result.dtype == np.uint8


@given(mask=hnp.arrays(np.int64, (4, 4), elements=st.integers(-(2**40), 2**40)))
def test_the_result_holds_labels_of_the_vocabulary_or_there_is_an_error(mask: np.ndarray) -> None:
    for labels in (POLYP, CELLS):
        try:
            result = understand(mask, labels)
        except InputError:
            continue
        assert set(np.unique(result)) <= {label.value for label in labels}


@pytest.mark.parametrize(("value", "labels"), [(7, POLYP), (128, POLYP), (1, CELLS), (255, CELLS), (-1, POLYP), (256, POLYP)])
def test_an_unknown_label_is_named_with_those_there_are(value: int, labels: tuple[LabelInfo, ...]) -> None:
    mask = np.zeros((4, 4), np.int32)
    mask[1, 1] = value
    with pytest.raises(LabelError, match=rf"label {value}, .*0 = background"):
        understand(mask, labels)


def test_two_values_beside_background_are_not_one_label() -> None:
    with pytest.raises(LabelError, match="label 255"):
        understand(np.array([[0, 1, 255]]), POLYP)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_is_named(value: float) -> None:
    with pytest.raises(InputError, match="NaN or infinite"):
        understand(np.array([[0.0, value]]), POLYP)


def test_fractions_are_named() -> None:
    with pytest.raises(InputError, match="fractions"):
        understand(np.array([[0.0, 0.5]]), POLYP)


@pytest.mark.parametrize("mask", [np.array([["a"]]), np.array([[1j]]), np.array([[None]])])
def test_what_is_no_number_is_refused(mask: np.ndarray) -> None:
    with pytest.raises(InputError, match="whole label numbers"):
        understand(mask, POLYP)


def test_background_is_not_foreground() -> None:
    assert [label.name for label in foreground(CELLS)] == ["nucleus", "stroma"]
