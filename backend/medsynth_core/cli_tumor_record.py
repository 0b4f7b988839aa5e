"""`request.json`: for each volume what was asked, what the engine filled in, and what was got, measured on the mask it made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from medsynth_core.cli_checked import read_checked, write_checked
from medsynth_core.cli_tumor_order import Piece
from medsynth_core.protocol import JobInfo
from medsynth_core.quality import KEY as QUALITY
from medsynth_core.tumor_words import gathered

NAME, KEY = "request.json", "volumes"
RESOLVED, GOT, FLAG = "asked_", "got_", "flag"
"""How the keys of the engine's notes begin."""


@dataclass(frozen=True)
class Record:
    """One volume. `asked` is what was given, `resolved` the request with all that was drawn, `got` is measured on the mask.

    Lengths in mm, volumes in ml, centers in world RAS. `flags` are the engine's remarks, such as a request beyond what it was
    trained on. `seconds` is the time of computing, `quality` the badge as in the recipe, `copy_check` what the rule
    about copies says of it; of a volume that is kept out there are no files.
    """

    image: str
    mask: str
    seed: int
    model: str
    model_sha256: str
    asked: dict[str, Any]
    resolved: dict[str, Any]
    got: dict[str, Any]
    flags: tuple[str, ...]
    seconds: float
    made: str
    device: str = ""
    code_version: str = ""
    quality: dict[str, Any] = field(default_factory=dict)
    copy_check: str = ""


def record_of(piece: Piece, asked: Mapping[str, Any], info: JobInfo, seconds: float, copy_check: str) -> Record:
    """Return the record of a job that is done."""
    recipe = info.recipe
    return Record(
        piece.image.name,
        piece.mask.name,
        info.request.seed,
        info.request.model,
        str(recipe.get("model_sha256", "")),
        dict(asked),
        _noted(recipe, RESOLVED),
        _noted(recipe, GOT),
        tuple(str(value) for key, value in recipe.items() if key.startswith(FLAG)),
        round(seconds, 2),
        datetime.fromtimestamp(info.ended or 0.0, UTC).isoformat(timespec="seconds"),
        str(recipe.get("device", "")),
        str(recipe.get("code_version", "")),
        dict(recipe.get(QUALITY, {})),
        copy_check,
    )


class RequestFile:
    """The `request.json` of an output folder; what stands in it of other volumes is kept."""

    def __init__(self, folder: Path, again: bool = False) -> None:
        self._path = folder / NAME
        self._records = {} if again else {record.image: record for record in read_checked(self._path, Record, KEY)}

    def record(self, image: str) -> Record | None:
        """Return the record of a volume that is there, or is kept out."""
        return self._records.get(image)

    def put(self, record: Record) -> None:
        """Write down a volume, the file whole or not at all."""
        self._records[record.image] = record
        write_checked(self._path, KEY, self._records)


def _noted(recipe: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return gathered({key.removeprefix(prefix): value for key, value in recipe.items() if key.startswith(prefix)})
