"""Row 5: `msynth nuclei --count N` as a user runs it: how fast, with which line of progress, and what a kill -9 leaves behind."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.tumor_service import Served, Watch, serving
from benchmarks.verdicts import Row
from medsynth_core.cli_nuclei_order import IMAGES
from medsynth_core.cli_nuclei_run import JOURNAL
from medsynth_core.launcher import clean_environment

PATIENCE_S = 600.0
LOOK_S = 0.02
PROGRESS = re.compile(r"\d+ of \d+[^\r\033]*pairs a minute\)")
SAME = "bit-identical"


@dataclass(frozen=True)
class Run:
    """One run of the command to its end: seconds, and the last line of progress it showed."""

    seconds: float
    progress: str


def command_rows(model: Path, count: int) -> list[Row]:
    """Row 5: pairs a minute and the worker's memory, undisturbed; then the same killed in the middle, and gone on with."""
    with serving(model) as served, tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder, "whole"), Path(folder, "killed")
        served.client.submit("nuclei", served.model, seed=0).wait()  # warms the worker
        with Watch(served.worker()) as watch:
            run = to_end(served, whole, count)
        there = killed_midway(served, killed, count)
        again = to_end(served, killed, count)
        different, files = differing(whole, killed), len(hashes(whole))
    note = f"{run.seconds:.1f} s with its start; last line of progress: {run.progress}"
    return [
        Row(5, f"msynth nuclei --count {count}", 60 * count / run.seconds, "pairs/min", note=note),
        _kill_row(different, files, f"{there} of {count}", again.seconds),
        Row(5, "memory of the worker, peak", watch.gb, "GB"),
    ]


def to_end(served: Served, folder: Path, count: int) -> Run:
    """Run the command on a terminal of its own. Raises CalledProcessError where it fails."""
    screen, end = os.openpty()
    shown: list[bytes] = []
    reader = threading.Thread(target=_read, args=(screen, shown), daemon=True)
    reader.start()
    began = time.perf_counter()
    try:
        subprocess.run(
            command(served, folder, count), env=_environment(served), stdout=subprocess.DEVNULL, stderr=end, check=True
        )
        seconds = time.perf_counter() - began
    finally:
        os.close(end)
        reader.join()
        os.close(screen)
    lines = PROGRESS.findall(b"".join(shown).decode(errors="replace"))
    return Run(seconds, lines[-1] if lines else "none shown")


def killed_midway(served: Served, folder: Path, count: int) -> int:
    """Start the command, kill -9 it and the worker when about half of the images are there; return how many were."""
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command(served, folder, count), env=_environment(served), stdout=quiet, stderr=quiet)
    deadline = time.monotonic() + PATIENCE_S
    while _images(folder) < max(1, count // 2) and process.poll() is None:
        if time.monotonic() > deadline:
            process.kill()
            raise TimeoutError(f"{_images(folder)} of {count} pairs were there after {PATIENCE_S:g} s")
        time.sleep(LOOK_S)
    process.kill()
    process.wait()
    with contextlib.suppress(psutil.NoSuchProcess):
        served.worker().kill()
    return _images(folder)


def command(served: Served, folder: Path, count: int) -> list[str]:
    """Return the words of the command."""
    start = [sys.executable, "-m", "medsynth_core.cli", "nuclei", "-o", str(folder), "--model", served.model]
    return [*start, "--count", str(count), "--seed", "1"]


def differing(a: Path, b: Path) -> list[str]:
    """Return the files that only one of two folders has, or that differ; the journal, which holds times and job ids, aside."""
    first, second = hashes(a), hashes(b)
    return sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))


def hashes(folder: Path) -> dict[str, str]:
    """Return the sha256 of each file by its place."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != JOURNAL]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _kill_row(different: list[str], files: int, there: str, seconds: float) -> Row:
    note = f"of {files}; killed with the worker when {there} images were there; the second run took {seconds:.1f} s"
    if different:
        note += f"; {len(different)} files differ, the first {different[0]}"
    return Row(5, "kill -9, same command again: files that differ", len(different), "", SAME, not different, note)


def _images(folder: Path) -> int:
    return len(list((folder / IMAGES).glob("*.png")))


def _environment(served: Served) -> dict[str, str]:
    return clean_environment({**os.environ, "MEDSYNTH_HOME": str(served.home)})


def _read(screen: int, shown: list[bytes]) -> None:
    with contextlib.suppress(OSError):  # Linux says the other end is closed with an error
        while part := os.read(screen, 4096):
            shown.append(part)
