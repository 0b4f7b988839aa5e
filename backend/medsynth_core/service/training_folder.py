"""The folder of one training, from which all that is known about it can be read again.

trainings/<id>/
├── order.json       what was asked for
├── state.json       what the service knows of it: `Standing`
├── child.json       what its process says: `Said`; written anew about once a second, which is its sign of life
├── child.log        the process's log
└── model/           the model folder, with its training/ folder inside
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from medsynth_core.errors import InputError
from medsynth_core.protocol import RecordT, from_json, to_json
from medsynth_core.protocol_training import TrainingInfo, TrainingRequest, TrainingState
from medsynth_core.service import durable
from medsynth_core.training.keeping import Keeping


@dataclass(frozen=True)
class Standing:
    """What the service knows of a training. `wanted` is "pause" or "stop" until it has come about.

    `furthest` is the highest step that its process ever told, `stuck` how many died since without getting further.
    """

    state: TrainingState
    created: float
    wanted: str = ""
    retries: int = 0
    furthest: int = 0
    stuck: int = 0
    error_code: str = ""
    error: str = ""
    ended: float | None = None


@dataclass(frozen=True)
class Said:
    """What a training's process says of itself. `outcome` is None until it has come to an end that was meant."""

    step: int = 0
    steps: int = 0
    seconds_left: float | None = None
    notices: tuple[str, ...] = ()
    outcome: TrainingState | None = None
    error_code: str = ""
    error: str = ""


@dataclass(frozen=True)
class TrainingFolder:
    """One training on disk."""

    path: Path

    @property
    def id(self) -> str:
        """The training's id."""
        return self.path.name

    @property
    def model(self) -> Path:
        """The model folder."""
        return self.path / "model"

    @property
    def keeping(self) -> Keeping:
        """What the training loop keeps."""
        return Keeping(self.model)

    def begin(self, request: TrainingRequest) -> None:
        """Write a new training down; state.json comes last and makes it one."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(self.path / "order.json", request)
        self.set(Standing(TrainingState.QUEUED, time.time()))

    def request(self) -> TrainingRequest:
        """Return what was asked for."""
        return _read(TrainingRequest, self.path / "order.json")

    def standing(self) -> Standing:
        """Return what the service knows."""
        return _read(Standing, self.path / "state.json")

    def set(self, standing: Standing) -> Standing:
        """Write down what the service knows, so that it survives a power cut."""
        _write(self.path / "state.json", standing)
        return standing

    def change(self, **fields: object) -> Standing:
        """Change some of it."""
        return self.set(dataclasses.replace(self.standing(), **fields))  # type: ignore[arg-type]

    def said(self) -> Said:
        """Return what the process says; the beginning of all while it has said nothing."""
        path = self.path / "child.json"
        return _read(Said, path) if path.is_file() else Said()

    def say(self, said: Said) -> None:
        """Write what the process says; a sign of life, too."""
        _write(self.path / "child.json", said, sync=False)

    def silent_seconds(self, since: float) -> float:
        """Return for how long the process has said nothing, at most since a time."""
        path = self.path / "child.json"
        return time.time() - max(since, path.stat().st_mtime if path.is_file() else 0.0)

    def info(self) -> TrainingInfo:
        """Return the training as the list shows it."""
        standing, said, keeping = self.standing(), self.said(), self.keeping
        best, runs = keeping.best(), standing.state is TrainingState.RUNNING
        return TrainingInfo(
            self.id,
            standing.state,
            self.request(),
            standing.created,
            step=said.step,
            steps=said.steps,
            seconds_left=said.seconds_left if runs else None,
            best_step=best.step if best else 0,
            lines=keeping.line_count(),
            strips=keeping.strips(),
            notices=said.notices,
            retries=standing.retries,
            error_code=standing.error_code,
            error=standing.error,
            ended=standing.ended,
        )

    def remove(self) -> None:
        """Delete it all; state.json first, so that a half deleted one is none."""
        (self.path / "state.json").unlink(missing_ok=True)
        shutil.rmtree(self.path, ignore_errors=True)


def folders_in(root: Path) -> tuple[TrainingFolder, ...]:
    """Return the trainings below a folder, oldest first; what was half written or half deleted is swept.

    One that cannot be read, such as that of a newer service, is left alone.
    """
    whole = []
    for folder in map(TrainingFolder, sorted(root.iterdir()) if root.is_dir() else []):
        if not (folder.path / "state.json").is_file():
            shutil.rmtree(folder.path, ignore_errors=True)
            continue
        with contextlib.suppress(InputError):
            whole.append((folder.standing().created, folder))
    return tuple(folder for _, folder in sorted(whole, key=lambda one: (one[0], one[1].id)))


def _write(path: Path, record: object, sync: bool = True) -> None:
    durable.write_file(path, json.dumps(to_json(record)).encode(), sync=sync)


def _read(kind: type[RecordT], path: Path) -> RecordT:
    try:
        return from_json(kind, json.loads(path.read_text("utf-8")), path.name)
    except (OSError, ValueError):
        raise InputError(f"{path.name} of this training is missing or damaged: remove the training") from None
