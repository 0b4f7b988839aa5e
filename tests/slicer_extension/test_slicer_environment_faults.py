"""Making the environment where the world is against it: full disks, a real pip before servers that fail, programs that hang."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from MedSynthLib import commands, environment
from MedSynthLib.environment import Chosen, EnvironmentProblem, Reason

from tests.running import PYTHON
from tests.slicer_extension.conftest import MODULE_FOLDER
from tests.slicer_extension.test_slicer_environment import (
    Fake,
    assert_can_be_cancelled,
    assert_next_try_works,
    create,
    fake,
    folders,
)

__all__ = ["fake"]
HERE = Path(__file__).parent
BACKEND = HERE.parents[1] / "backend"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the pretended interpreter is a shell script")


def can_mount() -> bool:
    """Whether a disk of our own can be mounted here, which needs user namespaces."""
    script = ["unshare", "-Urm", "sh", "-c", "mount -t tmpfs -o size=64k tmpfs /mnt"]
    return shutil.which("unshare") is not None and subprocess.run(script, capture_output=True).returncode == 0


@pytest.mark.parametrize("install", ["fills", "hogs"], ids=["while installing", "at the last byte"])
def test_a_disk_that_is_really_full_leaves_the_environment_in_use_and_the_next_try_succeeds(
    install: str, tmp_path: Path, fake: Fake
) -> None:
    """A disk of one megabyte: the kernel itself says that it is full."""
    if not can_mount():
        pytest.skip("no disk can be mounted here")
    disk = tmp_path / "disk"
    disk.mkdir()
    maker = [sys.executable, str(HERE / "small_disk.py"), str(MODULE_FOLDER), str(BACKEND), f"{disk}/home", f"{disk}/fake"]
    script = 'mount -t tmpfs -o size=1m tmpfs "$1" && cp -r "$2" "$1/fake" && export FAKE_PYTHON="$1/fake" && shift 2 && "$@"'
    command = ["unshare", "-Urm", "sh", "-c", script, "sh", str(disk), str(fake.folder), *maker, install]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    full = "disk full: the disk is full: make room, then try again"
    assert json.loads(ended.stdout) == {"first": "", "second": full, "kept": True, "third": "", "whole": True}


def test_a_data_folder_that_cannot_be_written_is_named_as_such(home: Path, fake: Fake) -> None:
    (home / "environments").write_text("in the way")
    for act in (lambda: create(home, fake), lambda: environment.remove(home)):
        with pytest.raises(EnvironmentProblem, match=r"data folder cannot be written \(File exists\)") as caught:
            act()
        assert str(home) not in str(caught.value)
    (home / "environments").unlink()
    assert_next_try_works(home, fake)


class Failing(http.server.BaseHTTPRequestHandler):
    """A package index that has torch, and fails as its server says."""

    def do_GET(self) -> None:
        """Give the page of torch, then the wheel, or fail."""
        manner = self.server.manner  # type: ignore[attr-defined]
        if manner == "busy":
            self.send_error(503)
        elif not self.path.endswith(".whl"):
            wheel = "torch-9-py3-none-any.whl"
            self.give(f'<a href="/{wheel}#sha256={"0" * 64}">{wheel}</a>'.encode(), "text/html")
        elif manner == "another file":
            self.give(b"not what was promised")
        else:
            self.give(b"half", length=1000)

    def give(self, body: bytes, kind: str = "application/octet-stream", length: int = 0) -> None:
        """Send a body, and promise more of it if asked."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length or len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@pytest.fixture
