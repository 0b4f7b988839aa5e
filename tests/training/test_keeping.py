"""What a training keeps: always one whole best state, and lines that can be read while they are written."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

from medsynth_core.errors import ModelTamperedError
from medsynth_core.models.folder import finish_folder, verify
from medsynth_core.protocol import ModelCard, Thresholds
from medsynth_core.protocol_training import TrainingLine
from medsynth_core.training import keeping as training_keeping
from medsynth_core.training.keeping import Keeping

CARD = ModelCard("toy", "Toy", "synthesize", 3, (32, 32), (), "CC0", "nothing")


def writes(text: str, steps: int = 0):  # type: ignore[no-untyped-def]
    """Return how a model folder is written whose one part says `text`."""

    def save(folder: Path) -> ModelCard:
        (folder / "part").mkdir(parents=True, exist_ok=True)
        (folder / "part" / "config.json").write_text(json.dumps(text))
        return finish_folder(folder, ModelCard(**{**CARD.__dict__, "steps": steps}))

    return save


@pytest.fixture
def keeping(tmp_path: Path) -> Keeping:
    kept = Keeping(tmp_path / "model")
    kept.folder.mkdir(parents=True)
    writes("as it stands")(kept.model)
    return kept


def part(folder: Path) -> str:
    return str(json.loads((folder / "part" / "config.json").read_text()))


def test_the_state_with_the_lowest_loss_stays_alone(keeping: Keeping) -> None:
    losses = {1: 0.9, 2: 0.5, 3: 0.7, 4: 0.5, 5: 0.4}
    assert [keeping.offer(step, loss, writes(f"step {step}", step)) for step, loss in losses.items()] == [
        *(True, True, False, False, True)
    ]
    best = keeping.best()
    assert best is not None
    assert (best.step, best.validation, part(best.folder)) == (5, 0.4, "step 5")
    assert [path.name for path in keeping.folder.iterdir()] == ["best-000005"]
    assert verify(best.folder).steps == 5


def test_nothing_to_choose_by_keeps_nothing(keeping: Keeping) -> None:
    assert not keeping.offer(1, math.nan, writes("step 1"))
    assert keeping.best() is None
    keeping.settle()
    assert part(keeping.model) == "as it stands"


def test_a_save_cut_short_leaves_the_best_before_it(keeping: Keeping) -> None:
    keeping.offer(1, 0.9, writes("step 1", 1))

    def dies(folder: Path) -> None:
        (folder / "part").mkdir()
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError):
        keeping.offer(2, 0.5, dies)
    best = keeping.best()
    assert best is not None
    assert (best.step, verify(best.folder).steps) == (1, 1)
    assert keeping.offer(2, 0.5, writes("step 2", 2)), "what was left behind is no hindrance"


def test_a_kill_between_the_new_best_and_the_end_of_the_old_one_leaves_the_new(keeping: Keeping) -> None:
    keeping.offer(1, 0.9, writes("step 1", 1))
    old = keeping.folder / "best-000001"
    copied = keeping.folder / "elsewhere"
    old.rename(copied)
    keeping.offer(2, 0.5, writes("step 2", 2))
    copied.rename(old)
    best = keeping.best()
    assert best is not None
    assert best.step == 2


def test_settling_makes_the_best_the_model_and_may_be_cut_short(keeping: Keeping, monkeypatch: pytest.MonkeyPatch) -> None:
    keeping.offer(7, 0.5, writes("step 7", 7))
    with monkeypatch.context() as patch:
        patch.setattr("medsynth_core.training.keeping.write_card", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            keeping.settle()
    assert keeping.settle().steps == 7
    assert (verify(keeping.model).steps, part(keeping.model)) == (7, "step 7")
    assert keeping.settle().steps == 7


def test_a_best_state_that_was_changed_behind_our_back_is_not_installed(keeping: Keeping) -> None:
    keeping.offer(7, 0.5, writes("step 7", 7))
    (keeping.folder / "best-000007" / "part" / "config.json").write_text('"other"')
    with pytest.raises(ModelTamperedError):
        keeping.settle()
    assert part(keeping.model) == "as it stands"


def test_lines_come_back_as_they_were_and_a_half_written_one_waits(keeping: Keeping) -> None:
    lines = [TrainingLine(step, {"mask": 1 / step}, 0.5 if step == 20 else None) for step in (10, 20, 30)]
    for line in lines:
        keeping.add_line(line)
    with keeping.log.open("a") as stream:
        stream.write('{"step": 40, "losses": {"ma')
    assert keeping.lines() == tuple(lines)
    assert keeping.lines(after=20) == (lines[2],)
    keeping.forget_after(20)
    assert keeping.lines() == tuple(lines[:2])
    assert keeping.line_count() == 2


def test_steps_that_were_lost_take_their_strips_and_their_best_along(keeping: Keeping) -> None:
    for step in (10, 20):
        keeping.strip(step).write_bytes(b"png")
    keeping.offer(20, 0.5, writes("step 20", 20))
    keeping.forget_after(10)
    assert keeping.strips() == (10,)
    assert keeping.best() is None


def test_a_folder_without_a_training_has_nothing(tmp_path: Path) -> None:
    kept = Keeping(tmp_path / "none")
    assert (kept.lines(), kept.strips(), kept.best(), kept.line_count()) == ((), (), None, 0)


def test_the_best_is_found_while_a_better_one_takes_its_place(keeping: Keeping, monkeypatch: pytest.MonkeyPatch) -> None:
    keeping.offer(1, 0.9, writes("step 1", 1))
    list_them, listed = training_keeping._numbered, []

    def listing(folder: Path, pattern: re.Pattern[str]) -> list[tuple[int, Path]]:
        found = list_them(folder, pattern)
        if not listed:
            listed.append(found)
            Keeping(keeping.model).offer(2, 0.5, writes("step 2", 2))
        return found

    monkeypatch.setattr(training_keeping, "_numbered", listing)
    best = keeping.best()
    assert best is not None
    assert (best.step, best.validation) == (2, 0.5)


def test_a_state_half_taken_away_is_none(keeping: Keeping) -> None:
    keeping.offer(1, 0.9, writes("step 1", 1))
    (keeping.folder / "best-000001" / "training" / "validation.json").unlink()
    assert keeping.best() is None


def taught(keeping: Keeping) -> Thresholds:
    """Let a judge be kept."""
    partial, thresholds = keeping.folder / "judge.partial", Thresholds(adherence=0.7, count=9)
    (partial / "judge").mkdir(parents=True)
    (partial / "judge" / "judge.json").write_text("{}", "utf-8")
    keeping.keep_judge(partial, thresholds)
    return thresholds


@pytest.mark.parametrize("validation", [0.5, math.nan])
def test_a_judge_becomes_a_part_of_the_model_whatever_state_is_kept_and_however_often_it_is_settled(
    keeping: Keeping, validation: float
) -> None:
    keeping.offer(1, validation, writes("step 1"))
    assert keeping.thresholds is None
    thresholds = taught(keeping)
    card = keeping.settle()
    assert keeping.settle() == card == verify(keeping.model)
    assert card.quality == keeping.thresholds == thresholds
    assert set(card.sha256) == {"part/config.json", "judge/judge.json"}


def test_a_training_that_goes_on_writes_over_a_model_with_a_judge(keeping: Keeping) -> None:
    taught(keeping)
    keeping.settle()
    writes("further")(keeping.model)
    assert "judge/judge.json" in verify(keeping.model).sha256
    assert keeping.settle().quality == keeping.thresholds
