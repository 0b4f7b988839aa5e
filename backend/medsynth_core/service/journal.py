"""The journal: jobs, events, slices and leases in one SQLite file (WAL), so that a killed service loses nothing.

What a client was promised (an accepted job, its end, a star) is committed with `synchronous=FULL` and survives a power cut.
Events and slices in between are committed with NORMAL: they survive the death of any process, and after a power cut the few
last slices are simply made again. So a short job costs two syncs here, not one an event.

One connection, used by the service's event loop only: there is no lock because there is no second thread.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from medsynth_core.errors import NotFoundError, ServiceError
from medsynth_core.protocol import Event, JobInfo, JobRequest, JobState, OutputInfo, from_json, to_json

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, key TEXT UNIQUE NOT NULL, digest TEXT NOT NULL,
    state TEXT NOT NULL, request TEXT NOT NULL, recipe TEXT NOT NULL, outputs TEXT NOT NULL DEFAULT '[]',
    created REAL NOT NULL, started REAL, ended REAL, done INTEGER NOT NULL DEFAULT 0, total INTEGER NOT NULL DEFAULT 0,
    retries INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0, events INTEGER NOT NULL DEFAULT 0,
    error_code TEXT NOT NULL DEFAULT '', error TEXT NOT NULL DEFAULT '', starred INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0);
CREATE INDEX jobs_by_state ON jobs (state);
CREATE TABLE events (job TEXT NOT NULL, number INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (job, number)) WITHOUT ROWID;
CREATE TABLE slices (job TEXT NOT NULL, output TEXT NOT NULL, z INTEGER NOT NULL, sha256 TEXT NOT NULL,
    PRIMARY KEY (job, output, z)) WITHOUT ROWID;
CREATE TABLE inputs (job TEXT NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY (job, sha256)) WITHOUT ROWID;
CREATE TABLE leases (lease TEXT PRIMARY KEY, name TEXT NOT NULL, expires REAL NOT NULL) WITHOUT ROWID;
"""
_JOBS = "SELECT *, (SELECT COUNT(*) FROM slices WHERE slices.job = jobs.id) AS slices_done FROM jobs "
_ENDED = tuple(state.value for state in JobState if state.ended)