def index() -> Iterator[http.server.HTTPServer]:
    """A package index on this machine."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Failing)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


REAL_PIP: dict[str, tuple[Reason | None, str]] = {
    "nobody answers": (Reason.NO_NETWORK, "cannot be reached: check the network"),
    "busy": (Reason.NO_NETWORK, "no packages were found: check the network"),
    "cut off": (None, "cannot be reached: check the network|arrived damaged"),  # the second is said by a pip before 25
    "another file": (Reason.BROKEN, "arrived damaged"),
}


@pytest.mark.parametrize("manner", list(REAL_PIP))
def test_what_a_real_pip_says_of_a_bad_network_is_understood(
    manner: str, home: Path, fake: Fake, index: http.server.HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    reason, words = REAL_PIP[manner]
    port = index.server_address[1]
    index.manner = manner  # type: ignore[attr-defined]
    if manner == "nobody answers":
        index.server_close()
    for name, value in {"REAL_PYTHON": PYTHON, "INDEX": f"http://127.0.0.1:{port}/", "PIP_CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    fake.does(install="real")
    with pytest.raises(EnvironmentProblem, match=words) as caught:
        create(home, fake)
    assert reason in (None, caught.value.reason)
    assert folders(home) == []
    assert_next_try_works(home, fake)


def test_a_trial_that_hangs_can_be_cancelled(home: Path, fake: Fake) -> None:
    fake.does(imports="hangs")
    assert_can_be_cancelled(home, fake, within_s=2)
    assert_next_try_works(home, fake)


def test_the_interpreter_of_one_made_here_can_be_chosen_by_hand_and_is_kept(home: Path, fake: Fake) -> None:
    made = create(home, fake)
    assert environment.choose(home, made.python) == made
    fake.does(install="no-network")
    with pytest.raises(EnvironmentProblem):
        create(home, fake)
    assert environment.chosen(home) == made
    assert Path(made.python).exists()
    environment.remove(home)
    assert folders(home) == []


def test_one_of_the_user_s_own_stays_in_use_while_another_is_made_in_vain(home: Path, fake: Fake) -> None:
    own = environment.choose(home, fake.python)
    assert own == Chosen(fake.python)
    fake.does(install="broken")
    with pytest.raises(EnvironmentProblem):
        create(home, fake)
    assert environment.chosen(home) == own
    assert_next_try_works(home, fake)
    assert Path(fake.python).exists()


def test_a_home_with_spaces_and_accents_will_do(tmp_path: Path, fake: Fake) -> None:
    home = tmp_path / "Données de José"
    home.mkdir()
    assert_next_try_works(home, fake)


@pytest.mark.parametrize("victim", ["installer", "viewer", "both"])
def test_after_sigkill_of(victim: str, home: Path, fake: Fake) -> None:
    """No handler runs: the next try finds what lies there, and no lock."""
    fake.does(install="slow")
    script = (
        "import sys; sys.path[:0] = sys.argv[1:3]\n"
        "from pathlib import Path; from MedSynthLib import environment_making as m\n"
        "try: m.create(Path(sys.argv[3]), sys.argv[4], m.Plan('x', needed_bytes=1))\n"
        "except m.EnvironmentProblem as problem: print(problem.reason)"
    )
    command = [sys.executable, "-c", script, str(MODULE_FOLDER), str(BACKEND), str(home), fake.python]
    viewer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    pid = fake.pip_pid()
    if victim != "installer":
        os.kill(viewer.pid, signal.SIGKILL)
        viewer.wait(10)
    if victim != "viewer":
        os.killpg(os.getpgid(pid), signal.SIGKILL)
    said, _ = viewer.communicate(timeout=10) if victim != "viewer" else ("", "")
    try:
        assert said.strip() == ("killed" if victim == "installer" else "")
        assert environment.chosen(home) is None
        assert_next_try_works(home, fake)
    finally:
        if victim == "viewer":
            os.killpg(os.getpgid(pid), signal.SIGKILL)
            assert viewer.stdout is not None
            viewer.stdout.close()


def test_a_command_that_was_killed_says_by_what() -> None:
    ended = commands.run(["sh", "-c", "kill -KILL $$"], os.environ)
    assert ended.status == -signal.SIGKILL
    assert not ended.cancelled
