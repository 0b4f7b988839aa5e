"""`manifest.json` of `msynth nuclei`: by which model, on what terms, and for each pair what was asked and got."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medsynth_core.cli_checked import read_checked, write_checked
from medsynth_core.cli_nuclei_order import Piece
from medsynth_core.protocol import JobInfo, ModelCard
from medsynth_core.quality import KEY as QUALITY

NAME, KEY = "manifest.json", "pairs"
WRITE_SECONDS = 5.0
"""A manifest of thousands of pairs is not written anew for each of them."""


@dataclass(frozen=True)
class Record:
    """One pair: its files in the folder, its seed, what was asked of it, what was counted in it, and its badge.

    `copy_check` is what the rule about copies says of it; of a pair that is kept out there are no files.
    """

    name: str
    image: str
    instances: str
    structure: str
    seed: int
    asked: dict[str, Any]
    nuclei: int
    density: float
    size_px: float
    flags: tuple[str, ...]
    quality: dict[str, Any] = field(default_factory=dict)
    copy_check: str = ""


def record_of(piece: Piece, asked: Mapping[str, Any], info: JobInfo, copy_check: str) -> Record:
    """Return the record of a job that is done."""
    recipe = info.recipe
    image, instances, structure = (path.relative_to(piece.folder).as_posix() for path in piece.outputs)
    return Record(
        piece.name,
        image,
        instances,
        structure,
        piece.seed,
        dict(asked),
        int(recipe.get("got_nuclei", 0)),
        float(recipe.get("got_density", 0.0)),
        float(recipe.get("got_size", 0.0)),
        tuple(str(value) for key, value in recipe.items() if key.startswith("flag")),
        dict(recipe.get(QUALITY, {})),
        copy_check,
    )


class Manifest:
    """The manifest of an output folder; pairs of earlier runs are kept."""

    def __init__(self, folder: Path, card: ModelCard, again: bool = False) -> None:
        self._path, self._card = folder / NAME, card
        self._records = {} if again else {record.name: record for record in read_checked(self._path, Record, KEY)}
        self._written = 0.0

    def record(self, name: str) -> Record | None:
        """Return the record of a pair that is there, or is kept out."""
        return self._records.get(name)

    def put(self, record: Record) -> None:
        """Note a pair; written now and then, and at the end by `write`."""
        self._records[record.name] = record
        if time.monotonic() - self._written > WRITE_SECONDS:
            self.write()

    def write(self) -> None:
        """Write the file, whole or not at all; nothing where there is no pair."""
        if not self._records:
            return
        about = {"id": self._card.id, "license": self._card.license, "data": self._card.data, "sha256": self._card.sha256}
        write_checked(self._path, KEY, self._records, model=about)
        self._written = time.monotonic()
