"""`manifest.json` of a data set: by which model, on what terms, each sample's recipe, what was left out and why."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from medsynth_core.cli_checked import LEFT_OUT
from medsynth_core.cli_dataset_order import Order, about_model
from medsynth_core.cli_records import read_records, write_records
from medsynth_core.copy_rule import KEPT_OUT, Parting

NAME, KEY = "manifest.json", "samples"
WRITE_SECONDS = 5.0
"""A manifest of thousands of samples is not written anew for each of them."""
NOT_CHECKED = "not checked: there was nothing to compare with"


@dataclass(frozen=True)
class Record:
    """One sample: its files in the folder, and all that it follows from beside the model: seed, mask, parameters.

    `figures` are what judges measured, `flags` what they and the engine remark, `copy_check` what the search for copies says,
    `quality` the badge that the job came with, empty where nobody measured it.
    """

    name: str
    image: str
    mask: str
    seed: int
    mask_recipe: dict[str, Any]
    params: dict[str, Any]
    noted: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    copy_check: str = NOT_CHECKED
    quality: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LeftOut:
    """A sample that was made and is not in the data set."""

    name: str
    seed: int
    reason: str
    copy: bool


class Manifest:
    """The manifest of an output folder; samples of earlier runs are kept."""

    def __init__(self, order: Order, judged_by: dict[str, Any]) -> None:
        self._order, self._judged_by = order, judged_by
        self._path = order.wish.output / NAME
        again = order.wish.again
        self._records = {} if again else {record.name: record for record in read_records(self._path, Record, KEY)}
        self._left_out = {} if again else {one.name: one for one in read_records(self._path, LeftOut, LEFT_OUT)}
        self._written = 0.0

    def record(self, name: str) -> Record | None:
        """Return the record of a sample that is there."""
        return self._records.get(name)

    def left_out(self, name: str) -> LeftOut | None:
        """Return what is known of a sample that was left out."""
        return self._left_out.get(name)

    @property
    def records(self) -> list[Record]:
        """All samples, by name."""
        return [record for _, record in sorted(self._records.items())]

    def put(self, record: Record | LeftOut) -> None:
        """Note a sample; written now and then, and at the end by `write`."""
        self._records.pop(record.name, None)
        self._left_out.pop(record.name, None)
        if isinstance(record, Record):
            self._records[record.name] = record
        else:
            self._left_out[record.name] = record
        if time.monotonic() - self._written > WRITE_SECONDS:
            self.write()

    def write(self) -> None:
        """Write the file, whole or not at all; nothing where there is no sample."""
        if not (self._records or self._left_out):
            return
        wish = self._order.wish
        left_out = [one for _, one in sorted(self._left_out.items())]
        about = {
            "model": about_model(self._order),
            "labels": {str(value): name for value, name in self._order.subject.names.items()},
            "masks": "handed in" if wish.masks else "samples that ship" if self._order.masks else "made by the model",
            "judged_by": self._judged_by,
            "copies": self._copies(),
            LEFT_OUT: [vars(one) for one in left_out],
        }
        write_records(self._path, KEY, self.records, **about)
        self._written = time.monotonic()

    def _copies(self) -> dict[str, Any]:
        kept_out = {one.name: KEPT_OUT for one in self._left_out.values() if one.copy}
        return Parting.of({record.name: record.copy_check for record in self.records} | kept_out).record()
