"""`msynth evaluate downstream` as its users run it, on toys: generators of fractions, the study, the report, the refusals."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from medsynth_core.cli import BAD_INPUT, DONE, main
from medsynth_core.training.pairs import Columns
from medsynth_core.training.sides import read_sides
from tests.toy_pairs import write_pairs

TRAINING = ["--generator-preset", "toy", "--generator-steps", "1"]
STUDY = [
    "--fractions",
    "50,100",
    "--arms",
    "real,classic,x0.5",
    "--seeds",
    "1",
    "--segmenter",
    "ours",
    "--steps",
    "1",
    "--batch",
    "2",
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("toy") / "data", 24)


def evaluate(data: Path, out: Path, *more: str) -> int:
    return main(["evaluate", "downstream", str(data), "-o", str(out), *TRAINING, *STUDY, *more])


def train_generators(data: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Run the commands that the study names, in this process, and return them."""
    assert evaluate(data, out, "--show-commands") == DONE
    lines = capsys.readouterr().out.splitlines()
    for line in lines:
        program, *words = shlex.split(line)
        assert program == "msynth"
        assert main(words) == DONE
    capsys.readouterr()
    return lines


def test_from_a_folder_to_the_report_and_again_without_training(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    lines = train_generators(data, out, capsys)
    assert [shlex.split(line)[7] for line in lines] == [str(out / "items-50.txt"), str(out / "items-100.txt")]
    assert all("--no-judge" in line.split() for line in lines), "nobody asks for the badges of what they make"
    assert evaluate(data, out) == DONE
    first = capsys.readouterr()
    assert "segmenters: 6 of 6" in first.err
    told = json.loads((out / "report.json").read_text("utf-8"))
    assert told["answers"] == first.out.splitlines()[:2]
    assert [row["arm"] for row in told["rows"]] == ["real", "classic", "x0.5"] * 2
    sides = read_sides(data, Columns())
    assert len(told["test"]["group_of_item"]) == len(sides.held_out)
    assert {row["real"] for row in told["rows"]} == {len(sides.training), len((out / "items-50.txt").read_text().split())}
    assert "Does synthetic data help?" in (out / "report.html").read_text("utf-8")
    assert not [case.stem for case in sides.held_out if case.stem in (out / "report.json").read_text("utf-8")]

    assert evaluate(data, out) == DONE
    again = capsys.readouterr()
    assert "segmenters" not in again.err
    assert json.loads((out / "report.json").read_text("utf-8"))["rows"] == told["rows"]


def test_the_generator_of_a_larger_fraction_goes_on_from_the_smaller_one_where_that_is_wished(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert evaluate(data, out, "--fractions", "100,50", "--generator-more", "2", "--show-commands") == DONE
    lines = [shlex.split(line)[1:] for line in capsys.readouterr().out.splitlines()]
    half, whole = ((words[4], words[words.index("--steps") + 1], words[-2:]) for words in lines)
    assert half == (str(out / "generator-50"), "1", ["--steps", "1"])
    assert whole == (str(out / "generator-100"), "2", ["--base", str(out / "generator-50")])
    for words in lines:
        assert main(words) == DONE
    assert evaluate(data, out) == DONE
    told = json.loads((out / "report.json").read_text("utf-8"))
    assert "all of this fraction" in told["generators"]["100"]["note"]


def test_images_without_masks_are_for_fractions_that_leave_some(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def unlabeled(folder: Path) -> list[bool]:
        assert evaluate(data, tmp_path / "out", "--generator-unlabeled", str(folder), "--show-commands") == DONE
        return [f"--unlabeled {shlex.quote(str(folder))}" in line for line in capsys.readouterr().out.splitlines()]

    assert unlabeled(data / "images") == [True, False]  # at 100 % each of them has its mask
    assert unlabeled(tmp_path / "others") == [True, True]


def test_a_generator_of_all_items_may_not_serve_half_of_them(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train_generators(data, tmp_path / "out", capsys)
    assert evaluate(data, tmp_path / "out", "--model-at", f"50={tmp_path / 'out' / 'generator-100'}") == BAD_INPUT
    said = capsys.readouterr().err
    assert "generator-100 has learned from" in said
    assert "--train-generators" in said


def test_a_generator_that_is_missing_is_named_with_the_command_that_trains_it(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(data, tmp_path / "out") == BAD_INPUT
    said = capsys.readouterr().err
    assert "there is no generator for 50 %" in said
    assert f"--items {tmp_path / 'out' / 'items-50.txt'}" in said


def test_a_study_without_synthetic_arms_needs_no_generator(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(data, tmp_path / "out", "--arms", "real,classic", "--size", "32") == DONE
    assert capsys.readouterr().out.strip() == str(tmp_path / "out" / "report.html")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--fractions", "ten"], "fraction is 'ten'"),
        (["--fractions", "0"], "fraction is 0 %"),
        (["--fractions", ""], "--fractions is empty"),
        (["--arms", "real,real"], "--arms is"),
        (["--arms", "twice"], "arm is 'twice'"),
        (["--seeds", "0"], "--seeds is 0"),
        (["--steps", "-1"], "--steps is -1"),
        (["--device", "tpu"], "invalid choice"),
        (["--workers", "0"], "--workers is 0"),
        (["--filter", "1"], "--filter is 1"),
        (["--model-at", "10"], "model-at is '10'"),
        (["--model-at", "20=polyp"], "--model-at names 20 %"),
        (["--engine", "refine"], "invalid choice"),
        (["--model", "nobody"], "model is 'nobody'"),
        (["--group-by", "patient"], "--metadata"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_starts(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    assert evaluate(data, tmp_path / "out", *more) == BAD_INPUT
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out" / "lessons").exists()
