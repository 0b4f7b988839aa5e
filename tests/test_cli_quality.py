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
from medsynth_core.quality import KEY, Badge
from medsynth_core.quality_words import Tally
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


def test_a_batch_keeps_out_what_may_be_a_copy_and_says_in_one_line_how_good_they_are(
    script: Script, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*words, "--count", "3"]) == 1
    told = capsys.readouterr()
    assert [Path(line).name for line in told.out.splitlines()] == ["a-000.png", "a-002.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a-000.png", "a-002.png"]
    assert "a-000.png" not in told.err
    assert "quality: 1 good, 1 to look at, 1 may be copies" in told.err.splitlines()
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
    assert len([line for line in capsys.readouterr().err.splitlines() if "may be a copy" in line]) == 1
    assert recipe_of(tmp_path / "out" / "a.png")["quality"] == COPY.record()


def test_without_a_badge_nothing_is_said_and_nothing_kept_out(
    script: Script, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*words, "--seed", "10", "--count", "2"]) == 0
    assert capsys.readouterr().err == ""
    assert "copy_check" not in recipe_of(tmp_path / "out" / "a-001.png")


@pytest.mark.parametrize(
    ("badges", "line"),
    [
        ([], ""),
        ([GOOD], "quality: good"),
        ([POOR], ""),  # the line with the reason said it
        ([GOOD, GOOD, POOR], "quality: 2 good, 1 to look at"),
        ([Badge.of(Thresholds(), 0.9, None, None)] * 3, "quality: not judged: the model has no judge"),
    ],
)
def test_the_last_line_counts_what_the_lines_before_do_not_say(badges: list[Badge], line: str) -> None:
    tally = Tally()
    reasons = [tally.add({KEY: badge.record()}) for badge in badges]
    assert tally.line == line
    assert [bool(reason) for reason in reasons] == [badge is POOR for badge in badges]
