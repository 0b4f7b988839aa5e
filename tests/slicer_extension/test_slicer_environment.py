"""The service's environment: whatever goes wrong while it is made, the next try succeeds, and what was in use stays in use."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import namedtuple
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from MedSynthLib import commands, environment, environment_making
from MedSynthLib.environment import Chosen, EnvironmentProblem, Reason
from MedSynthLib.environment_making import Plan, Step

from medsynth_core.client import connect
from tests.running import PYTHON, is_alive, wait_for

PLAN = Plan("napari-medsynth[service]==0.1.0", needed_bytes=1)
Usage = namedtuple("Usage", "total used free")
HERE = Path(__file__).parent
GOOD = {"version": "3 12", "venv": "ok", "install": "ok", "imports": "ok"}
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the pretended interpreter is a shell script")


class Fake:
    """A pretended interpreter; what it does is written into its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.python = str(shutil.copy(HERE / "fake_python.sh", folder / "python3.12"))
        os.chmod(self.python, 0o755)
        self.does(**GOOD)

    def does(self, **what: str) -> None:
        for name, text in what.items():
            (self.folder / name).write_text(f"{text}\n")

    def pip_pid(self) -> int:
        wait_for(lambda: (self.folder / "pip.pid").exists() and (self.folder / "pip.pid").read_text().strip(), 20)
        return int((self.folder / "pip.pid").read_text())


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = Fake(tmp_path / "fake")
    monkeypatch.setenv("FAKE_PYTHON", str(made.folder))
    return made


def create(home: Path, fake: Fake, **given: object) -> Chosen:
    return environment_making.create(home, fake.python, PLAN, **given)  # type: ignore[arg-type]


def folders(home: Path) -> list[str]:
    return sorted(folder.name for folder in (home / "environments").iterdir() if folder.is_dir())


def assert_next_try_works(home: Path, fake: Fake) -> None:
    fake.does(**GOOD)
    used = create(home, fake)
    assert environment.chosen(home) == used
    assert Path(used.python).is_file()
    assert folders(home) == [used.made_here]


def test_an_environment_is_made_verified_and_used(home: Path, fake: Fake) -> None:
    steps: list[Step] = []
    assert environment.chosen(home) is None
    used = create(home, fake, tell=steps.append)
    assert environment.chosen(home) == used
    assert [step.number for step in steps] == sorted(step.number for step in steps)
    assert {step.number for step in steps} == {1, 2, 3, 4, 5}
    assert "Fetching torch: collecting torch" in {step.text for step in steps}
    assert "napari-medsynth[service]==0.1.0" in (fake.folder / "installed").read_text()


def test_pip_never_sees_what_slicer_sets_for_itself(home: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "QT_PLUGIN_PATH", "PIP_TARGET", "PIP_PREFIX", "PIP_USER"):
        monkeypatch.setenv(name, "/poison")
    create(home, fake)
    seen = (fake.folder / "environ").read_text()
    assert "HOME=" in seen
    assert "PIP_USER=0" in seen
    assert "/poison" not in seen


FAILURES: dict[str, tuple[dict[str, str], Reason, str]] = {
    "no network": ({"install": "no-network"}, Reason.NO_NETWORK, "check the network"),
    "disk full while installing": ({"install": "disk-full"}, Reason.DISK_FULL, "make room"),
    "a package that does not build": ({"install": "broken"}, Reason.BROKEN, "Failed building wheel for torch"),
    "an old Python": ({"version": "3 9"}, Reason.WRONG_PYTHON, r"Python 3\.9: it must be 3\.11 to 3\.13"),
    "a Python that is too new": ({"version": "3 14"}, Reason.WRONG_PYTHON, r"Python 3\.14"),
    "something that is no Python": ({"version": ""}, Reason.WRONG_PYTHON, "is no Python interpreter"),
    "a Python without the part that makes environments": ({"venv": "not"}, Reason.CANNOT_MAKE, r"apt install python3\.12-venv"),
    "an installer that is killed": ({"install": "killed"}, Reason.KILLED, "ended from outside .signal 9; is memory short"),
    "what was installed does not import": ({"imports": "zarr"}, Reason.BROKEN, "No module named 'zarr'"),
}


@pytest.mark.parametrize("what", list(FAILURES))
def test_after_a_failure_the_next_try_succeeds(what: str, home: Path, fake: Fake) -> None:
    does, reason, words = FAILURES[what]
    fake.does(**does)
    with pytest.raises(EnvironmentProblem, match=words) as caught:
        create(home, fake)
    assert caught.value.reason is reason
    assert environment.chosen(home) is None
    assert folders(home) == []
    assert_next_try_works(home, fake)


