"""One split for every engine: groups stay whole, look-alikes stay together, and a column decides where there is one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from medsynth_core.errors import ParameterError
from medsynth_core.training.labels import BACKGROUND, vocabulary_of
from medsynth_core.training.pairs import Columns, Pair, is_held_out
from medsynth_core.training.sides import FEWEST_TO_LEND, SIDES, Sides, parted, read_sides, side_of
from medsynth_core.training.sources import BRISC, POLYPGEN
from tests.toy_pairs import write_pairs


def a_held_out_name() -> str:
    return next(name for name in (f"patient {i}" for i in range(1000)) if is_held_out(name))


def test_no_image_is_twice_in_a_folder_nor_on_both_sides(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "data", 12)
    for part in ("images", "masks"):
        shutil.copy(folder / part / "case00.png", folder / part / "twin.png")
    sides = read_sides(folder, Columns())
    assert sorted(pair.stem for pair in (*sides.seen, *sides.held_out)) == [f"case{i:02d}" for i in range(12)]
    assert not {pair.group for pair in sides.seen} & {pair.group for pair in sides.held_out}
    assert sides.counted == "8 pairs, 1 to choose by, 3 held out"


def test_a_group_column_decides_where_there_is_one(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "train", 10)
    names = (a_held_out_name(), "someone else")
    assert not is_held_out(names[1])
    rows = "".join(f"case{i:02d}.png,{names[i % 2]}\n" for i in range(10))
    (tmp_path / "metadata.csv").write_text("file,dup_group\n" + rows, "utf-8")
    sides = read_sides(folder, POLYPGEN.columns(folder))
    assert [pair.stem for pair in sides.held_out] == [f"case{i:02d}" for i in range(0, 10, 2)]


def test_a_folder_whose_every_group_would_be_held_out_is_learned_from_whole(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "train", 3)
    rows = "".join(f"case{i:02d}.png,{a_held_out_name()}\n" for i in range(3))
    (tmp_path / "metadata.csv").write_text("file,p\n" + rows, "utf-8")
    sides = read_sides(folder, Columns(tmp_path / "metadata.csv", "p"))
    assert (len(sides.training), len(sides.seen), sides.count) == (3, 3, 3)


def test_a_source_reads_the_table_beside_the_training_folder(tmp_path: Path) -> None:
    assert BRISC.columns(tmp_path / "train", {"tumor": "tumour"}) == Columns(tmp_path / "metadata.csv", "", {"tumor": "tumour"})


@pytest.mark.parametrize(
    ("found", "names"), [({0, 1}, ["lesion"]), ({1}, ["lesion"]), ({0, 1, 3}, ["label 1", "label 3"]), ({2}, ["label 2"])]
)
def test_labels_without_names_are_named_by_their_values(found: set[int], names: list[str]) -> None:
    labels = vocabulary_of(None, found)
    assert labels[0] == BACKGROUND
    assert [label.name for label in labels[1:]] == names


@pytest.mark.parametrize("names", [{}, {0: "ground"}, {32: "far"}])
def test_labels_that_no_model_can_hold_are_refused(names: dict[int, str]) -> None:
    with pytest.raises(ParameterError, match="between 1 and 31"):
        vocabulary_of(names, {0, 1})


def some(count: int, group: Callable[[int], str]) -> tuple[Pair, ...]:
    return tuple(Pair(f"{i}", Path("x"), Path("y"), group(i)) for i in range(count))


def sides_of(pairs: tuple[Pair, ...]) -> Sides[Pair]:
    return parted(pairs, lambda pair: pair.group)


def test_a_group_is_never_on_two_sides() -> None:
    sides = sides_of(some(300, lambda i: f"patient{i % 40}"))
    groups = [{pair.group for pair in side} for side in (sides.training, sides.tuning, sides.held_out)]
    assert all(groups)
    assert sum(map(len, groups)) == len(set.union(*groups)) == 40
    assert sides.count == 300


def test_the_side_of_a_group_depends_on_its_name_alone() -> None:
    few, many = sides_of(some(50, lambda i: f"g{i}")), sides_of(some(500, lambda i: f"g{i}"))
    assert {pair.group for pair in few.held_out} <= {pair.group for pair in many.held_out}
    assert 0.1 < len(many.held_out) / 500 < 0.2
    assert 0.02 < len(many.tuning) / 500 < 0.08
    assert {i for i in range(40) if is_held_out(f"g{i}")} == {32, 33, 36, 39, 9, 12, 15, 16, 24, 28}, (
        "a changed split spoils old figures"
    )


@pytest.mark.parametrize("count", range(1, 30))
def test_a_small_folder_can_be_learned_from_and_chosen_by_without_its_held_out_side(count: int) -> None:
    pairs = some(count, lambda i: f"case{i:02d}")
    sides = sides_of(pairs)
    assert sides.training
    assert sorted((*sides.seen, *sides.held_out), key=lambda pair: pair.stem) == sorted(pairs, key=lambda pair: pair.stem)
    there = {side_of(pair.group) for pair in pairs}
    if there != {SIDES[2]}:
        assert all(side_of(pair.group) != SIDES[2] for pair in sides.seen)
    if sum(side_of(pair.group) == SIDES[0] for pair in pairs) >= FEWEST_TO_LEND:
        assert sides.tuning


def test_what_is_lent_to_the_tuning_side_is_whole_groups_and_few_of_them() -> None:
    names = [name for name in (f"p{i}" for i in range(1000)) if side_of(name) == SIDES[0]][:60]
    sides = sides_of(some(180, lambda i: names[i % 60]))
    assert len({pair.group for pair in sides.tuning}) == 3
    assert len(sides.tuning) == 9
    assert not {pair.group for pair in sides.tuning} & {pair.group for pair in sides.training}
