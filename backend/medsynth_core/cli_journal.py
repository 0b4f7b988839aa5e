"""What a command has made, and from what: a small file in the output folder, so that a second run does only what is missing.

A result is done if it was made from the same bytes, model and parameters, and its files are there. A file that is not listed, or
was changed since, is somebody's work: it is never overwritten unasked.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medsynth_core.errors import FormatError, InputError
from medsynth_core.protocol import from_json, to_json

NAME = ".msynth-refine.json"
VERSION = 1


@dataclass(frozen=True)
class Entry:
    """One result: the digest of what it was made from, that of each file by its place; empty while it is being made.

    `job` is the service's job that makes it, or made it, where the command can go on with one.
    """

    made_from: str
    files: dict[str, str]
    seconds: float = 0.0
    kept: str = ""
    job: str = ""


class Journal:
    """The journal of one output folder; may be used from several threads."""

    def __init__(self, folder: Path, again: bool = False, name: str = NAME) -> None:
        self._folder, self._again, self._name = folder, again, name
        self._lock = threading.Lock()  # guards _entries and the file
        self._entries = {} if again else _read(folder / name)
        if (folder / name).exists():
            from medsynth_core.formats.limits import sweep

            sweep(folder)

    def done(self, name: str, made_from: str, outputs: Sequence[Path]) -> Entry | None:
        """Return the entry of a result that need not be made again, else None."""
        with self._lock:
            entry = self._entries.get(name)
        if entry is None or entry.made_from != made_from or not all(entry.files.get(self._place(path)) for path in outputs):
            return None
        return entry if all(path.exists() for path in outputs) else None

    def job(self, name: str, made_from: str) -> str:
        """Return the job that was started to make a result from the same, or made it; empty if there is none."""
        with self._lock:
            entry = self._entries.get(name)
        return entry.job if entry is not None and entry.made_from == made_from else ""

    def begin(self, name: str, outputs: Sequence[Path], made_from: str = "", job: str = "") -> None:
        """Note that a result is being made, and by which job. Raises InputError when a file there is not ours to replace."""
        with self._lock:
            entry = self._entries.get(name)
        for path in outputs:
            known = entry.files.get(self._place(path)) if entry else None
            if path.exists() and not self._again and known != "" and known != digest(path):
                raise InputError(f"{path.name} is there already and not as this command made it: move it away, or add --again")
        self._put(name, Entry(made_from, {self._place(path): "" for path in outputs}, job=job))

    def finish(self, name: str, made_from: str, outputs: Sequence[Path], seconds: float, kept: str = "", job: str = "") -> None:
        """Note that a result is complete."""
        files = {self._place(path): digest(path) for path in outputs}
        self._put(name, Entry(made_from, files, round(seconds, 2), kept, job))

    def _put(self, name: str, entry: Entry) -> None:
        from medsynth_core.formats.limits import write_file

        with self._lock:
            self._entries[name] = entry
            content = {"version": VERSION, "results": to_json(self._entries)}
            write_file(self._folder / self._name, json.dumps(content, indent=1, sort_keys=True).encode())

    def _place(self, path: Path) -> str:
        return Path(os.path.relpath(path, self._folder)).as_posix()


def digest(path: Path) -> str:
    """Return the sha256 of a file's bytes, or of the names and bytes in a folder."""
    if not path.is_dir():
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    total = hashlib.sha256()
    for inner in sorted(p for p in path.rglob("*") if p.is_file()):
        total.update(f"{inner.relative_to(path).as_posix()} {digest(inner)}\n".encode())
    return total.hexdigest()


def origin(inputs: Sequence[Path | None], terms: dict[str, Any]) -> str:
    """Return one digest of the bytes of the inputs and of the terms: model, its weights, seed, parameters."""
    made_from = {"inputs": ["" if path is None else digest(path) for path in inputs], **terms}
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def _read(path: Path) -> dict[str, Entry]:
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text("utf-8"))
        if content["version"] != VERSION:
            raise FormatError(
                f"{path} is of version {content['version']}: this MedSynth reads {VERSION}; add --again to start over"
            )
        return from_json(dict[str, Entry], content["results"], "results")
    except (ValueError, KeyError, TypeError, InputError) as problem:
        if isinstance(problem, FormatError):
            raise
        raise FormatError(f"{path} is damaged: add --again to start over") from None
