"""Makes the service's environment: a virtual environment in the state folder, filled by its own pip, verified before use.

Each step tells what it does; cancel ends the step that runs. Nothing is installed into Slicer.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import medsynth_core
from MedSynthLib import commands, environment
from MedSynthLib.environment import Chosen, EnvironmentProblem, Reason

CPU_WHEELS = "https://download.pytorch.org/whl/cpu"
NEEDED_BYTES = {"cpu": 3 * 2**30, "cuda": 10 * 2**30}
NETWORK_WORDS = (
    "after connection broken by",
    "incomplete-download",
    "IncompleteRead",
    "ConnectionResetError",
    "Temporary failure in name resolution",
    "Failed to establish a new connection",
    "Name or service not known",
    "nodename nor servname",
    "getaddrinfo failed",
    "NewConnectionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ProxyError",
    "SSLError",
)
NOTHING_FOUND, DAMAGED = "(from versions: none)", "DO NOT MATCH THE HASHES"
"""What pip says of an index that gives no page, whatever the reason; and of a file that is not what the index promised."""
DISK_WORDS = ("No space left on device", "[Errno 28]", "[Errno 122]", "There is not enough space", "Disk quota exceeded")
ELSEWHERE = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER")
"""What would make pip install into another place than the environment it belongs to."""
_INTERESTING = re.compile(r"^\s*(Collecting|Downloading|Installing|Building|Successfully|Preparing)\s+(.*)")


@dataclass(frozen=True)
class Step:
    """What happens now: step `number` of `count`, and a few words that may change while it runs."""

    number: int
    count: int
    text: str


@dataclass(frozen=True)
class Plan:
    """What is installed: `requirement` for pip, torch from `torch_index` (empty: where pip looks anyway), room it needs."""

    requirement: str
    torch_index: str = ""
    constraints: str = ""
    needed_bytes: int = NEEDED_BYTES["cuda"]


Tell = Callable[[Step], None]


def plan(checkout: Path | None = None, nvidia: bool | None = None) -> Plan:
    """Return what to install here: our own version, or the checkout this module lies in; torch for CUDA where there is a GPU."""
    gpu = shutil.which("nvidia-smi") is not None if nvidia is None else nvidia
    requirement = f"{checkout}[service]" if checkout else f"napari-medsynth[service]=={medsynth_core.__version__}"
    constraints = str(checkout / "constraints.txt") if checkout and (checkout / "constraints.txt").is_file() else ""
    return Plan(requirement, "" if gpu else CPU_WHEELS, constraints, NEEDED_BYTES["cuda" if gpu else "cpu"])


def checkout_of(start: Path = Path(__file__)) -> Path | None:
    """Return the checkout that this file lies in, None in an installed extension."""
    found = (folder for folder in start.resolve().parents if (folder / "backend/medsynth_core/service").is_dir())
    return next(found, None)


def create(
    home: Path,
    base_python: str,
    what: Plan,
    tell: Tell = lambda step: None,
    cancelled: threading.Event | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Chosen:
    """Make an environment with the interpreter `base_python`, verify it, use it from now on, and remove the ones before it.

    May take many minutes: call it on a thread. Raises EnvironmentProblem; whatever happens, the one in use stays in use until
    the new one works, and the next try begins anew.
    """
    making = _Making(what, tell, cancelled or threading.Event(), environ)
    with environment.said_in_words(), environment.making(home) as folder:
        environment.sweep(home)
        return _make(home, folder / uuid.uuid4().hex[:8], lambda made: making.fill(made, base_python))


def _make(home: Path, made: Path, fill: Callable[[Path], None]) -> Chosen:
    try:
        fill(made)
        used = environment.point(home, Chosen(str(environment.python_of(made)), made.name))
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    environment.sweep(home)
    return used


class _Making:
    """One try."""

    COUNT = 5

    def __init__(self, what: Plan, tell: Tell, cancelled: threading.Event, environ: Mapping[str, str]) -> None:
        self._what, self._tell, self._cancelled, self._environ = what, tell, cancelled, into_its_own(environ)
        self._number, self._text = 0, ""

    def fill(self, folder: Path, base_python: str) -> None:
        """Make and fill the virtual environment `folder`, and verify it."""
        self._begin("Checking Python and the room on the disk")
        environment.check_can_make(base_python, self._environ, self._cancelled)
        _check_room(folder.parent, self._what.needed_bytes)
        self._begin("Making the environment")
        self._run([base_python, "-m", "venv", str(folder)])
        pip = [str(environment.python_of(folder)), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
        pinned = ["-c", self._what.constraints] if self._what.constraints else []
        self._begin("Fetching torch")
        index = ["--no-deps", "--index-url", self._what.torch_index] if self._what.torch_index else []
        self._run([*pip, *pinned, *index, "torch"])
        self._begin("Fetching the engine")
        self._run([*pip, *pinned, self._what.requirement])
        self._begin("Trying it out")
        environment.verify(str(environment.python_of(folder)), self._environ, self._cancelled)

    def _begin(self, text: str) -> None:
        environment.heed(commands.Ended(0, (), self._cancelled.is_set()))
        self._number, self._text = self._number + 1, text
        self._tell(Step(self._number, self.COUNT, text))

    def _run(self, command: list[str]) -> None:
        ended = commands.run(command, self._environ, self._heard, self._cancelled)
        environment.heed(ended)
        if ended.status != 0:
            raise _problem(ended.text)

    def _heard(self, line: str) -> None:
        if found := _INTERESTING.match(line):
            self._tell(Step(self._number, self.COUNT, f"{self._text}: {found[1].lower()} {_shortened(found[2])}"))


def into_its_own(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which pip installs into the environment it belongs to, whatever a user told all pips."""
    kept = {name: value for name, value in environ.items() if name not in ELSEWHERE}
    return {**kept, "PIP_USER": "0"}


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise EnvironmentProblem(
            Reason.DISK_FULL,
            f"the environment needs {needed / 2**30:.0f} GiB and {free / 2**30:.1f} GiB are free: make room, then try again",
        )


def _problem(text: str) -> EnvironmentProblem:
    """Return what a command's last words mean.

    Of the network only what came after the last package counts: pip tells of each try that failed, also when the next did not.
    """
    if any(words in text for words in DISK_WORDS):
        return EnvironmentProblem(Reason.DISK_FULL, "the disk is full: make room, then try again")
    lines = text.splitlines()
    begun = max((number for number, line in enumerate(lines) if _INTERESTING.match(line)), default=0)
    if any(words in line for line in lines[begun:] for words in NETWORK_WORDS):
        return EnvironmentProblem(
            Reason.NO_NETWORK,
            "the packages cannot be reached: check the network (or the proxy in pip's settings) and try again",
        )
    if NOTHING_FOUND in text:
        return EnvironmentProblem(
            Reason.NO_NETWORK,
            "no packages were found: check the network (or proxy and index in pip's settings) and try again; if both are well, "
            "there are none for this machine",
        )
    if DAMAGED in text:
        return EnvironmentProblem(Reason.BROKEN, "a package arrived damaged: try again")
    errors = [line for line in lines if line.startswith("ERROR") or "rror:" in line]
    last = (errors or lines or ["no reason was given"])[-1]
    return EnvironmentProblem(Reason.BROKEN, f"a package could not be installed ({_shortened(last, 200)}): try again")


def _shortened(text: str, length: int = 60) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
