"""Ctrl-C at any instruction of the main thread: the command ends, whatever its threads are doing."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medsynth_core import cli_refine
from medsynth_core.cli import main
from medsynth_core.interrupts import each, held_back, mapped, rounds
from tests.scripted_refine import Script, ScriptedRefiner
from tests.striking import alarm, spread, struck

LOOKED_INTO = ("/concurrent/futures/", "/threading.py", "/medsynth_core/interrupts.py", "/medsynth_core/cli_batch.py")
"""The files in which the interrupt strikes: they take locks that other threads want, or call what does."""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


@pytest.fixture(autouse=True)
def ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Short turns, and an end to a test that hangs."""
    monkeypatch.setattr("medsynth_core.interrupts.LOOK_SECONDS", 0.01)
    with alarm():
        yield


def work(job: int) -> int:
    time.sleep(0.002)
    return 10 * job


def pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(2, "struck")


def test_wherever_ctrl_c_strikes_a_pool_ends_and_so_do_its_threads() -> None:
    def run() -> list[int]:
        return mapped(pool(), work, range(4))

    _, whole = struck(0, run, LOOKED_INTO)
    for at in spread(whole.count):
        result, strike = struck(at, run, LOOKED_INTO)
        assert result == ("interrupted" if strike.where else [0, 10, 20, 30]), strike.where
        for thread in threading.enumerate():
            if thread.name.startswith("struck"):
                thread.join(2)
                assert not thread.is_alive(), strike.where


def test_wherever_ctrl_c_strikes_a_command_it_ends_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in "abc":
        for folder, value in (("images", 20), ("masks", 255)):
            Path(folder).mkdir(exist_ok=True)
            Image.fromarray(np.full((8, 8), value, np.uint8)).save(f"{folder}/{name}.png")

    def run() -> int:
        script = Script(job_seconds=0.01)
        monkeypatch.setattr(cli_refine, "connect", lambda **_: ScriptedRefiner(script))
        status = main(["refine", "images", "masks", "-o", "out", "--again"])
        assert script.running == 0
        return status

    assert run() == 0  # all is imported
    _, whole = struck(0, run, LOOKED_INTO)
    for at in spread(whole.count):
        capsys.readouterr()
        status, strike = struck(at, run, LOOKED_INTO)
        if strike.where:
            assert status == 130, strike.where
            assert capsys.readouterr().err.endswith("msynth: interrupted\n")


def in_a_block(*presses: str) -> list[str]:
    """Press Ctrl-C in a block and return what was passed after each; "fails" lets the block fail."""
    passed: list[str] = []

    def block() -> None:
        with held_back():
            for press in presses:
                signal.raise_signal(signal.SIGINT)
                passed.append(press)
            if "fails" in presses:
                raise ValueError("the job")

    with pytest.raises(KeyboardInterrupt) as told:
        block()
    assert isinstance(told.value.__context__, ValueError) == ("fails" in presses)
    return passed


def test_ctrl_c_waits_for_the_end_of_the_block() -> None:
    assert in_a_block("once") == ["once"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_twice_means_at_once() -> None:
    assert in_a_block("once", "twice") == ["once"]


def test_the_interrupt_is_told_though_the_block_failed() -> None:
    assert in_a_block("fails") == ["fails"]


def test_where_ctrl_c_is_ignored_it_stays_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with held_back():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_leaves_ctrl_c_to_the_main_one() -> None:
    found = []

    def elsewhere() -> None:
        with held_back():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler]


def test_rounds_come_also_where_nothing_ends_so_that_there_is_time_to_look() -> None:
    go = threading.Event()
    with pool() as two:
        future = two.submit(go.wait)
        seen = []
        for ended in rounds([future]):
            seen.append(set(ended))
            if len(seen) == 2:
                go.set()
    assert seen[:2] == [set(), set()]
    assert seen[-1] == {future}


def test_a_job_that_fails_is_told_and_no_other_is_begun() -> None:
    begun = []

    def fail(job: int) -> None:
        begun.append(job)
        raise ValueError(f"job {job}")

    with pytest.raises(ValueError, match="job"):
        list(each(ThreadPoolExecutor(1), lambda job: fail(job) if job == 0 else work(50 * job), range(200)))
    assert begun == [0]