@pytest.mark.parametrize("what", list(FAILURES))
def test_a_repair_that_fails_leaves_the_environment_in_use(what: str, home: Path, fake: Fake) -> None:
    used = create(home, fake)
    fake.does(**FAILURES[what][0])
    with pytest.raises(EnvironmentProblem):
        create(home, fake)
    assert environment.chosen(home) == used
    assert folders(home) == [used.made_here]
    assert_next_try_works(home, fake)


def test_too_little_room_is_said_before_anything_is_fetched(home: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda folder: Usage(10**12, 10**12, 2**30))
        with pytest.raises(EnvironmentProblem, match=r"needs 10 GiB and 1\.0 GiB are free") as caught:
            environment_making.create(home, fake.python, replace(PLAN, needed_bytes=10 * 2**30))
    assert caught.value.reason is Reason.DISK_FULL
    assert not (fake.folder / "installed").exists()
    assert_next_try_works(home, fake)


def test_a_disk_that_fills_up_at_the_last_byte_loses_nothing(home: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    used = create(home, fake)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(EnvironmentProblem, match="disk is full"):
            create(home, fake)
    assert environment.chosen(home) == used
    assert_next_try_works(home, fake)


def assert_can_be_cancelled(home: Path, fake: Fake, within_s: float) -> None:
    """Make an environment, cancel it while a program of it runs: that is told, and the program is gone."""
    cancelled, problems = threading.Event(), list[Reason]()

    def work() -> None:
        try:
            create(home, fake, cancelled=cancelled)
        except EnvironmentProblem as problem:
            problems.append(problem.reason)

    thread = threading.Thread(target=work)
    thread.start()
    pid = fake.pip_pid()
    asked = time.monotonic()
    cancelled.set()
    thread.join(20)
    assert time.monotonic() - asked < within_s
    assert problems == [Reason.CANCELLED]
    assert not is_alive(pid)


@pytest.mark.parametrize(("manner", "within_s"), [("slow", 2), ("deaf", 8)])
def test_a_cancelled_try_ends_its_programs_and_leaves_nothing(manner: str, within_s: float, home: Path, fake: Fake) -> None:
    fake.does(install=manner)
    assert_can_be_cancelled(home, fake, within_s)
    assert folders(home) == []
    assert_next_try_works(home, fake)


def test_a_viewer_that_is_killed_in_the_middle_does_not_stop_the_next_try(home: Path, fake: Fake) -> None:
    fake.does(install="slow")
    script = (
        "import sys; sys.path[:0] = [sys.argv[1]]\n"
        "from pathlib import Path; from MedSynthLib import environment_making as m\n"
        "m.create(Path(sys.argv[2]), sys.argv[3], m.Plan('x', needed_bytes=1))"
    )
    module_folder = str(Path(environment.__file__).parents[1])
    backend = str(Path(commands.__file__).parents[3] / "backend")
    command = [sys.executable, "-c", script, module_folder, str(home), fake.python]
    viewer = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": backend})
    pid = fake.pip_pid()
    with pytest.raises(EnvironmentProblem, match="being made by another window") as caught:
        create(home, fake)
    assert caught.value.reason is Reason.AT_WORK
    os.kill(viewer.pid, signal.SIGKILL)
    viewer.wait(10)
    try:
        assert len(folders(home)) == 1
        assert environment.chosen(home) is None
        assert_next_try_works(home, fake)
    finally:
        os.killpg(os.getpgid(pid), signal.SIGKILL)


def test_a_second_environment_takes_the_place_of_the_first(home: Path, fake: Fake) -> None:
    first = create(home, fake)
    second = create(home, fake)
    assert first.made_here != second.made_here
    assert folders(home) == [second.made_here]


def test_an_existing_environment_can_be_chosen_and_is_never_removed(home: Path, fake: Fake) -> None:
    used = environment.choose(home, fake.python)
    assert environment.chosen(home) == used == Chosen(fake.python)
    environment.remove(home)
    assert environment.chosen(home) is None
    assert Path(fake.python).exists()


def test_an_environment_that_lacks_something_cannot_be_chosen(home: Path, fake: Fake) -> None:
    fake.does(imports="torch")
    with pytest.raises(EnvironmentProblem, match="No module named 'torch'"):
        environment.choose(home, fake.python)
    with pytest.raises(EnvironmentProblem, match="does not run"):
        environment.choose(home, str(fake.folder / "nothing"))
    assert environment.chosen(home) is None


def test_what_was_made_can_be_removed(home: Path, fake: Fake) -> None:
    used = create(home, fake)
    environment.remove(home)
    assert not Path(used.python).exists()
    assert environment.chosen(home) is None
    assert_next_try_works(home, fake)


@pytest.mark.parametrize("damage", ["gone", "not json", "another record", "the interpreter is gone"])
def test_a_damaged_record_is_as_good_as_none(damage: str, home: Path, fake: Fake) -> None:
    used, pointer = create(home, fake), home / "environment.json"
    acts: dict[str, Callable[[], object]] = {
        "gone": pointer.unlink,
        "not json": lambda: pointer.write_text("{"),
        "another record": lambda: pointer.write_text(json.dumps({"interpreter": 3})),
        "the interpreter is gone": lambda: shutil.rmtree(home / "environments" / used.made_here),
    }
    acts[damage]()
    assert environment.chosen(home) is None
    with pytest.raises(EnvironmentProblem, match="choose one that has") as caught:
        environment.needed(home)
    assert caught.value.reason is Reason.NONE
    assert_next_try_works(home, fake)


def test_slicers_own_python_is_not_offered(tmp_path: Path) -> None:
    for folder, name in (("slicer/bin", "python3.12"), ("usr", "python3.13"), ("usr", "python3")):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / name).write_text("#!/bin/sh\n")
        (tmp_path / folder / name).chmod(0o755)
    path = {"PATH": f"{tmp_path / 'slicer/bin'}:{tmp_path / 'usr'}"}
    assert environment.interpreters(path, tmp_path / "slicer") == [str(tmp_path / "usr" / n) for n in ("python3.13", "python3")]


