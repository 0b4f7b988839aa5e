"""Finding and starting the service: exactly one, whoever starts it, and never somebody else's program."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import os
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from medsynth_core import launcher
from medsynth_core.client import connect
from medsynth_core.errors import ApiVersionError, ServiceError, ServiceUnavailableError
from medsynth_core.launcher import clean_environment
from tests.running import RunningService, is_alive, wait_for

TOKEN = "t" * 43


class Impostor(http.server.BaseHTTPRequestHandler):
    """A service that knows its token or not, of any version; it notes every request and whether a token came with it."""

    protocol_version = "HTTP/1.1"
    server: Stage

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer()

    def answer(self) -> None:
        self.server.seen.append((self.path.split("?")[0], "Authorization" in self.headers))
        status, fields = self.server.reply(self.path)
        body = json.dumps(fields).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if self.path == "/v1/shutdown" and status < 300:
            self.close_connection = True
            threading.Thread(target=self.server.leave, daemon=True).start()

    def log_message(self, *_: object) -> None:
        pass


class Stage(http.server.ThreadingHTTPServer):
    """The server of an impostor, and what it pretends."""

    daemon_threads = True
    token, version, jobs = TOKEN, 1, False

    def __init__(self) -> None:
        self.seen: list[tuple[str, bool]] = []
        super().__init__(("127.0.0.1", 0), Impostor)

    def reply(self, path: str) -> tuple[int, dict[str, object]]:
        if path.startswith("/v1/hello"):
            nonce = urllib.parse.parse_qs(path.split("?")[1])["nonce"][0]
            proof = hmac.new(self.token.encode(), (nonce + "i1").encode(), hashlib.sha256).hexdigest()
            return 200, {"instance": "i1", "api_version": self.version, "code_version": "0.0.9", "proof": proof}
        if path == "/v1/shutdown" and self.jobs:
            return 409, {"code": "service_error", "detail": "there are jobs"}
        return 200, {"stopping": True}

    def leave(self) -> None:
        self.shutdown()
        self.server_close()


@contextmanager
def impostor(home: Path, **pretends: object) -> Iterator[Stage]:
    stage = Stage()
    for name, value in pretends.items():
        setattr(stage, name, value)
    thread = threading.Thread(target=stage.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    write_connection(home, stage.server_port)
    try:
        yield stage
    finally:
        stage.leave()
        thread.join(5)


def write_connection(home: Path, port: int) -> None:
    fields = {"instance": "i1", "port": port, "token": TOKEN, "api_version": 1, "code_version": "0.0.9"}
    (home / "connection.json").write_text(json.dumps(fields))


def services_of(home: Path) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
        except OSError:
            continue
        if b"medsynth_core.service" in words and str(home).encode() in words and is_alive(int(entry.name)):
            found.append(int(entry.name))
    return found


def end(home: Path) -> None:
    launcher.stop(home, force=True)
    wait_for(lambda: not services_of(home), 15)


def test_nothing_is_found_where_nothing_runs(home: Path) -> None:
    with pytest.raises(ServiceUnavailableError, match="no service is running"):
        launcher.find(home)
    with pytest.raises(ServiceUnavailableError):
        launcher.stop(home)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"port": 1}', '{"instance": 1}', "\x00\xff"])
def test_a_damaged_connection_file_counts_as_none(home: Path, content: str) -> None:
    (home / "connection.json").write_bytes(content.encode("latin-1"))
    assert launcher.read_address(home) is None
    with pytest.raises(ServiceUnavailableError):
        launcher.find(home)


def test_a_program_that_does_not_know_the_token_never_gets_it(home: Path) -> None:
    with impostor(home, token="another") as stage:
        with pytest.raises(ServiceUnavailableError, match="does not know the token"):
            launcher.find(home)
        with pytest.raises(ServiceUnavailableError):
            connect(home=home, start=False).close()
        assert stage.seen
        assert not any(with_token for _, with_token in stage.seen)


def test_a_port_that_another_kind_of_program_has_taken_is_no_service(home: Path) -> None:
    with impostor(home, reply=lambda path: (200, {"hello": "world"})):
        with pytest.raises(ServiceUnavailableError, match="another program"):
            launcher.find(home)


def test_the_token_is_not_shown_when_an_address_is_printed(home: Path) -> None:
    write_connection(home, 1)
    assert TOKEN not in repr(launcher.read_address(home))


@pytest.mark.parametrize("version", [0, 2, 99])
def test_a_service_of_another_version_is_named(home: Path, version: int) -> None:
    with impostor(home, version=version):
        with pytest.raises(ApiVersionError, match=f"speaks API version {version}, this program 1: update"):
            launcher.find(home)


def test_a_newer_service_is_left_alone(home: Path) -> None:
    with impostor(home, version=2) as stage:
        with pytest.raises(ApiVersionError):
            launcher.find_or_start(home)
        assert "/v1/shutdown" not in [path for path, _ in stage.seen]


def test_an_older_service_with_jobs_is_left_alone_and_the_user_is_told(home: Path) -> None:
    with impostor(home, version=0, jobs=True):
        with pytest.raises(ApiVersionError, match=r"0\.0\.9.*still has jobs: wait for them"):
            launcher.find_or_start(home)


def test_an_older_service_without_jobs_is_replaced(home: Path) -> None:
    with impostor(home, version=0) as stage:
        address = launcher.find_or_start(home)
        assert ("/v1/shutdown", True) in stage.seen
    assert address.instance != "i1"
    end(home)


@pytest.mark.parametrize("version", [0, 2])
def test_stop_ends_a_service_of_any_version(home: Path, version: int) -> None:
    with impostor(home, version=version) as stage:
        launcher.stop(home)
        assert ("/v1/shutdown", True) in stage.seen


def test_stop_never_gives_the_token_to_an_impostor(home: Path) -> None:
    with impostor(home, token="another") as stage:
        with pytest.raises(ServiceUnavailableError):
            launcher.stop(home)
        assert not any(with_token for _, with_token in stage.seen)


def test_a_stale_connection_file_does_not_keep_a_service_from_starting(home: Path) -> None:
    write_connection(home, 9)
    with connect(home=home) as engine:
        assert engine.status().instance != "i1"
    end(home)


def test_two_programs_that_connect_at_once_share_one_service(home: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from medsynth_core.client import connect\n"
        "engine = connect(home=Path(sys.argv[1])); print(engine.status().instance, flush=True); sys.stdin.read(); engine.close()"
    )
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(home)],
            env=clean_environment(os.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    try:
        instances = {program.stdout.readline() for program in programs if program.stdout}
        assert len(instances) == 1
        wait_for(lambda: len(services_of(home)) == 1, 10)
        with connect(home=home) as engine:
            assert engine.status().clients == 4
    finally:
        for program in programs:
            program.communicate(timeout=20)
    end(home)


def test_the_threads_of_one_program_start_one_service(home: Path) -> None:
    instances: list[str] = []

    def work() -> None:
        with connect(home=home) as engine:
            instances.append(engine.capabilities().instance)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(instances) == 4
    assert len(set(instances)) == 1
    wait_for(lambda: len(services_of(home)) == 1, 10)
    end(home)


def test_a_service_nobody_uses_ends_itself_and_leaves_no_orphan(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDSYNTH_IDLE_SECONDS", "1")
    engine = connect(home=home)
    (service,) = services_of(home)
    worker = engine.capabilities()
    assert worker.ready
    workers = [int(pid) for pid in Path(f"/proc/{service}/task/{service}/children").read_text().split()]
    engine.close()
    wait_for(lambda: not services_of(home), 15)
    wait_for(lambda: not any(is_alive(pid) for pid in workers), 5)
    assert not (home / "connection.json").exists()


def test_stop_is_refused_with_jobs_running_unless_forced(start_service: Callable[..., RunningService]) -> None:
    service = start_service()
    with connect(home=service.home, start=False) as engine:
        engine.submit("fake", slices=1000, delay_ms=50, size=4)
        with pytest.raises(ServiceError, match="has jobs"):
            launcher.stop(service.home)
        launcher.stop(service.home, force=True)
        service.process.wait(15)


def test_an_interpreter_without_the_service_is_told_apart_before_it_starts(home: Path, tmp_path: Path) -> None:
    bare = tmp_path / "python"
    bare.write_text('#!/bin/sh\nshift 2\necho "$@"\n')  # the answer of an interpreter that has none of the packages
    bare.chmod(0o755)
    with pytest.raises(ServiceUnavailableError, match=r'needs fastapi, .*torch.*: run pip install "napari-medsynth\[service\]"'):
        launcher.find_or_start(home, python=str(bare))
    with pytest.raises(ServiceUnavailableError, match="does not run"):
        launcher.find_or_start(home, python=str(tmp_path / "nothing"))


def test_this_interpreter_has_what_the_service_needs() -> None:
    assert launcher.missing_packages(sys.executable) == ()


def test_a_service_that_cannot_start_points_to_its_log(home: Path) -> None:
    (home / "journal.sqlite3").mkdir()
    with pytest.raises(ServiceUnavailableError, match="msynth engine logs"):
        launcher.find_or_start(home, seconds=15)
    assert (home / "logs" / "service.log").stat().st_size > 0


def test_what_a_viewer_sets_for_itself_does_not_reach_the_service() -> None:
    poison = {"PYTHONPATH": "/x", "PYTHONHOME": "/x", "LD_LIBRARY_PATH": "/x", "QT_PLUGIN_PATH": "/x", "QT_API": "pyqt5"}
    kept = clean_environment({"HOME": "/home/me", "CUDA_VISIBLE_DEVICES": "0", **poison})
    assert kept["HOME"] == "/home/me"
    assert kept["CUDA_VISIBLE_DEVICES"] == "0"
    assert "/x" not in kept.values()
    assert not [name for name in kept if name.startswith("QT_")]


def test_the_folder_and_its_secrets_are_the_users_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "state"
    connect(home=folder).close()
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / "connection.json").stat().st_mode & 0o077 == 0
    assert (folder / "logs" / "service.log").stat().st_mode & 0o077 == 0
    end(folder)


def test_a_light_copy_of_the_client_never_hides_the_service_of_another_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    light = tmp_path / "medsynth_core"
    light.mkdir()
    monkeypatch.setattr("medsynth_core.__file__", str(light / "__init__.py"))
    assert "PYTHONPATH" not in clean_environment({"PYTHONPATH": "/viewer"})
    (light / "service").mkdir()
    assert clean_environment({"PYTHONPATH": "/viewer"})["PYTHONPATH"] == str(tmp_path)
