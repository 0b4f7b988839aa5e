"""A training on named cases learns from those alone, and no other label has a say in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from medsynth_core.cli import BAD_INPUT, main
from medsynth_core.engines._base import get_engine
from medsynth_core.errors import TrainingDataError
from medsynth_core.training.order import TrainingOrder
from medsynth_core.training.pairs import Columns
from medsynth_core.training.sides import Sides, only, read_sides
from tests.toy_pairs import write_pairs

SIDES = Sides(("a", "b", "c"), ("d",), ("e",))


def test_named_cases_alone_are_learned_from_and_none_is_chosen_by() -> None:
    assert only(SIDES, ("c", "a"), str) == Sides(("a", "c"), (), ("e",))


def test_without_names_the_sides_stay() -> None:
    assert only(SIDES, (), str) == SIDES


@pytest.mark.parametrize("elsewhere", ["d", "e", "nobody"])
def test_a_name_that_is_not_on_the_training_side_is_refused(elsewhere: str) -> None:
    with pytest.raises(TrainingDataError, match="1 of 2 items") as told:
        only(SIDES, ("a", elsewhere), str)
    assert told.value.offenders == (elsewhere,)


def test_a_generator_learns_from_its_items_only(tmp_path: Path) -> None:
    data = write_pairs(tmp_path / "data", 16)
    engine = get_engine("synthesize")
    assert engine.recipe is not None
    training = [pair.stem for pair in read_sides(data, Columns()).training]
    few = engine.recipe(data, TrainingOrder(preset="toy", steps=1, items=tuple(training[:3])))
    assert len(few.training) == 3 < len(training)
    assert len(few.validation) == 0


def test_the_command_refuses_items_where_they_are_not_heeded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = tmp_path / "items.txt"
    names.write_text("case00\n", "utf-8")
    order = ["train", "refine", str(tmp_path), "-o", str(tmp_path / "model"), "--items", str(names)]
    assert main(order) == BAD_INPUT
    assert "--items is for engines that make image and mask" in capsys.readouterr().err


def test_an_empty_list_of_items_is_no_order_to_learn_from_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = tmp_path / "items.txt"
    names.write_text("\n", "utf-8")
    order = ["train", "synthesize", str(write_pairs(tmp_path / "data")), "-o", str(tmp_path / "model"), "--items", str(names)]
    assert main(order) == BAD_INPUT
    assert "names no case" in capsys.readouterr().err
