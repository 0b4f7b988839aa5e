"""`msynth train`: what may be said, and what is refused before anything starts."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medsynth_core.cli_train import add_train_arguments, train
from medsynth_core.errors import InputError, ParameterError, TrainingDataError
from medsynth_core.models.folder import verify


def pairs_in(folder: Path, count: int = 6, side: int = 32) -> Path:
    """Write images with a bright square, and its mask."""
    rng = np.random.default_rng(0)
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for i in range(count):
        mask = np.zeros((side, side), np.uint8)
        mask[4 + i : 12 + i, 6 : 14 + i] = 255
        image = rng.integers(0, 120, (side, side, 3), dtype=np.uint8) + (mask // 2)[..., None]
        Image.fromarray(image).save(folder / "images" / f"{i}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{i}.png")
    return folder


def read(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_train_arguments(parser)
    return parser.parse_args(list(words))


def test_one_call_makes_a_model_that_verifies(tmp_path: Path) -> None:
    data, out, said = pairs_in(tmp_path / "data"), tmp_path / "mine", []
    card = train(read("synthesize", str(data), "-o", str(out), "--preset", "toy", "--label", "1=square"), said.append)
    assert verify(out) == card
    assert (card.id, card.steps, card.labels[1].name) == ("mine", 6, "square")
    assert said[0].startswith("Training mine on ")
    assert any("left" in line for line in said)
    assert (out / "training" / "curves.png").is_file()


def test_a_training_cut_short_goes_on_when_run_again(tmp_path: Path) -> None:
    data, out = pairs_in(tmp_path / "data"), tmp_path / "mine"
    words = ("synthesize", str(data), "-o", str(out), "--preset", "toy")
    assert train(read(*words, "--minutes", "0"), lambda line: None).steps == 1
    assert train(read(*words), lambda line: None).steps == 6


def test_a_few_step_student_is_distilled_from_a_base(tmp_path: Path) -> None:
    data, teacher, student = pairs_in(tmp_path / "data"), tmp_path / "teacher", tmp_path / "student"
    train(read("synthesize", str(data), "-o", str(teacher), "--preset", "toy"), lambda line: None)
    words = ("synthesize", str(data), "-o", str(student), "--preset", "flow-map", "--steps", "2", "--batch", "4")
    assert train(read(*words, "--base", str(teacher)), lambda line: None).steps == 8
    assert '"flow_map": true' in (student / "denoiser" / "config.json").read_text()


def test_distilling_without_a_base_says_what_is_missing(tmp_path: Path) -> None:
    data = pairs_in(tmp_path / "data")
    with pytest.raises(ParameterError, match="--base"):
        train(read("synthesize", str(data), "-o", str(tmp_path / "m"), "--preset", "flow-map", "--steps", "2"), lambda line: None)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--preset", "best"), "preset is 'best'"),
        (("--starter", "liver"), "starter is 'liver'"),
        (("--label", "polyp"), "write it as NAME=VALUE"),
        (("--label", "one=polyp"), "whole number"),
        (("--label", "0=polyp"), "between 1 and 31"),
        (("--steps", "0"), "steps is 0"),
        (("--batch", "-2"), "batch is -2"),
        (("--group-by", "patient"), "--metadata"),
    ],
)
def test_a_bad_option_is_named_with_its_value_and_rule(tmp_path: Path, words: tuple[str, ...], sentence: str) -> None:
    data = pairs_in(tmp_path / "data")
    with pytest.raises(ParameterError, match=sentence):
        train(read("synthesize", str(data), "-o", str(tmp_path / "m"), *words), lambda line: None)
    assert not (tmp_path / "m").exists()


def test_bad_data_is_listed_whole_before_anything_is_written(tmp_path: Path) -> None:
    data = pairs_in(tmp_path / "data")
    (data / "masks" / "0.png").unlink()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(data / "masks" / "1.png")
    (data / "images" / "2.png").write_bytes(b"")
    with pytest.raises(TrainingDataError) as caught:
        train(read("synthesize", str(data), "-o", str(tmp_path / "m")), lambda line: None)
    assert [name.split(":")[0].split(".")[0] for name in caught.value.offenders] == ["0", "1", "2"]
    assert not (tmp_path / "m").exists()


def test_an_unknown_engine_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="synthesize"):
        train(read("paint", str(tmp_path), "-o", str(tmp_path / "m")), lambda line: None)


def test_a_preset_named_beside_a_starter_is_the_one_that_trains() -> None:
    from medsynth_core.engines.synthesize.prepare import _preset
    from medsynth_core.training.order import TrainingOrder

    both = _preset(TrainingOrder(starter="brain-slice", preset="gpu"))
    assert (both.name, both.augmentation.zoom) == ("gpu", 0.05)
    assert _preset(TrainingOrder(starter="brain-slice")).name == "starter-brain-slice"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("refine", "--label-percent", "10"), "--label-percent is for nuclei, not for refine"),
        (("nuclei", "--grey"), "--grey is for engines that learn from single images with labels, not for nuclei"),
        (("nuclei", "--modality", "flair"), "--modality is for tumor, not for nuclei"),
    ],
)
def test_an_option_that_an_engine_would_not_heed_is_refused(tmp_path: Path, words: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        train(read(words[0], str(tmp_path), "-o", str(tmp_path / "out"), *words[1:]), lambda _: None)
