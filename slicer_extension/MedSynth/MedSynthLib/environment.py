"""The Python environment that the service runs in: never Slicer's own. Which one it is, found, chosen, verified or removed.

    state folder/
    ├── environment.json      the one in use: its interpreter, and whether we made it; written last, by rename
    └── environments/         those we made, each try in a folder of its own; what environment.json does not name is swept
        └── making.lock       held while one is made or removed

So whatever happens while one is made, the one in use stays in use, and the next try begins on clean ground.
"""

from __future__ import annotations

import enum
import errno
import json
import os
import shutil
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from medsynth_core.errors import InputError, MedSynthError
from medsynth_core.launcher import REQUIRED
from medsynth_core.lock import FolderLock
from medsynth_core.protocol import from_json, to_json
from MedSynthLib import commands

POINTER, MADE_HERE, LOCK = "environment.json", "environments", "making.lock"
OLDEST, NEWEST = (3, 11), (3, 13)
_SAY_VERSION = "import sys; print('medsynth', *sys.version_info[:2])"
_SAY_CAN_MAKE = "import venv, ensurepip; print('medsynth can make')"
_IMPORT_ALL = "import importlib, sys; [importlib.import_module(n) for n in sys.argv[1:]]; print('medsynth imports all')"


class Reason(enum.StrEnum):
    """Why there is no environment."""

    NONE = "none"
    NO_NETWORK = "no network"
    DISK_FULL = "disk full"
    WRONG_PYTHON = "wrong python"
    CANCELLED = "cancelled"
    AT_WORK = "at work"
    KILLED = "killed"
    CANNOT_MAKE = "cannot make"
    BROKEN = "broken"


class EnvironmentProblem(MedSynthError):
    """The service's environment is missing or cannot be made; the message says why and what to do."""

    code = "environment"

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Chosen:
    """The environment in use: its interpreter, and the folder if we made it (only then may we remove it)."""

    python: str
    made_here: str = ""


def chosen(home: Path) -> Chosen | None:
    """Return the environment in use, None when there is none (any more)."""
    try:
        pointer = from_json(Chosen, json.loads((home / POINTER).read_text("utf-8")))
    except (OSError, ValueError, InputError):
        return None
    return pointer if Path(pointer.python).is_file() else None


def needed(home: Path) -> Chosen:
    """Return the environment in use. Raises EnvironmentProblem that says how to get one."""
    if (found := chosen(home)) is None:
        raise EnvironmentProblem(
            Reason.NONE, "the engine has no environment yet: choose one that has napari-medsynth[service], or let one be made"
        )
    return found


def choose(home: Path, python: str, environ: Mapping[str, str] = os.environ) -> Chosen:
    """Use the interpreter of an existing environment from now on. Raises EnvironmentProblem unless the service runs with it."""
    verify(python, environ)
    with said_in_words():
        return point(home, Chosen(python, _made_here(home, python)))


def verify(python: str, environ: Mapping[str, str] = os.environ, cancelled: threading.Event | None = None) -> None:
    """Import all that the service needs in the interpreter `python`. Raises EnvironmentProblem naming what does not import."""
    check_version(python, environ, cancelled)
    names = [*REQUIRED, "medsynth_core.service", "medsynth_core.service.app"]
    ended = commands.run([python, "-P", "-c", _IMPORT_ALL, *names], environ, cancelled=cancelled)
    heed(ended)
    if ended.status != 0 or "medsynth imports all" not in ended.text:
        last = ended.lines[-1] if ended.lines else f"status {ended.status}"
        raise EnvironmentProblem(Reason.BROKEN, f"the environment does not work ({last}): repair it, or choose another one")


def check_version(
    python: str, environ: Mapping[str, str] = os.environ, cancelled: threading.Event | None = None
) -> tuple[int, int]:
    """Return the version of an interpreter. Raises EnvironmentProblem when it does not run, or is too old or too new."""
    try:
        ended = commands.run([python, "-c", _SAY_VERSION], environ, cancelled=cancelled)
    except OSError:
        raise EnvironmentProblem(Reason.WRONG_PYTHON, f"{_short(python)} does not run: choose a Python interpreter") from None
    heed(ended)
    words = (ended.lines[-1] if ended.lines else "").split()
    if ended.status != 0 or len(words) != 3 or words[0] != "medsynth":
        raise EnvironmentProblem(Reason.WRONG_PYTHON, f"{_short(python)} is no Python interpreter: choose another one")
    version = int(words[1]), int(words[2])
    if not OLDEST <= version <= NEWEST:
        known = " to ".join(f"{major}.{minor}" for major, minor in (OLDEST, NEWEST))
        raise EnvironmentProblem(
            Reason.WRONG_PYTHON,
            f"{_short(python)} is Python {version[0]}.{version[1]}: it must be {known}; install one from python.org",
        )
    return version


