"""A service that examines and trains by a script: a doctor with findings of his own, trainings that go on as the test says."""

from __future__ import annotations

import io
import json
import threading
import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from PIL import Image

from medsynth_core.engines._base import get_engine
from medsynth_core.errors import NotFoundError, ServiceError
from medsynth_core.protocol import Capabilities, EngineInfo, LabelInfo, ModelCard, ModelInfo, ServiceStatus, from_json, to_json
from medsynth_core.protocol_training import (
    Defect,
    DoctorReport,
    Examination,
    Facts,
    Finding,
    Severity,
    TrainingInfo,
    TrainingLine,
    TrainingRequest,
    TrainingState,
)
from medsynth_core.transport import Reply
from tests.scripted import Script, ScriptedClient

ENGINES = ("synthesize", "refine", "tumor", "nuclei")
EXTRA = tuple(
    ModelCard(name, title, engine, 3, (128, 128), (), "CC BY 4.0", "several")
    for name, title, engine in (("lgg-flair", "LGG, FLAIR", "tumor"), ("nuclei-he", "Nuclei, H&E", "nuclei"))
)


def png(value: int, size: tuple[int, int] = (40, 60)) -> bytes:
    """Return a plain picture (y, x) as PNG."""
    stream = io.BytesIO()
    Image.fromarray(np.full((*size, 3), value, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def stop(case: str, defect: Defect = Defect.SIZE, picture: int | None = None) -> Finding:
    """Return a finding on one case that stops a training."""
    pictures = () if picture is None else (picture,)
    says, fix = f"{case}: image is 32×32, mask 32×31", "Crop both alike, or exclude the case."
    return Finding(defect, Severity.STOPS, (case,), says, fix, thumbnails=pictures)


FACTS = Facts(60, 58, 46, 3, 9, {"384×288": 55, "384×307": 5}, {"1×1 mm": 60}, {"0": 0.871, "1": 0.129}, (3, 231), 3)


@dataclass
class Lesson:
    """What the service of the script knows and was asked. A look takes `look_seconds`, and `raises` what is set."""

    script: Script = field(default_factory=Script)
    facts: Facts = FACTS
    findings: tuple[Finding, ...] = ()
    look_seconds: float = 0.0
    raises: Exception | None = None
    looks: list[TrainingRequest] = field(default_factory=list)
    dismissed: list[str] = field(default_factory=list)
    begun: list[float] = field(default_factory=list)
    trainings: dict[str, TrainingInfo] = field(default_factory=dict)
    lines: dict[str, list[TrainingLine]] = field(default_factory=dict)
    told: list[tuple[str, str]] = field(default_factory=list)
    refuses: Exception | None = None
    threads: set[str] = field(default_factory=set)

    def add(self, request: TrainingRequest, state: TrainingState = TrainingState.QUEUED, steps: int = 100) -> str:
        """Take a training in, as another client would order it; return its id."""
        name = f"{len(self.trainings):032x}"
        self.trainings[name] = TrainingInfo(name, state, request, time.time(), steps=steps)
        self.lines[name] = []
        return name

    def go_on(self, training: str, step: int, validation: float | None = None, strip: bool = False, **changes: Any) -> None:
        """Let a training come to a step."""
        info = self.trainings[training]
        self.lines[training].append(TrainingLine(step, {"noise": 1 / step, "consistency": 0.3 / step}, validation))
        known = [line for line in self.lines[training] if line.validation is not None]
        best = min(known, key=lambda line: line.validation or 0.0).step if known else 0
        strips = (*info.strips, step) if strip else info.strips
        changed = {"state": TrainingState.RUNNING, "step": step, "strips": strips, "best_step": best, "seconds_left": 90.0}
        self.trainings[training] = replace(info, **{**changed, **changes}, lines=len(self.lines[training]))

    def end(self, training: str, state: TrainingState = TrainingState.DONE, **changes: Any) -> None:
        """Let a training end; when it is done or stopped, its model is installed."""
        info = self.trainings[training]
        self.trainings[training] = replace(info, state=state, ended=time.time(), seconds_left=None, **changes)
        if state in (TrainingState.DONE, TrainingState.STOPPED):
            order, labels = info.request, (LabelInfo(0, "background", "#000000"), LabelInfo(1, "polyp", "#4dd0e1"))
            card = ModelCard(order.model_id, order.title, order.engine, 3, (128, 128), labels, order.license, "60 pairs")
            self.script.models = (*self.script.models, card)


class TeachingClient(ScriptedClient):
    """What a session and `Trainings` ask of `medsynth_core.client.Client`, answered from a lesson."""

    def __init__(self, lesson: Lesson) -> None:
        super().__init__(lesson.script)
        self.lesson = lesson

    def capabilities(self) -> Capabilities:
        described: tuple[EngineInfo, ...] = tuple(get_engine(name).describe() for name in ENGINES)
        models = tuple(ModelInfo(card.id, card.engine, card) for card in (*EXTRA, *self.script.models))
        return replace(super().capabilities(), engines=described, models=models)

    def status(self) -> ServiceStatus:
        return replace(super().status(), loaded_models=tuple(card.id for card in self.script.models))

    def ask(self, method: str, path: str, fields: Any = None, headers: Any = None, start: bool = False) -> Reply:
        """Answer one request about trainings."""
        self.lesson.threads.add(threading.current_thread().name)
        _, _, what, *rest = path.split("?")[0].split("/")
        answer = self._doctor(method, rest, fields) if what == "doctor" else self._trainings(method, rest, fields, path)
        return Reply(200, answer if isinstance(answer, bytes) else json.dumps(to_json(answer)).encode())

    def _doctor(self, method: str, rest: list[str], fields: Any) -> Any:
        lesson = self.lesson
        if method == "POST":
            lesson.looks.append(from_json(TrainingRequest, fields))
            lesson.begun.append(time.monotonic())
            return Examination(str(len(lesson.looks) - 1), TrainingState.RUNNING)
        if method == "DELETE":
            lesson.dismissed.append(rest[0])
            return {}
        if rest[1:]:
            return png(40 * int(rest[2]) % 256)
        return self._examination(int(rest[0]))

    def _examination(self, number: int) -> Examination:
        lesson = self.lesson
        if time.monotonic() < lesson.begun[number] + lesson.look_seconds:
            return Examination(str(number), TrainingState.RUNNING)
        if lesson.raises is not None:
            code = getattr(lesson.raises, "code", "internal")
            return Examination(str(number), TrainingState.FAILED, None, code, str(lesson.raises))
        out = set(lesson.looks[number].excluded)
        left = tuple(one for one in lesson.findings if not (one.cases and set(one.cases) <= out))
        report = DoctorReport(lesson.looks[number].engine, lesson.facts, left, 4)
        return Examination(str(number), TrainingState.DONE, report)

    def _trainings(self, method: str, rest: list[str], fields: Any, path: str) -> Any:
        lesson = self.lesson
        if not rest and method == "POST":
            if lesson.refuses is not None:
                raise lesson.refuses
            return lesson.trainings[lesson.add(from_json(TrainingRequest, fields))]
        if not rest:
            return {"trainings": tuple(reversed(lesson.trainings.values()))}
        name, *word = rest
        if name not in lesson.trainings:
            raise NotFoundError("there is no such training: see the list of trainings")
        if method == "DELETE":
            return lesson.trainings.pop(name)
        if word[:1] == ["lines"]:
            return {"lines": tuple(line for line in lesson.lines[name] if line.step > int(path.rpartition("=")[2]))}
        if word[:1] == ["strips"]:
            return png(int(word[1]) % 256)
        return self._tell(name, word)

    def _tell(self, name: str, word: list[str]) -> TrainingInfo:
        lesson = self.lesson
        if word:
            lesson.told.append((name, word[0]))
            if lesson.trainings[name].state.ended and word[0] != "resume":
                raise ServiceError("the training has ended: only one that has not ended can be told")
        return lesson.trainings[name]
