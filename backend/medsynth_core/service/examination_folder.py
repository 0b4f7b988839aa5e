"""The folder of one look of the doctor's: doctor/<id>/ with order.json, state.json and thumbnails/0.png …"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from medsynth_core.errors import NotFoundError
from medsynth_core.protocol import from_json, to_json
from medsynth_core.protocol_training import Examination, TrainingRequest, TrainingState
from medsynth_core.service import durable


@dataclass(frozen=True)
class ExaminationFolder:
    """One look of the doctor's on disk."""

    path: Path

    @property
    def id(self) -> str:
        """The examination's id."""
        return self.path.name

    @property
    def thumbnails(self) -> Path:
        """Where the pictures lie, 0.png, 1.png, …."""
        return self.path / "thumbnails"

    def begin(self, request: TrainingRequest) -> Examination:
        """Write down what is looked at, and that it is."""
        self.thumbnails.mkdir(parents=True, mode=0o700)
        durable.write_file(self.path / "order.json", json.dumps(to_json(request)).encode(), sync=False)
        return self.set(Examination(self.id, TrainingState.RUNNING))

    def request(self) -> TrainingRequest:
        """Return what is looked at, in the words of the training it may become."""
        return from_json(TrainingRequest, json.loads((self.path / "order.json").read_text("utf-8")), "order")

    def set(self, examination: Examination) -> Examination:
        """Write down how far it is."""
        durable.write_file(self.path / "state.json", json.dumps(to_json(examination)).encode(), sync=False)
        return examination

    def get(self) -> Examination:
        """Return how far it is. Raises NotFoundError when it is no longer kept."""
        try:
            return from_json(Examination, json.loads((self.path / "state.json").read_text("utf-8")), "examination")
        except OSError:
            raise NotFoundError("this examination is no longer kept: let the doctor look again") from None

    def thumbnail(self, number: int) -> bytes:
        """Return one picture as PNG. Raises NotFoundError."""
        try:
            return (self.thumbnails / f"{number}.png").read_bytes()
        except OSError:
            raise NotFoundError(f"this examination has no picture {number}: see its report for how many there are") from None
