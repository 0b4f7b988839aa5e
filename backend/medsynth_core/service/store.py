"""Everything the service keeps on disk: journal, uploaded arrays, results; and how much room there is for them."""

from __future__ import annotations

import shutil
from pathlib import Path

from medsynth_core.errors import NotFoundError, StorageFullError
from medsynth_core.protocol import JobInfo, OutputInfo
from medsynth_core.service import durable
from medsynth_core.service.arrays import ArrayStore
from medsynth_core.service.config import ServiceConfig
from medsynth_core.service.frames import KeptSlice
from medsynth_core.service.journal import Journal
from medsynth_core.service.results import ResultVolume, folder_bytes

MIB = 2**20
_BALLAST_BYTES = 4 * MIB


class Store:
    """The state folder of a running service.

    A ballast file keeps a few MiB, so that a full disk can still be journaled: it is given up then, and taken back later.
    """

    def __init__(self, config: ServiceConfig) -> None:
        self._config = config
        self._jobs_folder = config.home / "jobs"
        self._jobs_folder.mkdir(exist_ok=True, mode=0o700)
        self.arrays = ArrayStore(config.home / "arrays")
        self.journal = Journal(config.home / "journal.sqlite3", self.drop_ballast)
        self._ballast = config.home / "ballast"
        for folder in (self._jobs_folder, config.home / "arrays"):
            durable.sweep(folder)

    def close(self) -> None:
        """Close the journal."""
        self.journal.close()

    def result(self, job: JobInfo, output: str) -> ResultVolume:
        """Return an announced output of a job; an empty name means its only or first one. Raises NotFoundError."""
        for info in job.outputs:
            if info.name == (output or job.outputs[0].name):
                return ResultVolume(self.job_folder(job.id), info)
        known = ", ".join(info.name for info in job.outputs) or "none yet"
        raise NotFoundError(f"job {job.id[:8]} has no output {output[:40]!r}; it has: {known}")

    def complete_result(self, job: JobInfo, output: str) -> ResultVolume:
        """Return an output all of whose slices are there. Raises NotFoundError naming how many are."""
        result = self.result(job, output)
        made = sum(1 for name, _, _ in self.journal.slices(job.id) if name == result.output.name)
        if made < result.output.shape[1]:
            raise NotFoundError(f"{made} of {result.output.shape[1]} slices are made: ask for single slices, or resume the job")
        return result

    def job_folder(self, job: str) -> Path:
        """Return where a job's files are."""
        return self._jobs_folder / job

    def sound_slices(self, outputs: tuple[OutputInfo, ...], job: str, rows: list[tuple[str, int, str]]) -> list[KeptSlice]:
        """Return which journaled slices are on disk with the right bytes. Touches files only: safe in any thread."""
        volumes = {info.name: ResultVolume(self.job_folder(job), info) for info in outputs}
        return [KeptSlice(name, z, sha) for name, z, sha in rows if name in volumes and volumes[name].is_sound(z, sha)]

    def measure(self, job: str) -> int:
        """Return the bytes a job's results take."""
        return folder_bytes(self.job_folder(job))

    def delete(self, job: str) -> None:
        """Remove a job, its results, and the arrays only it used (an hour later)."""
        self.journal.delete(job)
        shutil.rmtree(self.job_folder(job), ignore_errors=True)

    def keep_budget(self) -> None:
        """Delete the oldest ended jobs without a star until the results fit the byte budget."""
        excess = self.journal.total_bytes() - self._config.budget_bytes
        for job, size in self.journal.evictable() if excess > 0 else []:
            if excess <= 0:
                break
            self.delete(job)
            excess -= size

    def drop_unused_arrays(self) -> None:
        """Remove uploads that no job names any more."""
        self.arrays.drop_unused(self.journal.is_input)

    def has_room(self, needed: int = 0) -> bool:
        """Return whether `needed` bytes fit on the disk without touching the reserve."""
        return shutil.disk_usage(self._config.home).free >= needed + self._config.reserve_bytes

    def check_room(self, needed: int) -> None:
        """Raise StorageFullError unless `needed` bytes fit."""
        if not self.has_room(needed):
            raise StorageFullError(
                f"the disk has less than {(needed + self._config.reserve_bytes) // MIB} MiB free: "
                "delete results from the history, or move MEDSYNTH_HOME to a larger disk"
            )

    def take_ballast(self) -> None:
        """Occupy the ballast file, if there is room."""
        if not self._ballast.exists() and self.has_room(_BALLAST_BYTES):
            durable.write_file(self._ballast, bytes(_BALLAST_BYTES), sync=False)

    def drop_ballast(self) -> None:
        """Give the ballast's room to the journal."""
        self._ballast.unlink(missing_ok=True)
