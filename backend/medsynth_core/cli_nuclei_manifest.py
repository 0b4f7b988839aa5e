"""`manifest.json` of `msynth nuclei`: by which model, on what terms, and for each pair what was asked and got."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import medsynth_core
from medsynth_core.cli_nuclei_order import Piece
from medsynth_core.errors import InputError
from medsynth_core.protocol import JobInfo, ModelCard, from_json, to_json

NAME = "manifest.json"
FORMAT = 1
WRITE_SECONDS = 5.0
"""A manifest of thousands of pairs is not written anew for each of them."""


@dataclass(frozen=True)
class Record:
    """One pair: its files in the folder, its seed, what was asked of it, and what was counted in it."""

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


def record_of(piece: Piece, asked: Mapping[str, Any], info: JobInfo) -> Record:
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
    )


class Manifest:
    """The manifest of an output folder; pairs of earlier runs are kept."""

    def __init__(self, folder: Path, card: ModelCard, again: bool = False) -> None:
        self._path, self._card = folder / NAME, card
        self._records = {} if again else _read(self._path)
        self._written = 0.0

    def __contains__(self, name: str) -> bool:
        return name in self._records

    def put(self, record: Record) -> None:
        """Note a pair; written now and then, and at the end by `write`."""
        self._records[record.name] = record
        if time.monotonic() - self._written > WRITE_SECONDS:
            self.write()

    def write(self) -> None:
        """Write the file, whole or not at all; nothing where there is no pair."""
        from medsynth_core.formats.limits import write_file

        if not self._records:
            return
        about = {"id": self._card.id, "license": self._card.license, "data": self._card.data, "sha256": self._card.sha256}
        pairs = [to_json(record) for _, record in sorted(self._records.items())]
        maker = f"MedSynth {medsynth_core.__version__}"
        content = {"format": FORMAT, "made_by": maker, "synthetic": True, "model": about, "pairs": pairs}
        write_file(self._path, (json.dumps(content, indent=1) + "\n").encode())
        self._written = time.monotonic()


def _read(path: Path) -> dict[str, Record]:
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text("utf-8"))
        if content["format"] != FORMAT:
            raise InputError(f"format {content['format']}")
        return {record.name: record for record in from_json(tuple[Record, ...], content["pairs"], "pairs")}
    except (ValueError, KeyError, TypeError, InputError):
        raise InputError(f"{path} is there already and not as this command wrote it: move it away, or add --again") from None
