"""The badge on the command line: told with every image, and what may be a copy leaves a batch only when somebody says so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medsynth_core import cli, cli_synthesize
from medsynth_core.copy_rule import ALLOWED, UNLIKE
from medsynth_core.protocol import Thresholds
from medsynth_core.quality import Badge
from tests.scripted import Script, ScriptedClient

CARD = Thresholds(adherence=0.5, likeness=0.8)
GOOD, POOR, COPY = Badge.of(CARD, 0.9, None, 0.2), Badge.of(CARD, 0.1, None, 0.2), Badge.of(CARD, 0.9, None, 0.95)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    made = Script(badges={0: GOOD, 1: COPY, 2: POOR})
    monkeypatch.setattr(cli_synthesize, "connect", lambda **_: ScriptedClient(made))
    return made


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """A command that makes images of a mask into the folder `out`."""
    pixels = np.zeros((24, 24), np.uint8)
    pixels[6:14, 6:14] = 255
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    (tmp_path / "out").mkdir()
    return ["synthesize", str(tmp_path / "mask.png"), "--model", "polyp", "-o", str(tmp_path / "out" / "a.png")]


def recipe_of(path: Path) -> dict[str, object]:
    with Image.open(path) as opened:
        return dict(json.loads(opened.text["medsynth"]))  # type: ignore[attr-defined]


def test_a_batch_keeps_out_what_may_be_a_copy_and_says_how_good_the_others_are(
    script: Script, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*words, "--count", "3"]) == 1
    told = capsys.readouterr()
    assert [Path(line).name for line in told.out.splitlines()] == ["a-000.png", "a-002.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a-000.png", "a-002.png"]
    assert "a-000.png: quality: good" in told.err
    assert "a-001.png: quality: may be a copy" in told.err
    assert "a-002.png: quality: look at it. The image does not show its mask" in told.err
    assert "1 not saved: they may be copies of training images; --allow-copies" in told.err
    assert recipe_of(tmp_path / "out" / "a-000.png")["copy_check"] == UNLIKE


def test_the_override_saves_it_and_is_on_record_in_the_file(script: Script, words: list[str], tmp_path: Path) -> None:
    assert cli.main([*words, "--count", "3", "--allow-copies"]) == 0
    recipe = recipe_of(tmp_path / "out" / "a-001.png")
    assert recipe["copy_check"] == ALLOWED
    assert recipe["quality"] == COPY.record()
    assert recipe_of(tmp_path / "out" / "a-002.png")["copy_check"] == UNLIKE


def test_a_single_image_is_saved_whatever_its_badge_and_told(
    script: Script, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*words, "--seed", "1"]) == 0
    assert "may be a copy" in capsys.readouterr().err
    assert recipe_of(tmp_path / "out" / "a.png")["quality"] == COPY.record()


def test_without_a_badge_nothing_is_said_and_nothing_kept_out(
    script: Script, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*words, "--seed", "10", "--count", "2"]) == 0
    assert capsys.readouterr().err == ""
    assert "copy_check" not in recipe_of(tmp_path / "out" / "a-001.png")
