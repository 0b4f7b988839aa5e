"""Label masks against a model's vocabulary: one rule for viewers, command line and engines."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from medsynth_core.errors import InputError, LabelError
from medsynth_core.protocol import LabelInfo

LabelArray = npt.NDArray[np.uint8]


def foreground(labels: tuple[LabelInfo, ...]) -> tuple[LabelInfo, ...]:
    """Return the labels other than background (value 0)."""
    return tuple(label for label in labels if label.value != 0)


def one_hot_channels(labels: tuple[LabelInfo, ...]) -> int:
    """Return how many channels a one-hot mask of the vocabulary has: one for each value from 0 to the largest."""
    return max(label.value for label in labels) + 1


def understand(mask: npt.NDArray[np.generic], labels: tuple[LabelInfo, ...]) -> LabelArray:
    """Return `mask` as uint8 label values of the vocabulary.

    Where the vocabulary has one foreground label, a mask of two values (0 and one other: 255, True, 1) means background and
    that label. Raises InputError for NaN, fractions or an empty mask, LabelError for a value the model does not know.
    """
    whole = whole_numbers(mask)
    known = {label.value for label in labels}
    values = {int(v) for v in np.unique(whole)}
    named = foreground(labels)
    if len(named) == 1 and len(values - {0}) == 1 and values - {0} <= {1, 255, named[0].value}:
        return np.where(whole != 0, named[0].value, 0).astype(np.uint8)
    if unknown := sorted(values - known):
        legend = ", ".join(f"{label.value} = {label.name}" for label in labels)
        raise LabelError(
            f"mask holds the label {unknown[0]}, which the model does not know; it knows {legend}: map the labels first"
        )
    if values <= {0}:
        raise InputError(f"mask is empty: paint at least one pixel of {' or '.join(label.name for label in named)}")
    return whole.astype(np.uint8)


def whole_numbers(mask: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
    """Return a mask of any type as whole numbers. Raises InputError for NaN, fractions or values that are no numbers."""
    if mask.dtype.kind == "f":
        if not np.isfinite(mask).all():
            raise InputError("mask holds NaN or infinite values: a mask is whole label numbers")
        if (mask != np.rint(mask)).any():
            raise InputError("mask holds fractions: a mask is whole label numbers; threshold it first")
    elif mask.dtype.kind not in "biu":
        raise InputError(f"mask is of type {mask.dtype}: it must hold whole label numbers")
    return mask.astype(np.int64)
