"""Jobs in processes give what they give one after the other, in their order, and a failing one is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from medsynth_core.studies.at_work import HowFar, worked
from tests.running import is_alive, wait_for

LINGERING = """
from medsynth_core.studies.at_work import worked
from tests.studies.test_at_work import linger

if __name__ == "__main__":
    worked(linger, ["0", "1"], 2, "long jobs", print)
"""


def linger(place: str) -> None:
    Path(f"{place}.begun").touch()
    time.sleep(120)


def test_results_come_in_the_order_of_the_jobs_whoever_was_first() -> None:
    told: list[HowFar] = []
    assert worked(abs, [-3, 2, -1], 2, "numbers", told.append) == [3, 2, 1] == worked(abs, [-3, 2, -1], 1, "", lambda _: None)
    assert [far.done for far in told] == [1, 2, 3]
    assert {(far.what, far.total) for far in told} == {("numbers", 3)}
    assert told[-1].seconds_left == 0


def test_nothing_to_do_starts_nothing() -> None:
    assert worked(abs, [], 4, "numbers", lambda _: pytest.fail("nothing was done")) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_a_job_that_fails_fails_the_whole(workers: int) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        worked(int, ["1", "x", "2"], workers, "numbers", lambda _: None)


def test_workers_end_with_a_command_that_was_killed(tmp_path: Path) -> None:
    (tmp_path / "lingering.py").write_text(LINGERING, "utf-8")
    root = Path(__file__).parents[2]
    command = subprocess.Popen([sys.executable, "lingering.py"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(root)})
    wait_for(lambda: len(list(tmp_path.glob("*.begun"))) == 2, 60)
    workers = [child.pid for child in psutil.Process(command.pid).children(recursive=True)]
    command.send_signal(signal.SIGKILL)
    command.wait()
    wait_for(lambda: not any(is_alive(pid) for pid in workers), 10)
