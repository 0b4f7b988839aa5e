"""A JSON file of records that stands beside what a command made: read to go on, written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import medsynth_core
from medsynth_core.errors import InputError
from medsynth_core.protocol import from_json, to_json

FORMAT = 1
RecordT = TypeVar("RecordT")


def read_records(path: Path, record: type[RecordT], key: str, optional: bool = False) -> tuple[RecordT, ...]:
    """Return the records under `key`; none where the file is not there. Raises InputError for a file of another kind.

    With `optional` the key need not be there: files of older versions have it not.
    """
    if not path.exists():
        return ()
    try:
        content = json.loads(path.read_text("utf-8"))
        if content["format"] != FORMAT:
            raise InputError(f"format {content['format']}")
        found = content.get(key, []) if optional else content[key]
        records: tuple[RecordT, ...] = from_json(tuple[record, ...], found, key)  # type: ignore[valid-type]
        return records
    except (ValueError, KeyError, TypeError, InputError):
        raise InputError(f"{path} is there already and not as this command wrote it: move it away, or add --again") from None


def write_records(path: Path, key: str, records: Sequence[Any], **about: Any) -> None:
    """Write records under `key`, marked as synthetic, after `about`."""
    from medsynth_core.formats.limits import write_file

    maker = f"MedSynth {medsynth_core.__version__}"
    content = {"format": FORMAT, "made_by": maker, "synthetic": True, **about, key: [to_json(record) for record in records]}
    write_file(path, (json.dumps(content, indent=1) + "\n").encode())
