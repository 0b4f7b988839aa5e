"""`msynth trainings`: the words of a line, and how one is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from medsynth_core.cli import main
from medsynth_core.cli_trainings import found, line_of
from medsynth_core.errors import NotFoundError
from medsynth_core.protocol_training import TrainingInfo, TrainingRequest, TrainingState
from tests.running import RunningService

WISH = TrainingRequest("synthesize", "/data/polyps", "mine")
INFO = TrainingInfo(
    "abcdef0123" + "0" * 22, TrainingState.RUNNING, WISH, 0.0, step=50, steps=200, seconds_left=90.0, best_step=40
)


def test_a_line_says_how_far_a_training_is_and_what_is_best() -> None:
    assert line_of(INFO).startswith("abcdef01")
    assert line_of(INFO).endswith("mine                 synthesize   running · 50 of 200, 90 s left · best at 40")
    paused = replace(INFO, state=TrainingState.PAUSED, seconds_left=None, retries=2)
    assert line_of(paused).endswith("paused · 50 of 200 · best at 40 · started again 2 times")
    assert line_of(TrainingInfo("0" * 32, TrainingState.RUNNING, WISH, 0.0)).endswith("running · getting ready")
    assert line_of(TrainingInfo("0" * 32, TrainingState.FAILED, WISH, 0.0, error="no pairs")).endswith("failed · no pairs")


def test_a_training_is_found_by_its_models_name_or_its_id() -> None:
    older = replace(INFO, id="f" * 32)
    assert found("mine", (INFO, older)) == INFO
    assert found("ffffffff", (INFO, older)) == older
    for name in ("other", "f", ""):
        with pytest.raises(NotFoundError, match="mine"):
            found(name, (INFO, older))


def test_without_any_training_the_list_is_empty_and_a_name_is_refused(
    start_service: Callable[..., RunningService], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start_service()
    assert main(["trainings", "list"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["trainings", "pause", "mine"]) == 1
    assert "must be one of none" in capsys.readouterr().err
