"""Results of which some are kept out as possible copies: their records, and what an earlier run has made of them.

A result that is kept out has its record, too, under `left_out`, and the journal says so: a second run neither saves it nor
makes it again, until another rule asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from medsynth_core.cli_batch import State
from medsynth_core.cli_journal import Journal
from medsynth_core.cli_records import read_records, write_records
from medsynth_core.copy_rule import KEPT_OUT, CopyRule, Parting
from medsynth_core.protocol import to_json
from medsynth_core.quality import KEY

LEFT_OUT = "left_out"


class Checked(Protocol):
    """A record that says what the rule about copies made of its result, and by which badge."""

    @property
    def copy_check(self) -> str:
        """What was said; empty where nothing was judged."""

    @property
    def quality(self) -> dict[str, Any]:
        """The badge as in the recipe."""


CheckedT = TypeVar("CheckedT", bound=Checked)


def read_checked(path: Path, record: type[CheckedT], key: str) -> tuple[CheckedT, ...]:
    """Return the records of a file, of what was saved and what was kept out. Raises InputError for a file of another kind."""
    return (*read_records(path, record, key), *read_records(path, record, LEFT_OUT, optional=True))


def write_checked(path: Path, key: str, records: Mapping[str, Checked], **about: Any) -> None:
    """Write records by name: what was saved under `key`, what was kept out under `left_out`, the names of both under `copies`."""
    copies = Parting.of({name: record.copy_check for name, record in records.items()})
    kept_out = [to_json(records[name]) for name in copies.kept_out]
    saved = [record for name, record in sorted(records.items()) if name not in copies.kept_out]
    write_records(path, key, saved, **about, copies=copies.record(), **{LEFT_OUT: kept_out})


def before(
    journal: Journal, rule: CopyRule, name: str, made_from: str, outputs: Sequence[Path], record: Checked | None
) -> State | None:
    """Return what became of a result in an earlier run, SKIPPED or LEFT_OUT; None where it must be made, or made anew."""
    if record is None or not rule.stands(record.copy_check, {KEY: record.quality}):
        return None
    if record.copy_check != KEPT_OUT:
        return State.SKIPPED if journal.done(name, made_from, outputs) else None
    entry = journal.done(name, made_from, ())
    return State.LEFT_OUT if entry is not None and entry.kept == KEPT_OUT else None


def leave_out(journal: Journal, name: str, made_from: str, outputs: Sequence[Path], seconds: float, job: str) -> None:
    """Note that a result which was begun is kept out; files of it that an earlier run saved are removed."""
    from medsynth_core.formats.limits import remove

    for path in outputs:
        remove(path)  # ours: the journal has seen to that
    journal.finish(name, made_from, (), seconds, KEPT_OUT, job)