def test_the_first_interpreter_that_runs_and_fits_is_taken(fake: Fake) -> None:
    for name in ("python3.13", "python3.11"):
        shutil.copy(fake.python, fake.folder / name)
    (fake.folder / "python3.13").write_text("#!/bin/sh\necho pyenv: python3.13: command not found >&2\nexit 127\n")
    (fake.folder / "cat").symlink_to(shutil.which("cat") or "")  # what the pretended ones need themselves
    path = {**os.environ, "PATH": f"{fake.folder}:/usr/bin:/bin"}
    assert environment.fitting(path) == fake.python
    fake.does(venv="not")
    with pytest.raises(EnvironmentProblem, match="cannot make environments"):
        environment.fitting({**path, "PATH": str(fake.folder)})
    fake.does(venv="ok", version="3 9")
    with pytest.raises(EnvironmentProblem, match=r"no Python 3\.11 to 3\.13 was found: install one"):
        environment.fitting({**path, "PATH": str(fake.folder)})


def test_a_machine_without_a_gpu_gets_the_small_torch() -> None:
    cpu, cuda = environment_making.plan(nvidia=False), environment_making.plan(nvidia=True)
    assert cpu.torch_index.endswith("/whl/cpu")
    assert cuda.torch_index == ""
    assert cpu.needed_bytes < cuda.needed_bytes
    assert cpu.requirement == "napari-medsynth[service]==0.1.0"


def test_a_try_that_failed_and_then_went_well_is_not_blamed(home: Path, fake: Fake) -> None:
    """pip tells of each connection that broke; what failed in the end was the build."""
    fake.does(install="broken-after-a-retry")
    with pytest.raises(EnvironmentProblem, match="Failed building wheel for torch") as caught:
        create(home, fake)
    assert caught.value.reason is Reason.BROKEN


def test_from_a_checkout_the_checkout_is_installed_with_its_pins() -> None:
    checkout = environment_making.checkout_of()
    assert checkout is not None
    made = environment_making.plan(checkout, nvidia=False)
    assert made.requirement == f"{checkout}[service]"
    assert Path(made.constraints).name == "constraints.txt"
    assert environment_making.checkout_of(Path("/usr/lib/Slicer/MedSynthLib/environment_making.py")) is None


@pytest.mark.slow
def test_the_environment_of_these_tests_verifies() -> None:
    environment.verify(PYTHON)


def test_a_command_whose_listener_fails_is_ended(fake: Fake) -> None:
    fake.does(install="slow")

    def fail(line: str) -> None:
        raise RuntimeError(line)

    with pytest.raises(RuntimeError, match="Collecting torch"):
        commands.run([fake.python, "-m", "pip", "install"], os.environ, fail)


def test_slicers_own_interpreter_does_not_verify() -> None:
    with pytest.raises(EnvironmentProblem, match=r"does not work .*No module named"):
        environment.verify(sys.executable)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_real_environment_is_made_and_serves(home: Path) -> None:
    base = environment.fitting(os.environ)
    steps: list[Step] = []
    used = environment_making.create(home, base, environment_making.plan(environment_making.checkout_of()), steps.append)
    assert {step.number for step in steps} == {1, 2, 3, 4, 5}
    with connect(home, python=used.python) as client:
        assert client.submit("fake", slices=2, size=4).result().size == (2, 4, 4)
        client.shutdown()
