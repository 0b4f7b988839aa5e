"""What a training keeps in its folder, and how it is read while the training goes on. Needs no torch.

    model folder/
    └── training/
        ├── checkpoint.safetensors    what it goes on from
        ├── log.jsonl                 a `TrainingLine` a line
        ├── strip-000500.png          samples from fixed seeds
        ├── best-000500/              a whole model: the state with the lowest loss on the tuning side
        └── judge/                    what its results will be judged by, with the thresholds for its card; whole or absent

The best has its step in its name and arrives by a rename; an older one leaves afterwards. So there is always a whole one.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from medsynth_core.errors import InputError
from medsynth_core.models.card import read_card, write_card
from medsynth_core.models.folder import finish_folder, read_json, verify, write_json
from medsynth_core.protocol import ModelCard, Thresholds, from_json, to_json
from medsynth_core.protocol_training import TrainingLine

THRESHOLDS = "thresholds.json"
_STRIP = re.compile(r"strip-(\d{6,})\.png")
_BEST = re.compile(r"best-(\d{6,})")


@dataclass(frozen=True)
class Best:
    """The state of a training with the lowest loss on its tuning side, as a model folder."""

    step: int
    validation: float
    folder: Path


@dataclass(frozen=True)
class Keeping:
    """The `training` folder inside a model folder."""

    model: Path

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.model / "training"

    @property
    def checkpoint(self) -> Path:
        """The state to go on from."""
        return self.folder / "checkpoint.safetensors"

    @property
    def log(self) -> Path:
        """The lines."""
        return self.folder / "log.jsonl"

    def strip(self, step: int) -> Path:
        """Return where the strip of a step lies."""
        return self.folder / f"strip-{step:06d}.png"

    def strips(self) -> tuple[int, ...]:
        """Return the steps with a strip, in order."""
        return tuple(step for step, _ in _numbered(self.folder, _STRIP))

    def lines(self, after: int = 0) -> tuple[TrainingLine, ...]:
        """Return the lines of the log after a step; a line that is being written is left out."""
        if not self.log.is_file():
            return ()
        whole = [text for text in self.log.read_text("utf-8").splitlines(keepends=True) if text.endswith("}\n")]
        return tuple(line for line in map(_line, whole) if line is not None and line.step > after)

    def line_count(self) -> int:
        """Return how many lines the log has."""
        return self.log.read_bytes().count(b"\n") if self.log.is_file() else 0

    def add_line(self, line: TrainingLine) -> None:
        """Put a line at the end of the log."""
        with self.log.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(to_json(line)) + "\n")

    def forget_after(self, step: int) -> None:
        """Drop what was made in steps that were lost with a kill: they will be made again. A line cut short goes, too."""
        if self.log.exists():
            kept = [line for line in self.lines() if line.step <= step]
            partial = self.log.with_suffix(".partial")
            partial.write_text("".join(json.dumps(to_json(line)) + "\n" for line in kept), "utf-8")
            os.replace(partial, self.log)
        for late, path in (*_numbered(self.folder, _STRIP), *_numbered(self.folder, _BEST)):
            if late > step:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def best(self) -> Best | None:
        """Return the best state so far, None while there is none. A later one is always better.

        Others look while the training puts a better one in its place: what is gone when it is read is looked for again.
        """
        seen: list[tuple[int, Path]] = []
        while (there := _numbered(self.folder, _BEST)) != seen:
            for step, folder in reversed(there):
                with suppress(FileNotFoundError):
                    return Best(step, float(json.loads((folder / "training" / "validation.json").read_text("utf-8"))), folder)
            seen = there
        return None

    def offer(self, step: int, validation: float, save: Callable[[Path], object]) -> bool:
        """Keep the state after `step` if its loss is lower than the best one's; `save(folder)` writes it as a model folder.

        NaN says that there is nothing to choose by. Returns whether it was kept.
        """
        before = self.best()
        if math.isnan(validation) or (before is not None and validation >= before.validation):
            return False
        partial = self.folder / "best.partial"
        shutil.rmtree(partial, ignore_errors=True)
        (partial / "training").mkdir(parents=True)
        write_json(partial / "training" / "validation.json", validation)
        save(partial)
        partial.rename(self.folder / f"best-{step:06d}")
        if before is not None:
            shutil.rmtree(before.folder)
        return True

    @property
    def thresholds(self) -> Thresholds | None:
        """By what the model's results will be judged, None while its judge is not taught."""
        path = self._judge / THRESHOLDS
        return from_json(Thresholds, read_json(path)) if path.is_file() else None

    def keep_judge(self, partial: Path, thresholds: Thresholds) -> None:
        """Keep the judge that was written into a folder `partial` beside the others, as its part `judge`."""
        write_json(partial / THRESHOLDS, to_json(thresholds))
        partial.rename(self._judge)

    def settle(self) -> ModelCard:
        """Make the best state the model of the folder, and return its card; without one, the model stays as it stands.

        The judge, if there is one, becomes a part of it. May be cut short and done again: the card, which says what the files
        must be, comes last.
        """
        best, thresholds = self.best(), self.thresholds
        card = read_card(self.model) if best is None else verify(best.folder)
        if best is not None:
            self._bring(best.folder, card.sha256)
        if thresholds is not None:
            parts = (path for path in self._judge.rglob("*") if path.is_file() and path.name != THRESHOLDS)
            self._bring(self._judge, [path.relative_to(self._judge).as_posix() for path in parts])
            return finish_folder(self.model, replace(card, quality=thresholds))
        if best is not None:
            write_card(self.model, card)
        return card

    def _bring(self, folder: Path, names: Iterable[str]) -> None:
        for name in names:
            (self.model / name).parent.mkdir(parents=True, exist_ok=True)
            partial = self.folder / "settling.partial"
            shutil.copyfile(folder / name, partial)
            os.replace(partial, self.model / name)

    @property
    def _judge(self) -> Path:
        return self.folder / "judge"


def _line(text: str) -> TrainingLine | None:
    try:
        return from_json(TrainingLine, json.loads(text), "line")
    except (ValueError, InputError):
        return None


def _numbered(folder: Path, pattern: re.Pattern[str]) -> list[tuple[int, Path]]:
    if not folder.is_dir():
        return []
    found = ((pattern.fullmatch(path.name), path) for path in folder.iterdir())
    return sorted((int(match[1]), path) for match, path in found if match)
