"""The doctor's looks with processes of a script: how many at once, how many are kept, and what becomes of one that dies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from medsynth_core.errors import InputError, NotFoundError
from medsynth_core.protocol import EngineInfo
from medsynth_core.protocol_training import DoctorReport, Examination, Facts, TrainingRequest, TrainingState
from medsynth_core.service import examinations as desk
from medsynth_core.service.config import ServiceConfig
from medsynth_core.service.examination_folder import ExaminationFolder
from medsynth_core.service.examinations import MOST_AT_ONCE, MOST_KEPT, Examinations
from medsynth_core.service.problems import RefusedError

ENGINES = (EngineInfo("synthesize", "Paint"),)
WISH = TrainingRequest("synthesize", "/data/pairs", "mine")
REPORT = DoctorReport("synthesize", Facts(0, 0, 0, 0, 0), thumbnails=1)


class ScriptedChild:
    """A process that does nothing but what a test makes it do."""

    all: list[ScriptedChild]

    def __init__(self, task: str, folder: Path, on_end: Callable[[int], None]) -> None:
        assert task == "examine"
        self.folder, self._on_end = ExaminationFolder(folder), on_end
        self.started, self.pid, self.killed = time.time(), 1, False
        ScriptedChild.all.append(self)

    def kill(self) -> None:
        self.killed = True
        self._on_end(-9)

    def leave(self, patience_s: float) -> None:
        self.killed = True

    def reports(self) -> None:
        (self.folder.thumbnails / "0.png").write_bytes(b"\x89PNG")
        self.folder.set(Examination(self.folder.id, TrainingState.DONE, REPORT))
        self._on_end(0)


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    ScriptedChild.all = []
    monkeypatch.setattr(desk, "Child", ScriptedChild)


def run(home: Path, story: Callable[[Examinations], Awaitable[None]], **settings: object) -> None:
    async def whole() -> None:
        looks = Examinations(ServiceConfig(home, **settings))  # type: ignore[arg-type]
        looks.start()
        await story(looks)

    asyncio.run(whole())


def test_a_look_is_under_way_then_has_its_report_and_pictures(home: Path) -> None:
    async def story(looks: Examinations) -> None:
        begun = looks.submit(WISH, ENGINES)
        assert looks.get(begun.id) == Examination(begun.id, TrainingState.RUNNING)
        assert ScriptedChild.all[0].folder.request() == WISH
        ScriptedChild.all[0].reports()
        assert looks.get(begun.id).report == REPORT
        assert looks.thumbnail(begun.id, 0) == b"\x89PNG"
        with pytest.raises(NotFoundError, match="no picture 1"):
            looks.thumbnail(begun.id, 1)

    run(home, story)


def test_a_process_that_died_is_told_in_a_sentence(home: Path) -> None:
    async def story(looks: Examinations) -> None:
        begun = looks.submit(WISH, ENGINES)
        ScriptedChild.all[0].kill()
        ended = looks.get(begun.id)
        assert (ended.state, ended.error_code) == (TrainingState.FAILED, "worker_died")
        assert "-9" in ended.error

    run(home, story)


def test_one_that_takes_too_long_is_ended(home: Path) -> None:
    async def story(looks: Examinations) -> None:
        begun = looks.submit(WISH, ENGINES)
        await asyncio.sleep(0.02)
        looks.watch()
        assert looks.get(begun.id).state is TrainingState.FAILED

    run(home, story, doctor_seconds=0.01)


def test_only_a_few_are_looked_at_at_once_and_dismissing_one_makes_room(home: Path) -> None:
    async def story(looks: Examinations) -> None:
        begun = [looks.submit(WISH, ENGINES) for _ in range(MOST_AT_ONCE)]
        with pytest.raises(RefusedError, match="dismiss"):
            looks.submit(WISH, ENGINES)
        looks.dismiss(begun[0].id)
        assert ScriptedChild.all[0].killed
        assert not ScriptedChild.all[0].folder.path.exists()
        looks.submit(WISH, ENGINES)
        with pytest.raises(NotFoundError):
            looks.get(begun[0].id)

    run(home, story)


def test_old_looks_leave_when_new_ones_come_and_all_when_the_service_starts(home: Path) -> None:
    async def story(looks: Examinations) -> None:
        for _ in range(MOST_KEPT + 2):
            looks.submit(WISH, ENGINES)
            ScriptedChild.all[-1].reports()
        assert len(list((home / "doctor").iterdir())) == MOST_KEPT
        Examinations(ServiceConfig(home)).start()
        assert list((home / "doctor").iterdir()) == []

    run(home, story)


def test_an_order_that_cannot_be_looked_at_leaves_nothing_behind(home: Path) -> None:
    async def story(looks: Examinations) -> None:
        with pytest.raises(InputError, match="whole path"):
            looks.submit(TrainingRequest("synthesize", "pairs", "mine"), ENGINES)
        assert list((home / "doctor").iterdir()) == []

    run(home, story)


def test_a_folder_may_be_looked_at_before_it_has_a_good_name(home: Path) -> None:
    async def story(looks: Examinations) -> None:
        assert looks.submit(TrainingRequest("synthesize", "/data", ""), ENGINES).state is TrainingState.RUNNING

    run(home, story)


def test_the_end_of_the_service_ends_every_look(home: Path) -> None:
    async def story(looks: Examinations) -> None:
        looks.submit(WISH, ENGINES)
        await looks.stop()
        assert ScriptedChild.all[0].killed

    run(home, story)
