"""One split for every engine: groups stay whole, look-alikes stay together, and a column decides where there is one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from medsynth_core.errors import ParameterError
from medsynth_core.training.labels import BACKGROUND, vocabulary_of
from medsynth_core.training.pairs import Columns, is_held_out
from medsynth_core.training.sides import read_sides
from medsynth_core.training.sources import BRISC, POLYPGEN
from tests.toy_pairs import write_pairs


def a_held_out_name() -> str:
    return next(name for name in (f"patient {i}" for i in range(1000)) if is_held_out(name))


def test_no_image_is_twice_in_a_folder_nor_on_both_sides(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "data", 12)
    for part in ("images", "masks"):
        shutil.copy(folder / part / "case00.png", folder / part / "twin.png")
    sides = read_sides(folder, Columns())
    assert sorted(pair.stem for pair in sides.pairs) == [f"case{i:02d}" for i in range(12)]
    assert not {pair.group for pair in sides.training} & {pair.group for pair in sides.validation}
    assert sides.counted == "9 pairs, 3 held out"


def test_a_group_column_decides_where_there_is_one(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "train", 10)
    names = (a_held_out_name(), "someone else")
    assert not is_held_out(names[1])
    rows = "".join(f"case{i:02d}.png,{names[i % 2]}\n" for i in range(10))
    (tmp_path / "metadata.csv").write_text("file,dup_group\n" + rows, "utf-8")
    sides = read_sides(folder, POLYPGEN.columns(folder))
    assert [pair.stem for pair in sides.validation] == [f"case{i:02d}" for i in range(0, 10, 2)]


def test_a_folder_whose_every_group_would_be_held_out_is_learned_from_whole(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "train", 3)
    rows = "".join(f"case{i:02d}.png,{a_held_out_name()}\n" for i in range(3))
    (tmp_path / "metadata.csv").write_text("file,p\n" + rows, "utf-8")
    sides = read_sides(folder, Columns(tmp_path / "metadata.csv", "p"))
    assert (len(sides.training), len(sides.validation)) == (3, 0)


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