class Journal:
    """The open journal file. `make_room` frees a little disk space. Raises ServiceError when a newer MedSynth wrote it."""

    def __init__(self, path: Path, make_room: Callable[[], None]) -> None:
        self._make_room = make_room
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._durable: bool | None = None
        self._db.execute("PRAGMA journal_mode=WAL")
        self._migrate()

    def close(self) -> None:
        """Close the file; what was committed stays."""
        self._db.close()

    def accept(self, job: str, key: str, digest: str, request: JobRequest, recipe: dict[str, Any], queued: Event) -> None:
        """Add a job with its first event, durably: once this returns the job is never lost."""

        def act() -> None:
            self._db.execute(
                "INSERT INTO jobs (id, key, digest, state, request, recipe, created) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (job, key, digest, JobState.QUEUED.value, _dump(request), _dump(recipe), queued.time),
            )
            self._db.executemany("INSERT OR IGNORE INTO inputs VALUES (?, ?)", [(job, s) for s in request.inputs.values()])
            self._append(job, queued)

        self._commit(True, act)

    def find_key(self, key: str) -> tuple[str, str] | None:
        """Return (job id, digest of the body) of the job accepted under an idempotency key."""
        row = self._db.execute("SELECT id, digest FROM jobs WHERE key = ?", (key,)).fetchone()
        return (row["id"], row["digest"]) if row else None

    def record(self, job: str, *events: Event, durable: bool = False, **columns: Any) -> None:
        """Set columns of a job and append numbered events, in one transaction."""

        def act() -> None:
            if columns:
                settings = ", ".join(f"{name} = ?" for name in columns)
                self._db.execute(f"UPDATE jobs SET {settings} WHERE id = ?", (*columns.values(), job))
            for event in events:
                self._append(job, event)

        self._commit(durable, act)

    def record_slice(self, job: str, sha256: str, event: Event) -> None:
        """Add a slice that is already on disk, with its event."""

        def act() -> None:
            self._db.execute("INSERT OR REPLACE INTO slices VALUES (?, ?, ?, ?)", (job, event.output, event.z, sha256))
            self._append(job, event)

        self._commit(False, act)

    def slices(self, job: str) -> list[tuple[str, int, str]]:
        """Return (output, z, sha256) of each journaled slice of a job."""
        return [tuple(r) for r in self._db.execute("SELECT output, z, sha256 FROM slices WHERE job = ? ORDER BY z", (job,))]

    def forget_slices(self, job: str, lost: list[tuple[str, int]]) -> None:
        """Remove slices whose bytes on disk are not what was written."""
        gone = [(job, *one) for one in lost]
        self._commit(False, lambda: self._each("DELETE FROM slices WHERE job = ? AND output = ? AND z = ?", gone))

    def job(self, job: str) -> JobInfo:
        """Return a job. Raises NotFoundError."""
        row = self._db.execute(_JOBS + "WHERE id = ?", (job,)).fetchone()
        if row is None:
            raise _not_found(job)
        return _info(row)

    def state(self, job: str) -> JobState:
        """Return a job's state. Raises NotFoundError."""
        row = self._db.execute("SELECT state FROM jobs WHERE id = ?", (job,)).fetchone()
        if row is None:
            raise _not_found(job)
        return JobState(row[0])

    def attempts(self, job: str) -> int:
        """Return how often a job was handed to a worker."""
        return int(self._db.execute("SELECT attempts FROM jobs WHERE id = ?", (job,)).fetchone()[0])

    def jobs(self, limit: int = 1000) -> tuple[JobInfo, ...]:
        """Return jobs, newest first."""
        return tuple(map(_info, self._db.execute(_JOBS + "ORDER BY seq DESC LIMIT ?", (limit,))))

    def unfinished(self) -> tuple[JobInfo, ...]:
        """Return the jobs that have not ended, oldest first."""
        return tuple(map(_info, self._db.execute(_JOBS + f"WHERE state NOT IN {_ENDED} ORDER BY seq")))

    def history(self, limit: int, search: str, starred: bool | None) -> tuple[JobInfo, ...]:
        """Return ended jobs, newest first, whose request holds the text `search` and whose star is as asked (None: either)."""
        pattern = "%" + search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        rows = self._db.execute(
            _JOBS
            + f"WHERE state IN {_ENDED} AND request LIKE ? ESCAPE '\\' AND (? IS NULL OR starred = ?) ORDER BY seq DESC LIMIT ?",
            (pattern, starred, starred, limit),
        )
        return tuple(map(_info, rows))

    def evictable(self) -> list[tuple[str, int]]:
        """Return (job, bytes) of ended jobs without a star, oldest first."""
        query = f"SELECT id, bytes FROM jobs WHERE state IN {_ENDED} AND starred = 0 ORDER BY ended"
        return [tuple(row) for row in self._db.execute(query)]

    def total_bytes(self) -> int:
        """Return the size of all results."""
        return int(self._db.execute("SELECT COALESCE(SUM(bytes), 0) FROM jobs").fetchone()[0])

    def delete(self, job: str) -> None:
        """Forget a job and all that belongs to it."""

        def act() -> None:
            for table in ("events", "slices", "inputs"):
                self._db.execute(f"DELETE FROM {table} WHERE job = ?", (job,))
            self._db.execute("DELETE FROM jobs WHERE id = ?", (job,))

        self._commit(True, act)

    def is_input(self, sha256: str) -> bool:
        """Return whether any job uses the array."""
        return self._db.execute("SELECT 1 FROM inputs WHERE sha256 = ? LIMIT 1", (sha256,)).fetchone() is not None

    def events(self, job: str, after: int, limit: int = 1000) -> list[str]:
        """Return the JSON text of events with a number above `after`, in order."""
        query = "SELECT body FROM events WHERE job = ? AND number > ? ORDER BY number LIMIT ?"
        return [row[0] for row in self._db.execute(query, (job, after, limit))]

    def keep_lease(self, lease: str, name: str, expires: float) -> None:
        """Add or extend a lease."""
        self._commit(False, lambda: self._each("INSERT OR REPLACE INTO leases VALUES (?, ?, ?)", [(lease, name, expires)]))

    def lease_name(self, lease: str, now: float) -> str | None:
        """Return the client's name of a live lease, None when there is no such lease."""
        row = self._db.execute("SELECT name FROM leases WHERE lease = ? AND expires > ?", (lease, now)).fetchone()
        return row[0] if row else None

    def drop_lease(self, lease: str) -> None:
        """Remove a lease, if it is there."""
        self._commit(False, lambda: self._each("DELETE FROM leases WHERE lease = ?", [(lease,)]))

    def leases(self, now: float) -> int:
        """Return how many leases are alive."""
        return int(self._db.execute("SELECT COUNT(*) FROM leases WHERE expires > ?", (now,)).fetchone()[0])

    def _each(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        self._db.executemany(statement, rows)

    def _append(self, job: str, event: Event) -> None:
        (number,) = self._db.execute("UPDATE jobs SET events = events + 1 WHERE id = ? RETURNING events", (job,)).fetchone()
        numbered = dataclasses.replace(event, number=number)
        self._db.execute("INSERT INTO events VALUES (?, ?, ?)", (job, number, _dump(numbered)))

    def _commit(self, durable: bool, act: Callable[[], None]) -> None:
        """Run `act` as one transaction; on a full disk make room once and try again."""
        try:
            self._try(durable, act)
        except sqlite3.OperationalError as problem:
            if not is_full_disk(problem):
                raise
            self._make_room()
            self._try(durable, act)

    def _try(self, durable: bool, act: Callable[[], None]) -> None:
        if durable is not self._durable:
            self._db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            self._durable = durable
        self._db.execute("BEGIN IMMEDIATE")
        try:
            act()
            self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def _migrate(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise ServiceError(
                f"the journal has schema {version}, this MedSynth knows up to {SCHEMA_VERSION}: "
                "update MedSynth, or use another MEDSYNTH_HOME"
            )
        if version == 0:
            self._db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")


def is_full_disk(problem: sqlite3.OperationalError) -> bool:
    """Return whether SQLite found no room left."""
    return "full" in str(problem)


def _not_found(job: str) -> NotFoundError:
    return NotFoundError(f"there is no job {job[:40]!r}: it was deleted, or belongs to another service")


def _info(row: sqlite3.Row) -> JobInfo:
    return JobInfo(
        id=row["id"],
        state=JobState(row["state"]),
        request=from_json(JobRequest, json.loads(row["request"])),
        created=row["created"],
        started=row["started"],
        ended=row["ended"],
        done=row["done"],
        total=row["total"],
        retries=row["retries"],
        outputs=tuple(from_json(OutputInfo, one) for one in json.loads(row["outputs"])),
        slices_done=row["slices_done"],
        error_code=row["error_code"],
        error=row["error"],
        starred=bool(row["starred"]),
        recipe=json.loads(row["recipe"]),
    )


def _dump(record: Any) -> str:
    return json.dumps(to_json(record))
