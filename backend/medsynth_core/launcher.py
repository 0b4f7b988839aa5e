"""Find the running service, or start one.

The service's own OS lock decides who is the one: every client that finds none starts a process, all but one of them see the
lock taken and leave with status 0, and every client waits for the winner's `connection.json` to answer. So nothing here looks
at process ids or tries the lock, and two viewers that start at once share one service.
"""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import medsynth_core
from medsynth_core.errors import ApiVersionError, InputError, ServiceError, ServiceUnavailableError
from medsynth_core.protocol import API_VERSION, from_json
from medsynth_core.transport import JSON, Address, Connections, Request, prove

START_SECONDS = 30.0
REQUIRED = ("fastapi", "uvicorn", "httptools", "zarr", "psutil", "torch", "safetensors")
DROPPED = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH")
_LIST_MISSING = "import importlib.util, sys; print(*[n for n in sys.argv[1:] if importlib.util.find_spec(n) is None])"


def read_address(home: Path) -> Address | None:
    """Return what connection.json says, or None when there is none or it is damaged; it may be stale."""
    try:
        return from_json(Address, json.loads((home / "connection.json").read_text("utf-8")))
    except (OSError, ValueError, InputError):
        return None


def find(home: Path) -> Address:
    """Return the address of the running service, proven. Raises ServiceUnavailableError, or ApiVersionError."""
    address = read_address(home)
    if address is None:
        raise ServiceUnavailableError("no service is running: start it with `msynth engine start`")
    try:
        hello = prove(address)
    except (OSError, http.client.HTTPException):
        raise ServiceUnavailableError("the service stopped answering: start it with `msynth engine start`") from None
    if hello.api_version != API_VERSION:
        raise ApiVersionError(_version_sentence(hello.api_version, hello.code_version))
    return address


def find_or_start(
    home: Path, python: str = "", seconds: float = START_SECONDS, environ: Mapping[str, str] | None = None
) -> Address:
    """Return the address of the running service; start one where none runs, replace an older one that has no jobs.

    `python` is the interpreter of the service's environment, by default the running one; `environ` what it is started with, by
    default what we have now (a viewer that changed its own says what it was started with). Raises ServiceUnavailableError
    when none answers within `seconds`, ApiVersionError when an older one is still working or the running one is newer.
    """
    try:
        return find(home)
    except ApiVersionError:
        replace_older(home)
    except ServiceUnavailableError:
        pass
    return _start(home, python or sys.executable, time.monotonic() + seconds, os.environ if environ is None else environ)


def replace_older(home: Path) -> None:
    """Stop a service of an older API that has no jobs. Raises ApiVersionError when it has some, or is newer."""
    address = read_address(home)
    if address is None:
        return
    hello = prove(address)
    if hello.api_version > API_VERSION:
        raise ApiVersionError(_version_sentence(hello.api_version, hello.code_version))
    if hello.api_version < API_VERSION and not _shut_down(address, force=False):
        raise ApiVersionError(
            f"an older service ({hello.code_version}) still has jobs: wait for them, or end it with `msynth engine stop --force`"
        )


def stop(home: Path, force: bool = False) -> None:
    """End the running service, of whatever version, and wait until it is gone; its jobs go on at the next start.

    Raises ServiceUnavailableError when none answers, ServiceError when it has jobs and `force` is not set.
    """
    address = read_address(home)
    if address is None:
        raise ServiceUnavailableError("no service is running")
    try:
        done = _shut_down(address, force)
    except (OSError, http.client.HTTPException):
        raise ServiceUnavailableError("no service is running") from None
    if not done:
        raise ServiceError("the service has jobs: wait for them, or use --force (they go on at the next start)")


def missing_packages(python: str, environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return which packages of the service the interpreter `python` lacks; nothing is imported."""
    if python == sys.executable:
        return tuple(name for name in REQUIRED if importlib.util.find_spec(name) is None)
    command = [python, "-c", _LIST_MISSING, *REQUIRED]
    try:
        answer = subprocess.run(command, env=clean_environment(environ), capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        raise ServiceUnavailableError("the chosen Python does not run: choose the one of the service's environment") from None
    return tuple(answer.stdout.split())


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without what a viewer sets for itself and would break another interpreter.

    When this package is not installed but used from its checkout, PYTHONPATH names the checkout's folder and nothing else. A
    copy of the light client alone, as a viewer ships it, must not hide the whole package of the other interpreter.
    """
    kept = {name: value for name, value in environ.items() if name not in DROPPED and not name.startswith("QT_")}
    parent = Path(medsynth_core.__file__).resolve().parent.parent
    installed = {Path(sysconfig.get_path(place)).resolve() for place in ("purelib", "platlib")}
    if parent not in installed and (parent / "medsynth_core" / "service").is_dir():
        kept["PYTHONPATH"] = str(parent)
    return kept


def _start(home: Path, python: str, deadline: float, environ: Mapping[str, str]) -> Address:
    if missing := missing_packages(python, environ):
        raise ServiceUnavailableError(
            f'the service needs {", ".join(missing)}, not installed here: run pip install "napari-medsynth[service]"'
        )
    process, patience = _spawn(home, python, environ), 0.0
    while time.monotonic() < deadline:
        try:
            return find(home)
        except ServiceUnavailableError:
            time.sleep(0.02)
        if process.poll():
            raise ServiceUnavailableError(
                f"the service ended at once with status {process.returncode}: read why with `msynth engine logs`"
            )
        # Status 0: another one holds the lock. It answers soon, or it was on its way out and we try again.
        if process.returncode == 0:
            patience = patience or time.monotonic() + 2.0
            if time.monotonic() > patience:
                process, patience = _spawn(home, python, environ), 0.0
    raise ServiceUnavailableError("the service does not answer: read why with `msynth engine logs`, then end its process")


def _spawn(home: Path, python: str, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    logs = home / "logs"
    logs.mkdir(mode=0o700, exist_ok=True)
    detached: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        detached = {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    command = [python, "-P", "-m", "medsynth_core.service", "--home", str(home)]
    with open(logs / "service.log", "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as log:
        process = subprocess.Popen(
            command,
            cwd=home,
            env=clean_environment(environ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            **detached,
        )
    threading.Thread(target=process.wait, name="medsynth-reaper", daemon=True).start()  # it must not stay a zombie of ours
    return process


def _shut_down(address: Address, force: bool) -> bool:
    """Ask a proven service to end and wait for it; False when it refuses because it has jobs."""
    connections = Connections()
    body = json.dumps({"force": force}).encode()
    try:
        status = connections.exchange(address, Request("POST", "/v1/shutdown", body, JSON)).status
    finally:
        connections.close()
    if status < 300:
        _wait_until_gone(address)
    return status < 300


def _wait_until_gone(address: Address, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            prove(address)
        except (OSError, http.client.HTTPException, ServiceUnavailableError):
            return
        time.sleep(0.05)
    raise ServiceUnavailableError("the service was told to stop and did not: end its process")


def _version_sentence(api_version: int, code_version: str) -> str:
    return (
        f"the running service ({code_version}) speaks API version {api_version}, this program {API_VERSION}: "
        "update the older of the two, or end the service with `msynth engine stop`"
    )
