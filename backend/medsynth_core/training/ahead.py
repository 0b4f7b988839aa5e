"""The next batches made while one is learned from, in a process of its own: a thread would fight for the interpreter."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from torch.utils.data import DataLoader, Dataset

BatchT = TypeVar("BatchT")


class Ahead(Dataset[BatchT], Generic[BatchT]):
    """Gives the batch of each step, made by `make(step)` alone, so working ahead changes nothing but the time it takes.

    Where processes cannot be forked, batches are made in turn.
    """

    def __init__(self, make: Callable[[int], BatchT], steps: int) -> None:
        self._make, self._steps = make, steps
        self._batches: Iterator[BatchT] = iter(())
        self._next = -1

    def __getitem__(self, step: int) -> BatchT:
        """Return the batch of a step; called in the process that works ahead."""
        return self._make(step)

    def take(self, step: int) -> BatchT:
        """Return the batch of a step and go on with those after it."""
        if step != self._next:
            self._batches = self._from(step)
        self._next = step + 1
        return next(self._batches)

    def _from(self, step: int) -> Iterator[BatchT]:
        workers = 1 if sys.platform == "linux" else 0
        return iter(DataLoader(self, None, sampler=range(step, self._steps), num_workers=workers))