def check_can_make(python: str, environ: Mapping[str, str] = os.environ, cancelled: threading.Event | None = None) -> None:
    """Raise EnvironmentProblem unless an interpreter fits and can make environments: Debian ships Python without that part."""
    major, minor = check_version(python, environ, cancelled)
    ended = commands.run([python, "-c", _SAY_CAN_MAKE], environ, cancelled=cancelled)
    heed(ended)
    if ended.status != 0 or "medsynth can make" not in ended.text:
        raise EnvironmentProblem(
            Reason.CANNOT_MAKE,
            f"{_short(python)} cannot make environments: install what lacks (sudo apt install python{major}.{minor}-venv), "
            "or choose another Python",
        )


def heed(ended: commands.Ended) -> None:
    """Raise EnvironmentProblem when a command was cancelled, or killed by somebody else."""
    if ended.cancelled:
        raise EnvironmentProblem(Reason.CANCELLED, "making the environment was cancelled; nothing was changed")
    if ended.status < 0:
        raise EnvironmentProblem(
            Reason.KILLED, f"a program was ended from outside (signal {-ended.status}; is memory short?): try again"
        )


def interpreters(environ: Mapping[str, str], own_folder: Path | None = None) -> list[str]:
    """Return the Python interpreters on the PATH that may carry an environment, newest name first; none of Slicer's own.

    `own_folder` is where Slicer is installed: what it brings works for itself alone.
    """
    minors = range(NEWEST[1], OLDEST[1] - 1, -1)
    names = [f"python3.{minor}" for minor in minors] + ["python3", "python"]
    found = [shutil.which(name, path=environ.get("PATH", "")) for name in names]
    return list(dict.fromkeys(path for path in found if path and not _is_within(path, own_folder)))


def fitting(environ: Mapping[str, str], own_folder: Path | None = None) -> str:
    """Return the first interpreter on the PATH that runs, fits and can make environments (a shim of pyenv may do none of it).

    Raises EnvironmentProblem when there is none.
    """
    unable: EnvironmentProblem | None = None
    for python in interpreters(environ, own_folder):
        try:
            check_can_make(python, environ)
        except EnvironmentProblem as problem:
            unable = unable or (problem if problem.reason is Reason.CANNOT_MAKE else None)
            continue
        return python
    if unable is not None:
        raise unable
    known = " to ".join(f"{major}.{minor}" for major, minor in (OLDEST, NEWEST))
    raise EnvironmentProblem(Reason.WRONG_PYTHON, f"no Python {known} was found: install one from python.org, or choose one")


def remove(home: Path) -> None:
    """Remove the environments we made, and forget the one in use; one of the user's own is left as it is.

    Raises EnvironmentProblem while one is being made. End the service first.
    """
    with said_in_words(), making(home):
        (home / POINTER).unlink(missing_ok=True)
        sweep(home)


def sweep(home: Path) -> None:
    """Remove what tries that failed or were killed left behind; the lock must be held."""
    used = chosen(home)
    for folder in (home / MADE_HERE).iterdir():
        if folder.is_dir() and not (used and used.made_here == folder.name):
            shutil.rmtree(folder, ignore_errors=True)


def point(home: Path, to: Chosen) -> Chosen:
    """Use an environment from now on."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = home / f"{POINTER}.partial"
    with open(fresh, "w", encoding="utf-8") as file:
        json.dump(to_json(to), file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, home / POINTER)
    return to


@contextmanager
def making(home: Path) -> Iterator[Path]:
    """Hold the lock under which environments are made and removed; give their folder. Raises EnvironmentProblem if it is held."""
    folder = home / MADE_HERE
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FolderLock(folder, LOCK)
    if not lock.acquire(patience_s=0.2):
        raise EnvironmentProblem(Reason.AT_WORK, "an environment is being made by another window: wait, or cancel it there")
    try:
        yield folder
    finally:
        lock.release()


@contextmanager
def said_in_words() -> Iterator[None]:
    """Turn what the disk refuses into EnvironmentProblem, which names no path."""
    try:
        yield
    except OSError as problem:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            raise EnvironmentProblem(Reason.DISK_FULL, "the disk is full: make room, then try again") from None
        reason = problem.strerror or type(problem).__name__
        raise EnvironmentProblem(
            Reason.BROKEN, f"your data folder cannot be written ({reason}): see to it, then try again"
        ) from None


def python_of(folder: Path) -> Path:
    """Return the interpreter in a virtual environment's folder."""
    return folder / "Scripts" / "python.exe" if sys.platform == "win32" else folder / "bin" / "python"


def _made_here(home: Path, python: str) -> str:
    """Return the folder of an interpreter that lies in an environment we made, empty for any other: it must not be swept."""
    place, folders = Path(os.path.abspath(python)), Path(os.path.abspath(home / MADE_HERE))
    return place.relative_to(folders).parts[0] if place.is_relative_to(folders) else ""


def _short(python: str) -> str:
    return Path(python).name


def _is_within(path: str, folder: Path | None) -> bool:
    return folder is not None and Path(path).resolve().is_relative_to(folder.resolve())
