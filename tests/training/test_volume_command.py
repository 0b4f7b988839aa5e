"""`msynth train tumor`: what may be said about volumes, what is told before it starts, and what other engines refuse."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from medsynth_core.cli_train import add_train_arguments, train
from medsynth_core.errors import ParameterError, TrainingDataError
from medsynth_core.models.folder import verify
from tests.toy_volumes import write_patients


def read(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_train_arguments(parser)
    return parser.parse_args(list(words))


def trained(data: Path, out: Path, *words: str, engine: str = "tumor") -> list[str]:
    said: list[str] = []
    train(read(engine, str(data), "-o", str(out), "--preset", "toy", "--steps", "2", "--device", "cpu", *words), said.append)
    return said


def test_counts_and_warnings_are_told_before_the_training(tmp_path: Path) -> None:
    data = write_patients(tmp_path / "data", 5, "{}_t1.nii.gz", "{}_seg.nii.gz")
    write_patients(data, 5, "{}_flair.nii.gz", "{}_seg.nii.gz")
    said = trained(data, tmp_path / "m", "--stack-height-mm", "190", "--modality", "t1")
    assert said[0].startswith("5 cases of 5 patients: 50 slices")
    assert "slices 19 mm apart" in said[0]
    assert said[1].startswith("Training m on cpu")


def test_patterns_choose_the_files(tmp_path: Path) -> None:
    data = write_patients(tmp_path / "data", 5, "{}_t1.nii.gz", "{}_truth.nii.gz")
    said = trained(data, tmp_path / "m", "--images", "*/*_t1.nii.gz", "--masks", "*/*_truth.nii.gz")
    assert said[0].startswith("5 cases of 5 patients")
    assert verify(tmp_path / "m").engine == "tumor"


def test_what_is_wrong_stops_it_before_anything_is_written(tmp_path: Path) -> None:
    data = write_patients(tmp_path / "data", 3)
    (data / "P1" / "seg.nii.gz").write_bytes(b"")
    (data / "P2" / "flair.nii.gz").unlink()
    with pytest.raises(TrainingDataError) as caught:
        trained(data, tmp_path / "m")
    assert len(caught.value.offenders) == 2
    assert not (tmp_path / "m").exists()


VOLUME_WORDS = (
    ("--images", "*.nii"),
    ("--masks", "*.nii"),
    ("--modality", "t1"),
    ("--tumor-label", "1"),
    ("--stack-height-mm", "145"),
)


@pytest.mark.parametrize("words", VOLUME_WORDS)
@pytest.mark.parametrize("engine", ["synthesize", "refine"])
def test_an_engine_of_single_images_refuses_what_is_for_volumes(tmp_path: Path, engine: str, words: tuple[str, str]) -> None:
    with pytest.raises(ParameterError, match=f"{words[0]} is for tumor, not for {engine}"):
        trained(tmp_path, tmp_path / "m", *words, engine=engine)


@pytest.mark.parametrize("words", [("--grey",), ("--label", "1=x"), ("--metadata", "t.csv", "--option", "grade=grade")])
def test_tumor_refuses_what_is_for_single_images(tmp_path: Path, words: tuple[str, ...]) -> None:
    with pytest.raises(ParameterError, match="not for tumor: leave it out"):
        trained(tmp_path, tmp_path / "m", *words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--images", "*/a.nii"), "--images is given without --masks"),
        (("--tumor-label", "-1"), "--tumor-label is -1"),
        (("--stack-height-mm", "-145"), "--stack-height-mm is -145"),
        (("--stack-height-mm", "inf"), "--stack-height-mm is inf"),
        (("--tumor-label", "7"), "--tumor-label is 7, which no mask holds"),
    ],
)
def test_an_option_is_refused_with_its_value_and_rule(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    data = write_patients(tmp_path / "data", 2)
    with pytest.raises((ParameterError, TrainingDataError), match=said):
        trained(data, tmp_path / "m", *words)


def test_the_help_names_the_presets_of_tumor() -> None:
    parser = argparse.ArgumentParser()
    add_train_arguments(parser)
    said = " ".join(parser.format_help().split())
    assert "tumor: compact (default), inpaint, joint (the paper's whole stack), gpu, toy" in said
