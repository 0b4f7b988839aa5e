"""`msynth dataset` against the real service: killed in the middle, stopped by Ctrl-C, and gone on with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medsynth_core.launcher import clean_environment
from tests.running import RunningService, wait_for

WISHED = 24


def command(masks: Path, out: Path) -> list[str]:
    words = ["dataset", "fake", "--masks", str(masks), "--count", str(WISHED), "-o", str(out), "--seed", "9", "--layout", "coco"]
    return [sys.executable, "-P", "-m", "medsynth_core.cli", *words, "--slices", "1", "--size", "24", "--option", "delay_ms=60"]


def run(masks: Path, out: Path) -> subprocess.Popen[str]:
    environment = clean_environment(os.environ)
    return subprocess.Popen(command(masks, out), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def images(out: Path) -> int:
    return len(list((out / "images").glob("*.png")))


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    folder = tmp_path / "masks"
    folder.mkdir()
    for number in range(3):
        labels = np.zeros((24, 24), np.uint8)
        labels[5 + number : 15, 6:14] = 1
        Image.fromarray(labels).save(folder / f"{number}.png")
    return folder


def test_killed_in_the_middle_and_gone_on_with_it_ends_with_the_same_bytes(
    tmp_path: Path, masks: Path, service: RunningService
) -> None:
    whole = run(masks, tmp_path / "whole")
    _, said = whole.communicate(timeout=60)
    assert whole.returncode == 0, said
    out = tmp_path / "out"
    for made in (3, 11, 18):
        killed = run(masks, out)
        wait_for(lambda at=made: images(out) >= at, 40)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        assert killed.returncode == -signal.SIGKILL
    (out / "masks" / f".{'0a' * 16}.partial").write_bytes(b"half")
    last = run(masks, out)
    _, said = last.communicate(timeout=60)
    assert last.returncode == 0, said
    assert "skipped, made before" in said
    assert tree(out) == tree(tmp_path / "whole")


def test_ctrl_c_ends_it_within_a_second_and_says_how_to_go_on(tmp_path: Path, masks: Path, service: RunningService) -> None:
    out = tmp_path / "out"
    stopped = run(masks, out)
    wait_for(lambda: images(out) >= 2, 40)
    stopped.send_signal(signal.SIGINT)
    _, said = stopped.communicate(timeout=10)
    assert stopped.returncode == 130
    assert "run the same command again to go on" in said
    assert not list(out.rglob("*.partial"))
    wait_for(lambda: service.status()["running"] + service.status()["queued"] == 0, 10)
    assert 2 <= images(out) < WISHED
