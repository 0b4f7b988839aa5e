"""`msynth doctor`: a readable report, JSON, and an exit status that a script can go by."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from medsynth_core.cli import main
from medsynth_core.protocol import from_json
from medsynth_core.protocol_training import DoctorReport
from tests.toy_pairs import save, write_pairs


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_pairs(tmp_path / "data", 24)


def test_a_sound_folder_ends_with_zero(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "synthesize", str(data)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("24 cases of 24 groups: ")
    assert said.endswith("A training may start.\n")


def test_a_bad_folder_ends_with_one_and_the_line_it_gives_mends_it(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(np.zeros((32, 32), np.uint8), data / "masks" / "case03.png")
    (data / "masks" / "case05.png").rename(data / "masks" / "a case.png")
    assert main(["doctor", "synthesize", str(data)]) == 1
    *_, last = capsys.readouterr().out.splitlines()
    assert last == "To leave them out: --exclude 'a case' --exclude case05 --exclude case03"
    words = ["--exclude", "a case", "--exclude", "case05", "--exclude", "case03"]
    assert main(["doctor", "synthesize", str(data), *words]) == 0


def test_json_is_the_report_as_the_service_gives_it(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(np.zeros((32, 32), np.uint8), data / "masks" / "case03.png")
    assert main(["doctor", "synthesize", str(data), "--json", "--thumbnails", str(tmp_path / "shown")]) == 1
    report = from_json(DoctorReport, json.loads(capsys.readouterr().out), "report")
    assert not report.ready
    assert len(list((tmp_path / "shown").glob("*.png"))) == report.thumbnails > 0


def test_a_training_is_refused_with_the_doctors_words(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(np.zeros((32, 32), np.uint8), data / "masks" / "case03.png")
    order = ["train", "synthesize", str(data), "-o", str(tmp_path / "model"), "--preset", "toy", "--steps", "1"]
    assert main(order) == 2
    assert "case03.png: the mask is empty" in capsys.readouterr().err
    assert not (tmp_path / "model").exists()
    assert main([*order, "--exclude", "case03"]) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--exclude", "case99"), "excluded is 'case99'"),
        (("--label-percent", "10"), "--label-percent is for nuclei"),
        (("--group-by", "patient"), "--metadata"),
    ],
)
def test_an_option_is_refused_as_a_training_would(
    data: Path, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "synthesize", str(data), *words]) == 2
    assert said in capsys.readouterr().err


def test_a_folder_that_is_none_is_a_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "synthesize", str(tmp_path / "nowhere")]) == 1
    assert "nowhere is not a folder" in capsys.readouterr().out
