"""Folders of instance labels: what is read, what is refused, what never parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medsynth_core.engines.nuclei.prepare import prepare
from medsynth_core.engines.nuclei.tiles import likeness, patches, read_tiles, survey
from medsynth_core.errors import ParameterError, TrainingDataError
from medsynth_core.training.nuclei_sets import NUCLEI
from medsynth_core.training.order import TrainingOrder
from medsynth_core.training.pairs import Columns, Pair
from medsynth_core.training.sides import parted
from tests.engines.nuclei.conftest import tile


def folder_of(home: Path, seeds: range, masks: str = "masks", side: int = 256) -> Path:
    """Write tiles as a training folder."""
    for name in ("images", masks):
        (home / name).mkdir(parents=True)
    for seed in seeds:
        made = tile(seed, side)
        Image.fromarray(made.image.transpose(1, 2, 0)).save(home / "images" / f"{seed:04d}.png")
        Image.fromarray(made.instances).save(home / masks / f"{seed:04d}.png")
    return home


@pytest.mark.parametrize("masks", ["masks", "instance_labels"])
def test_images_and_instance_labels_are_tiles_in_both_layouts(tmp_path: Path, masks: str) -> None:
    (tmp_path / "semantic_labels").mkdir()
    tiles = read_tiles(survey(folder_of(tmp_path, range(2), masks)))
    assert [t.name for t in tiles] == ["0000", "0001"]
    np.testing.assert_array_equal(tiles[0].instances > 0, tile(0).instances > 0)


def test_every_offender_is_named(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, range(2))
    (folder / "images" / "0001.png").unlink()
    Image.fromarray(tile(7).image.transpose(1, 2, 0)).save(folder / "images" / "0009.png")
    with pytest.raises(TrainingDataError) as problem:
        survey(folder)
    assert {line.split(":")[0] for line in problem.value.offenders} == {"0001.png", "0009.png"}


def test_tiles_too_small_or_not_of_the_size_of_their_labels_are_named(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, range(2))
    for part in ("images", "masks"):
        picture = Image.open(folder / part / "0000.png")
        picture.crop((0, 0, 100, 256)).save(folder / part / "0000.png")
    Image.open(folder / "masks" / "0001.png").crop((0, 0, 256, 200)).save(folder / "masks" / "0001.png")
    with pytest.raises(TrainingDataError) as problem:
        read_tiles(survey(folder))
    assert "at least 256" in problem.value.offenders[0]
    assert "must match" in problem.value.offenders[1]


def test_a_folder_without_labels_is_refused(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(TrainingDataError, match="masks/ or instance_labels/"):
        survey(tmp_path)


def test_tiles_of_one_slide_never_part(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("file,slide\n" + "".join(f"{i:04d}.png,slide {i // 3}\n" for i in range(30)))
    pairs = tuple(Pair(f"{i:04d}", tmp_path, tmp_path, f"slide {i // 3}") for i in range(30))
    sides = parted(pairs, lambda pair: pair.group)
    assert sides.count == 30
    groups = [{pair.group for pair in side} for side in (sides.training, sides.tuning, sides.held_out)]
    assert sum(map(len, groups)) == len(set.union(*groups))
    read = survey(folder_of(tmp_path / "data", range(2)), Columns(table, "slide"))
    assert {p.group for p in read} == {"slide 0"}


def test_the_public_sets_are_grouped_by_block_patient_and_look(tmp_path: Path) -> None:
    nuinsseg = tmp_path / "nuclei_nuinsseg"
    folder_of(nuinsseg / "train", range(6, 9))
    assert [p.group for p in NUCLEI["nuclei_nuinsseg"].pairs(nuinsseg)] == ["nuinsseg block 0"] * 2 + ["nuinsseg block 1"]
    (nuinsseg / "metadata.csv").write_text("file,patient\n0006.jpg,3\n0007.jpg,3\n0008.jpg,4\n")
    assert [p.group for p in NUCLEI["nuclei_tnbc"].pairs(nuinsseg)] == ["tnbc patient 3"] * 2 + ["tnbc patient 4"]
    (nuinsseg / "metadata.csv").write_text(
        "file,modality\n0006.jpg,purple_tissue\n0007.jpg,fluorescence\n0008.jpg,purple_tissue\n"
    )
    assert [p.stem for p in NUCLEI["nuclei_dsb2018"].pairs(nuinsseg)] == ["0006", "0008"]


def test_patches_lie_side_by_side_and_are_described_by_their_nuclei() -> None:
    parts = list(patches(tile(3, 512)))
    assert [part.instances.shape for part in parts] == [(256, 256)] * 4
    density, size_px = likeness(parts[0])
    there = np.unique(parts[0].instances)
    assert density == len(there[there > 0])
    assert size_px == pytest.approx((parts[0].instances > 0).sum() / density)


def test_a_training_is_prepared_from_a_folder_and_heeds_the_label_subset(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "mine", range(4), side=512)
    recipe = prepare(folder, TrainingOrder(preset="toy", model_id="mine", label_percent=25))
    groups = len({t.group for t in recipe.training})
    assert len(recipe.training) == round(0.25 * 4 * (4 - len(recipe.validation)))
    assert groups <= 4
    assert "by k-means" in recipe.blank_card.trained_on
    assert recipe.blank_card.figures["density_p50"] > 0
    assert any("--group-by" in notice for notice in recipe.notices)


def test_an_unknown_starter_and_missing_sets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="of nuclei there is nuclei-he"):
        prepare(tmp_path, TrainingOrder(starter="nuclei-xy"))
    with pytest.raises(TrainingDataError, match="nuclei_nuinsseg is not in"):
        prepare(tmp_path, TrainingOrder(starter="nuclei-he"))
