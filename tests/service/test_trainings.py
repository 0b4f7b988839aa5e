"""The desk of trainings with processes of a script: the queue, deaths, orders, restarts and what becomes of a model."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from medsynth_core.errors import InputError, MedSynthError, NotFoundError
from medsynth_core.models import registry
from medsynth_core.models.folder import finish_folder
from medsynth_core.protocol import EngineInfo, ModelCard, ModelInfo
from medsynth_core.protocol_training import TrainingInfo, TrainingRequest, TrainingState
from medsynth_core.service import trainings as desk
from medsynth_core.service.config import ServiceConfig
from medsynth_core.service.problems import RefusedError
from medsynth_core.service.training_folder import Said, TrainingFolder, folders_in
from medsynth_core.service.trainings import Trainings

ENGINES = (EngineInfo("synthesize", "Paint"), EngineInfo("broken", "", problem="no torch"))
DONE, STOPPED, PAUSED, FAILED = TrainingState.DONE, TrainingState.STOPPED, TrainingState.PAUSED, TrainingState.FAILED


class ScriptedChild:
    """A process that does nothing but what a test makes it do."""

    all: list[ScriptedChild]

    def __init__(self, task: str, folder: Path, on_end: Callable[[int], None]) -> None:
        self.folder, self._on_end = TrainingFolder(folder), on_end
        self.words: list[str] = []
        self.started, self.pid, self.killed = 0.0, 1, False
        ScriptedChild.all.append(self)

    def send(self, word: str) -> None:
        self.words.append(word)

    def kill(self) -> None:
        self.killed = True
        asyncio.get_running_loop().call_soon(self._on_end, -9)

    def leave(self, patience_s: float) -> None:
        self.killed = True

    def dies(self, step: int = 0, status: int = -9) -> None:
        self.folder.say(replace(self.folder.said(), step=step, steps=100))
        self._on_end(status)

    def ends(self, outcome: TrainingState, step: int = 100, **said: str) -> None:
        self.folder.say(Said(step, 100, outcome=outcome, **said))  # type: ignore[arg-type]
        self._on_end(0)

    def makes_a_model(self) -> None:
        part = self.folder.model / "denoiser"
        part.mkdir(parents=True)
        (part / "config.json").write_text("{}")
        name = self.folder.request().model_id
        finish_folder(self.folder.model, ModelCard(name, name, "synthesize", 3, (32, 32), (), "CC0", "toys", steps=100))


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    ScriptedChild.all = []
    monkeypatch.setattr(desk, "Child", ScriptedChild)
    monkeypatch.setattr(desk, "FIRST_PAUSE", 0.0)


def wish(model: str = "mine", **fields: object) -> TrainingRequest:
    return TrainingRequest("synthesize", "/data/pairs", model, **fields)  # type: ignore[arg-type]


class Service:
    """Trainings on a home, and the models they told of."""

    def __init__(self, home: Path, **settings: object) -> None:
        self.told: list[str] = []
        self.trainings = Trainings(ServiceConfig(home, **settings), lambda models: self.told.extend(m.id for m in models))  # type: ignore[arg-type]
        self.trainings.start()

    def order(self, request: TrainingRequest | None = None, key: str = "", models: tuple[ModelInfo, ...] = ()) -> TrainingInfo:
        asked = request or wish()
        return self.trainings.submit(asked, key or asked.model_id, ENGINES, models)[0]

    async def settled(self) -> None:
        """Let everything happen that happens by itself."""
        for _ in range(200):
            await asyncio.sleep(0.005)
            if not self.trainings._tasks:
                return

    def state(self, training: TrainingInfo) -> TrainingState:
        return self.trainings.get(training.id).state


def run(story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(story())  # type: ignore[arg-type]


def test_one_runs_and_the_others_wait_for_their_turn(home: Path) -> None:
    async def story() -> None:
        service = Service(home)
        first, second = service.order(wish("a")), service.order(wish("b"))
        assert (service.state(first), service.state(second)) == ("running", "queued")
        assert len(ScriptedChild.all) == 1
        ScriptedChild.all[0].ends(FAILED, error_code="bad_training_data", error="nothing there")
        await service.settled()
        assert (service.state(first), service.state(second)) == ("failed", "running")
        assert service.trainings.get(first.id).error == "nothing there"
        assert [info.id for info in service.trainings.all()] == [second.id, first.id]

    run(story)


def test_a_model_is_installed_and_told_of_before_its_training_says_that_it_is_done(home: Path) -> None:
    async def story() -> None:
        service = Service(home)
        training = service.order()
        child = ScriptedChild.all[0]
        child.makes_a_model()
        child.ends(DONE)
        assert not service.trainings.idle, "a service must not end while it installs"
        await service.settled()
        assert service.state(training) is DONE
        assert "mine" in service.told
        assert registry.find("mine").parent == home / "models"
        assert service.trainings.idle

    run(story)


def test_a_process_that_died_is_started_again_and_those_that_got_further_are_forgiven(home: Path) -> None:
    async def story() -> None:
        service = Service(home, training_retries=2)
        training = service.order()
        for step in (5, 5, 9, 9, 9, 20):
            ScriptedChild.all[-1].dies(step)
            await service.settled()
            assert service.state(training) == "running"
        info = service.trainings.get(training.id)
        assert (info.retries, len(ScriptedChild.all)) == (6, 7)

    run(story)


def test_deaths_without_any_progress_end_in_a_sentence_and_it_can_be_tried_again(home: Path) -> None:
    async def story() -> None:
        service = Service(home, training_retries=2)
        training, waiting = service.order(wish("a")), service.order(wish("b"))
        for _ in range(3):
            ScriptedChild.all[-1].dies(status=-11)
            await service.settled()
        info = service.trainings.get(training.id)
        assert (info.state, info.error_code) == (FAILED, "worker_died")
        assert "died 3 times" in info.error
        assert "-11" in info.error
        assert service.state(waiting) == "running"
        assert service.trainings.resume(training.id).state == "queued"
        assert service.trainings.get(training.id).error == ""

    run(story)


def test_a_defect_of_ours_is_tried_once_more_and_no_longer(home: Path) -> None:
    async def story() -> None:
        service = Service(home)
        training = service.order()
        for _ in range(2):
            ScriptedChild.all[-1].dies(status=70)
            await service.settled()
        assert (service.state(training), len(ScriptedChild.all)) == (FAILED, 2)

    run(story)


def test_a_process_that_says_nothing_is_killed(home: Path) -> None:
    async def story() -> None:
        service = Service(home, training_hang_seconds=0.01)
        service.order()
        await asyncio.sleep(0.05)
        service.trainings.watch()
        assert ScriptedChild.all[0].killed
        await service.settled()
        assert len(ScriptedChild.all) == 2

    run(story)


def test_pause_and_resume_of_a_running_one(home: Path) -> None:
    async def story() -> None:
        service = Service(home)
        training, waiting = service.order(wish("a")), service.order(wish("b"))
        service.trainings.pause(training.id)
        assert ScriptedChild.all[0].words == ["pause"]
        assert service.state(training) == "running", "it rests once its process says so"
        ScriptedChild.all[0].ends(PAUSED, 40)
        await service.settled()
        assert (service.state(training), service.state(waiting)) == ("paused", "running")
        assert service.trainings.pause(training.id).state is PAUSED, "twice is once"
        assert service.trainings.resume(training.id).state == "queued"
        with pytest.raises(RefusedError, match="queued"):
            service.trainings.resume(training.id)

    run(story)


def test_one_that_dies_while_it_is_paused_or_stopped_is_not_started_again(home: Path) -> None:
    async def story() -> None:
        service = Service(home)
        resting, ending = service.order(wish("a")), service.order(wish("b"))
        service.trainings.pause(resting.id)
        ScriptedChild.all[0].dies(40)
        await service.settled()
        assert service.state(resting) is PAUSED
        service.trainings.end(ending.id)
        ScriptedChild.all[1].dies(40)
        await service.settled()
        assert service.state(ending) is STOPPED
        assert len(ScriptedChild.all) == 2

    run(story)


def test_a_waiting_one_is_paused_and_stopped_without_a_process(home: Path) -> None:
    async def story() -> None:
        service = Service(home)
        service.order(wish("a"))
        second, third = service.order(wish("b")), service.order(wish("c"))
        assert service.trainings.pause(second.id).state is PAUSED
        assert service.trainings.end(third.id).state is STOPPED
        ScriptedChild.all[0].ends(FAILED)
        await service.settled()
        assert service.trainings.idle, "neither of them waits any more"
        with pytest.raises(RefusedError, match="stopped"):
            service.trainings.pause(third.id)

    run(story)


def test_a_paused_one_that_is_stopped_gives_its_best_model(home: Path) -> None:
    async def story() -> None:
        service = Service(home)
        training = service.order()
        ScriptedChild.all[0].makes_a_model()
        service.trainings.pause(training.id)
        ScriptedChild.all[0].ends(PAUSED, 40)
        service.trainings.end(training.id)
        await service.settled()
        assert service.state(training) is STOPPED
        assert "mine" in service.told

    run(story)


def test_a_name_that_was_taken_meanwhile_fails_in_a_sentence_and_can_be_tried_again(home: Path) -> None:
    async def story() -> None:
        service = Service(home)
        training = service.order()
        child = ScriptedChild.all[0]
        child.makes_a_model()
        other = home / "models" / "mine"
        other.mkdir(parents=True)
        (other / "config.json").write_text('"another"')
        finish_folder(other, ModelCard("mine", "Another", "synthesize", 3, (32, 32), (), "CC0", "others"))
        child.ends(DONE)
        await service.settled()
        info = service.trainings.get(training.id)
        assert info.state is FAILED
        assert "is there already" in info.error
        shutil.rmtree(other)
        service.trainings.resume(training.id)
        ScriptedChild.all[-1].ends(DONE)
        await service.settled()
        assert service.state(training) is DONE

    run(story)


def test_a_service_that_was_killed_goes_on_with_what_ran_then_with_what_waited(home: Path) -> None:
    async def story() -> None:
        before = Service(home)
        first, second, third = (before.order(wish(name)) for name in "abc")
        before.trainings.pause(second.id)
        after = Service(home)
        assert [after.state(training) for training in (first, second, third)] == ["running", "paused", "queued"]
        assert len(ScriptedChild.all) == 2

    run(story)


def test_a_service_killed_while_a_stop_was_wanted_stops_at_its_next_start(home: Path) -> None:
    async def story() -> None:
        training = (before := Service(home)).order()
        before.trainings.end(training.id)
        Service(home)
        assert ScriptedChild.all[-1].words == ["stop"]

    run(story)


def test_at_its_end_a_service_lets_the_process_leave_and_forgets_nothing(home: Path) -> None:
    async def story() -> None:
        service = Service(home)
        training = service.order()
        await service.trainings.stop()
        ScriptedChild.all[0].ends(PAUSED, 40)
        assert ScriptedChild.all[0].killed
        assert service.state(training) == "running", "it goes on at the next start"

    run(story)


def test_removing_takes_a_running_one_away_and_the_next_one_runs(home: Path) -> None:
    async def story() -> None:
        service = Service(home)
        first, second = service.order(wish("a")), service.order(wish("b"))
        await service.trainings.remove(first.id)
        assert not (home / "trainings" / first.id).exists()
        assert service.state(second) == "running"
        with pytest.raises(NotFoundError):
            service.trainings.get(first.id)
        await service.trainings.remove(second.id)
        assert service.trainings.idle

    run(story)


def test_removing_one_that_waits_to_be_started_again_leaves_the_queue_alive(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "FIRST_PAUSE", 5.0)

    async def story() -> None:
        service = Service(home)
        first, second = service.order(wish("a")), service.order(wish("b"))
        ScriptedChild.all[0].dies()
        await service.trainings.remove(first.id)
        assert service.state(second) == "running"

    run(story)


def test_the_same_key_is_the_same_training(home: Path) -> None:
    async def story() -> None:
        service = Service(home)
        first = service.order(key="k")
        assert service.order(key="k").id == first.id
        with pytest.raises(RefusedError, match="another training"):
            service.order(wish("other"), key="k")
        assert len(service.trainings.all()) == 1

    run(story)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"engine": "liver"}, "engine is 'liver'"),
        ({"engine": "broken"}, "no torch"),
        ({"data": "pairs"}, "data must be a whole path"),
        ({"data": "/a\0b"}, "data must be a whole path"),
        ({"data": "/" + "x" * 5000}, "data must be a whole path"),
        ({"metadata": "table.csv"}, "metadata must be a whole path"),
        ({"unlabeled": "more"}, "unlabeled must be a whole path"),
        ({"model_id": "../../etc"}, "plain name"),
        ({"model_id": ""}, "plain name"),
        ({"model_id": ".hidden"}, "plain name"),
        ({"model_id": "polyp"}, "a model polyp is there already"),
        ({"model_id": "taken"}, "another training makes taken"),
        ({"base": "nothing"}, "base is 'nothing'"),
        ({"base": "refiner"}, "is a model of refine"),
        ({"steps": 0}, "steps is 0"),
        ({"batch": -1}, "batch is -1"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**63}, "seed is"),
        ({"label_percent": 101}, "label_percent is 101"),
        ({"title": "x" * 2000}, "title has 2000"),
    ],
)
def test_an_order_that_cannot_be_is_refused_before_anything_is_written(
    home: Path, fields: dict[str, object], sentence: str
) -> None:
    models = (ModelInfo("polyp", "synthesize"), ModelInfo("refiner", "refine"))

    async def story() -> None:
        service = Service(home)
        service.order(wish("taken"))
        with pytest.raises(MedSynthError, match=sentence):
            service.order(replace(wish(), **fields), key="new", models=models)  # type: ignore[arg-type]
        assert len(list((home / "trainings").iterdir())) == 1

    run(story)


def test_what_was_half_written_is_swept_and_what_is_of_a_newer_service_is_left(home: Path) -> None:
    half, newer = home / "trainings" / ("0" * 32), home / "trainings" / ("1" * 32)
    for folder in (half, newer):
        folder.mkdir(parents=True)
        (folder / "order.json").write_text("{}")
    (newer / "state.json").write_text('{"state": "dreaming"}')
    assert folders_in(home / "trainings") == ()
    assert not half.exists()
    assert newer.exists()


def test_a_damaged_record_names_itself_not_its_path(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path / "patient")
    folder.begin(wish())
    (folder.path / "child.json").write_text("{")
    with pytest.raises(InputError) as caught:
        folder.info()
    assert "child.json" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
