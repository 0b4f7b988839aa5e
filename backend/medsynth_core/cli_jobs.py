"""What commands that run jobs have in common: the model's card, a job followed to its end, a job never left behind."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from medsynth_core.cli_progress import ProgressLine, how_far
from medsynth_core.client import Job
from medsynth_core.errors import InputError, MedSynthError, ModelError, ModelNotFoundError
from medsynth_core.protocol import Capabilities, EventKind, ModelCard


def find_card(able: Capabilities, engine: str, model: str, role: str = "") -> ModelCard:
    """Return the card of an engine's model that plays a role. Raises ModelNotFoundError listing them, ModelError."""
    there = [info for info in able.models if info.engine in (engine, "") and (info.card is None or info.card.role == role)]
    for info in there:
        if info.id == model:
            if info.card is None:
                raise ModelError(info.problem)
            return info.card
    rule = f"it must be one of {', '.join(info.id for info in there)}" if there else f"none of {engine} is installed"
    raise ModelNotFoundError(f"{role or 'model'} is {model!r}: {rule}; add one with msynth models add FOLDER")


def check_output_folder(folder: Path) -> None:
    """Raise InputError for an output folder that is a file, stands nowhere or cannot be written to."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: the output is a folder, name another")
    if not folder.is_dir() and not folder.parent.is_dir():
        raise InputError(f"the folder {folder.parent} does not exist: make it first")
    if not os.access(folder if folder.exists() else folder.parent, os.W_OK):
        raise InputError(f"the folder {folder} cannot be written to: choose another")


def follow(job: Job) -> None:
    """Show a job's progress until it has ended."""
    line = ProgressLine()
    try:
        for event in job:
            if event.kind is EventKind.PROGRESS:
                line.show(how_far(event.done, event.total, event.seconds_left))
    finally:
        line.clear()


@contextlib.contextmanager
def cancelled_unless_saved(jobs: list[Job]) -> Iterator[None]:
    """Cancel, at the end, the jobs that are still on the list."""
    try:
        yield
    finally:
        for job in jobs:
            with contextlib.suppress(MedSynthError):  # the first trouble is the one to tell
                job.cancel()
