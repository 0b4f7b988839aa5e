"""Every engine's training leaves a ledger that its own training cases are refused by, and its held-out ones are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from medsynth_core.engines._training import order_of, prepared, run_training
from medsynth_core.engines.synthesize.prepare import surveyed
from medsynth_core.errors import TrainingDataError
from medsynth_core.models.folder import verify
from medsynth_core.protocol_training import TrainingRequest
from medsynth_core.training.guard import check_apart, known_cases
from medsynth_core.training.ledger import FILE, Ledger, read_ledger
from medsynth_core.training.order import TrainingOrder
from tests.toy_pairs import write_pairs


def trained(data: Path, out: Path, engine: str = "synthesize", steps: int = 1, **changes: object) -> Ledger:
    """Train for a step and return what the model says it learned from."""
    request = TrainingRequest(engine, str(data), out.name, preset="toy", steps=steps, **changes)  # type: ignore[arg-type]
    order = order_of(request)
    run_training(prepared(request, order), out, "cpu", lambda progress: None)
    assert FILE in verify(out).sha256
    ledger = read_ledger(out)
    assert ledger is not None
    return ledger


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_pairs(tmp_path / "data", 16)


def test_a_model_says_what_it_has_learned_from(data: Path, tmp_path: Path) -> None:
    ledger, survey = trained(data, tmp_path / "model"), surveyed(data, TrainingOrder())
    assert len(ledger.training) == len(survey.sides.training)
    assert len(ledger.held_out) == len(survey.sides.held_out) > 0
    check_apart(ledger, survey.marks(survey.sides.held_out))
    with pytest.raises(TrainingDataError) as caught:
        check_apart(ledger, survey.marks(survey.sides.seen + survey.sides.held_out))
    assert sorted(text.split(":")[0] for text in caught.value.offenders) == sorted(pair.stem for pair in survey.sides.seen)


def test_the_state_that_is_kept_as_best_has_the_ledger_too(data: Path, tmp_path: Path) -> None:
    ledger = trained(data, tmp_path / "model", steps=2)
    for folder in (tmp_path / "model" / "training").glob("best-*"):
        assert read_ledger(folder) == ledger


def test_an_excluded_case_is_not_in_the_ledger(data: Path, tmp_path: Path) -> None:
    survey = surveyed(data, TrainingOrder())
    left, *_ = survey.sides.training
    ledger = trained(data, tmp_path / "model", excluded=(left.stem,))
    assert left.stem not in known_cases(ledger, survey.marks(survey.sides.seen))


def test_a_training_that_goes_on_with_other_cases_forgets_none(data: Path, tmp_path: Path) -> None:
    survey = surveyed(data, TrainingOrder())
    gone, *_ = survey.sides.training
    trained(data, tmp_path / "model", steps=1)
    for part in ("images", "masks"):
        (data / part / f"{gone.stem}.png").unlink()
    ledger = trained(data, tmp_path / "model", steps=2)
    assert gone.stem in known_cases(ledger, survey.marks((gone,)))


def test_a_model_that_goes_on_from_another_carries_its_ledger(data: Path, tmp_path: Path) -> None:
    first = trained(data, tmp_path / "base")
    other = write_pairs(tmp_path / "other", 40)
    for i in range(16):
        for part in ("images", "masks"):
            (other / part / f"case{i:02d}.png").unlink()
    request = TrainingRequest("synthesize", str(other), "second", preset="toy", steps=1)
    recipe = prepared(request, TrainingOrder(preset="toy", steps=1, base=tmp_path / "base"))
    assert recipe.ledger is not None
    assert set(first.training) < set(recipe.ledger.training)
    assert recipe.ledger.unlisted == ()


def test_a_base_without_a_ledger_is_named_in_the_ledger(data: Path, tmp_path: Path) -> None:
    trained(data, tmp_path / "base")
    (tmp_path / "base" / FILE).unlink()
    recipe = prepared(
        TrainingRequest("synthesize", str(data), "second"), TrainingOrder(preset="toy", steps=1, base=tmp_path / "base")
    )
    assert recipe.ledger is not None
    assert recipe.ledger.unlisted == ("base",)


@pytest.mark.parametrize("preset", ["toy", "coarse-toy"])
def test_refiner_and_coarse_network_have_a_ledger(data: Path, preset: str) -> None:
    request = TrainingRequest("refine", str(data), "mine", preset=preset, steps=1)
    recipe = prepared(request, order_of(request))
    survey = surveyed(data, TrainingOrder())
    assert recipe.ledger is not None
    assert len(recipe.ledger.training) == len(survey.sides.training)


def test_groups_are_known_by_their_column(data: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("file,patient\n" + "".join(f"case{i:02d}.png,p{i // 2}\n" for i in range(16)), "utf-8")
    ledger = trained(data, tmp_path / "model", metadata=str(table), group_by="patient")
    assert len({entry.group for entry in ledger.seen}) == len(ledger.seen) / 2
    assert "" not in {entry.group for entry in ledger.seen}
