"""What a study learns from and measures on: read as a training reads it, on its sides, on the grid of the generator."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medsynth_core.errors import ParameterError, TrainingDataError
from medsynth_core.studies.items import Item
from medsynth_core.studies.learners import NUCLEI, pairs_of
from medsynth_core.studies.material import HELD_OUT, TUNING, Grid, read_material, unmet_by, volume_item
from medsynth_core.training.ledger import ledger_of, mark_of
from medsynth_core.training.likeness import likeness_of
from medsynth_core.training.order import TrainingOrder
from medsynth_core.training.pairs import Columns
from medsynth_core.training.sides import read_sides
from tests.studies.toy_study import toy_material
from tests.toy_pairs import picture, write_pairs
from tests.toy_volumes import write_patients

GRID = Grid((16, 16), 3)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("toy") / "data", 24)


@pytest.mark.parametrize("side", [HELD_OUT, TUNING])
def test_pool_and_test_are_the_sides_of_a_training(data: Path, side: str) -> None:
    sides = read_sides(data, Columns())
    measured = {HELD_OUT: sides.held_out, TUNING: sides.tuning}[side]
    found = read_material("synthesize", data, TrainingOrder(), GRID, side)
    assert [item.name for item in found.pool] == [pair.stem for pair in sides.training]
    assert [item.name for item in found.test] == [pair.stem for pair in measured]
    assert found.tuning == tuple(pair.stem for pair in sides.tuning)
    assert not {item.group for item in found.pool} & {item.group for item in found.test}
    assert set(found.marks) == {pair.stem for pair in (*sides.seen, *measured)}


def test_items_lie_on_the_grid_of_the_generator_with_labels_from_0(data: Path) -> None:
    found = read_material("synthesize", data, TrainingOrder(), replace(GRID, channels=1))
    assert {item.image.shape for item in found.pool} == {(1, 1, 16, 16)}
    assert {int(item.labels.max()) for item in found.pool} == {1}  # the files hold 255
    assert (found.channels, found.labels) == (1, 2)


def test_a_case_that_is_left_out_is_nowhere(data: Path) -> None:
    sides = read_sides(data, Columns())
    gone = (sides.training[0].stem, sides.held_out[0].stem)
    found = read_material("synthesize", data, TrainingOrder(excluded=gone), GRID)
    assert not set(gone) & {item.name for item in (*found.pool, *found.test)}


def test_what_a_model_has_met_mirrored_is_not_measured_on(data: Path) -> None:
    """The model knows its training image by name and pixels of another folder, where it lay the other way round."""
    found = read_material("synthesize", data, TrainingOrder(), GRID)
    met = found.test[0].name
    pixels = np.ascontiguousarray(picture(int(met[4:]))[0][:, ::-1])
    elsewhere = mark_of("theirs", "", likeness_of(pixels.transpose(2, 0, 1)[:, None], Image.fromarray(pixels)))
    left = unmet_by(ledger_of([elsewhere]), found)
    assert left.met == (met,)
    assert [item.name for item in left.test] == [item.name for item in found.test[1:]]
    assert left.pool == found.pool


def test_an_engine_that_makes_no_pairs_is_refused(data: Path) -> None:
    with pytest.raises(ParameterError, match="engine is 'refine'"):
        read_material("refine", data, TrainingOrder(), GRID)


def test_data_of_which_nothing_is_held_out_is_refused(tmp_path: Path) -> None:
    data = write_pairs(tmp_path / "data", 24)
    for pair in read_sides(data, Columns()).held_out:
        pair.image.unlink()
        pair.mask.unlink()
    with pytest.raises(TrainingDataError, match="no item on the held out side"):
        read_material("synthesize", data, TrainingOrder(), GRID)


def test_volumes_are_split_by_patient_and_seen_with_their_neighbors(tmp_path: Path) -> None:
    found = read_material("tumor", write_patients(tmp_path / "data", 12), TrainingOrder(), GRID)
    assert {item.image.shape[1:] for item in found.pool} == {(3, 128, 128)}
    assert all(item.labels.shape == (len(item.image), 128, 128) for item in (*found.pool, *found.test))
    assert all(set(np.unique(item.labels)) == {0, 1} for item in found.pool)
    assert {item.name for item in (*found.pool, *found.test)} <= set(found.marks)


def test_of_a_volume_slices_with_and_without_tumor_are_learned_from_alike() -> None:
    mask = np.zeros((10, 16, 16), bool)
    mask[2:5, 4:8, 4:8] = True
    pairs = pairs_of([volume_item("v", "p", np.arange(10)[:, None, None] * np.ones((10, 16, 16)), mask)], 2)
    assert len(pairs) == 6
    assert int(pairs.masks.any(axis=(1, 2)).sum()) == 3
    middle = pairs.images[1, :, 0, 0].astype(int)
    assert (np.diff(middle) == 1).all()  # a slice, with the ones below and above it


def test_tiles_of_nuclei_are_learned_from_in_patches_of_the_size_that_is_made() -> None:
    tile = Item("t", "g", np.zeros((1, 3, 512, 600), np.uint8), np.arange(512 * 600).reshape(1, 512, 600).astype(np.int32))
    material = replace(toy_material(2), kind=NUCLEI, pool=(tile,))
    pieces = material.pieces(("t",))
    assert [piece.image.shape for piece in pieces] == [(1, 3, 256, 256)] * 4
    assert [int(piece.labels[0, 0, 0]) for piece in pieces] == [0, 256, 256 * 600, 256 * 600 + 256]
