"""What a model folder carries to judge its results by: what is there is measured, what is not is never made up."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from medsynth_core.engines.synthesize.judge import look_of
from medsynth_core.errors import ModelError, ModelTamperedError
from medsynth_core.evaluation.badge import COPIES, INDEX, SEGMENTER, Known, adherence_of, halved, read_judge, write_judge
from medsynth_core.evaluation.copies import CopySettings, build_copy_network, vectors
from medsynth_core.evaluation.copies_search import ALL_WAYS
from medsynth_core.evaluation.looks import at_most, labels_at_most
from medsynth_core.evaluation.plain_unet import PlainUNet
from medsynth_core.evaluation.segmenter import SegmenterSettings, build_segmenter
from medsynth_core.evaluation.tensors import image_tensor
from medsynth_core.models.folder import JUDGE, finish_folder, verify
from medsynth_core.protocol import LabelInfo, ModelCard, Thresholds
from medsynth_core.quality import Badge, Grade

SIDE = 64
LABELS = (LabelInfo(0, "background", "#000000"), LabelInfo(1, "disc", "#ff0000"))
CARD = ModelCard(
    "toy", "Toy", "synthesize", 3, (SIDE, SIDE), LABELS, "CC0", "none", quality=Thresholds(0.0, (5.0, 250.0), 0.9999, 20.0)
)
WIDTHS = (8, 16)


def pictures(count: int, seed: int = 0) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(20, 235, (count, 3, 8, 8), dtype=np.uint8)
    return coarse.repeat(8, axis=2).repeat(8, axis=3)


def mask() -> np.ndarray:
    labels = np.zeros((SIDE, SIDE), np.uint8)
    labels[20:40, 20:40] = 1
    return labels


class Bright(torch.nn.Module):
    """Finds its label where it is bright."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = x.mean(dim=1, keepdim=True)
        return torch.cat([-seen, seen], dim=1)


def segmenter() -> PlainUNet:
    network = build_segmenter(3, 2, SegmenterSettings(widths=WIDTHS)).eval()
    halved(network)
    return network


def known(images: np.ndarray) -> Known:
    network = build_copy_network(3, CopySettings(widths=(8, 16), length=16)).eval()
    halved(network)
    return Known(network, vectors(network, images).astype(np.float16).astype(np.float32))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder with a whole judge that knows eight pictures."""
    write_judge(tmp_path / JUDGE, 2, segmenter(), WIDTHS, known(pictures(8)))
    finish_folder(tmp_path, CARD)
    return tmp_path


def badge_of(folder: Path, image: np.ndarray, card: ModelCard = CARD, labels: np.ndarray | None = None) -> Badge:
    return read_judge(folder, card).badge(look_of(image_tensor(image[None])[0], mask() if labels is None else labels, card))


def grades(badge: Badge) -> list[Grade]:
    return [verdict.grade for verdict in badge.verdicts]


def test_a_training_image_is_known_again_even_mirrored_and_a_strange_one_is_not(folder: Path) -> None:
    learned = pictures(8)[3]
    assert badge_of(folder, learned).may_be_a_copy
    assert badge_of(folder, learned[..., ::-1].copy()).may_be_a_copy
    assert badge_of(folder, pictures(1, seed=9)[0]).may_be_a_copy is False


def test_a_folder_without_a_judge_measures_levels_alone_and_one_without_thresholds_nothing(tmp_path: Path) -> None:
    unknown = Grade.UNKNOWN
    assert grades(badge_of(tmp_path, pictures(1)[0])) == [unknown, Grade.GOOD, unknown]
    assert grades(badge_of(tmp_path, pictures(1)[0], replace(CARD, quality=Thresholds()))) == [unknown] * 3


def test_a_judge_without_an_index_says_nothing_of_copies(tmp_path: Path) -> None:
    write_judge(tmp_path / JUDGE, 2, segmenter(), WIDTHS, known(pictures(8)))
    write_judge(tmp_path / JUDGE, 2, segmenter(), WIDTHS, None)
    assert sorted(path.name for path in (tmp_path / JUDGE).iterdir()) == ["judge.json", SEGMENTER]
    badge = badge_of(tmp_path, pictures(8)[3])
    assert badge.may_be_a_copy is None
    assert badge.verdicts[0].grade is not Grade.UNKNOWN


def test_an_empty_mask_has_no_adherence_and_a_tiled_model_no_networks(folder: Path) -> None:
    image = pictures(1)[0]
    assert badge_of(folder, image, labels=np.zeros((SIDE, SIDE), np.uint8)).verdicts[0].grade is Grade.UNKNOWN
    tiled = badge_of(folder, image, replace(CARD, fit="tile"))
    assert grades(tiled) == [Grade.UNKNOWN, Grade.GOOD, Grade.UNKNOWN]


@pytest.mark.parametrize(("level", "words"), [(0, "unlike"), (255, "unlike"), (128, "paler")])
def test_an_image_of_one_value_is_to_be_looked_at(folder: Path, level: int, words: str) -> None:
    verdict = badge_of(folder, np.full((3, SIDE, SIDE), level, np.uint8)).verdicts[1]
    assert verdict.grade is Grade.LOOK
    assert words in verdict.says


def test_a_mask_of_another_size_is_brought_to_the_grid(folder: Path) -> None:
    image = pictures(1)[0]
    double = mask().repeat(2, axis=0).repeat(2, axis=1)
    assert badge_of(folder, image, labels=double).record() == badge_of(folder, image).record()


def test_adherence_is_how_surely_the_segmenter_tells_the_mask_from_the_rest(tmp_path: Path) -> None:
    judge = replace(read_judge(tmp_path, replace(CARD, quality=Thresholds(adherence=0.5))), segmenter=Bright())
    shown = np.where(mask() > 0, 250, 10).astype(np.uint8)[None].repeat(3, axis=0)
    looks = (look_of(image_tensor(part[None])[0], mask(), CARD) for part in (shown, 255 - shown))
    first, second = (judge.badge(look).verdicts[0] for look in looks)
    assert (first.grade, second.grade) == (Grade.GOOD, Grade.LOOK)
    assert "1.00" in first.says
    assert "0.00" in second.says


def test_adherence_is_chance_where_nothing_tells_inside_from_outside(tmp_path: Path) -> None:
    flat = np.full((3, SIDE, SIDE), 90, np.uint8)
    assert adherence_of(Bright(), flat, mask()) == pytest.approx(0.5)
    assert adherence_of(Bright(), flat, np.ones_like(mask())) == 0.5


@pytest.mark.parametrize("name", [SEGMENTER, COPIES, INDEX])
def test_a_part_that_was_changed_is_refused(folder: Path, name: str) -> None:
    path = folder / JUDGE / name
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(ModelTamperedError, match=name):
        verify(folder)


def test_a_part_that_does_not_fit_is_refused_by_name_of_the_model(folder: Path) -> None:
    path = folder / JUDGE / SEGMENTER
    weights = load_file(path)
    save_file(dict(list(weights.items())[1:]), path)
    with pytest.raises(ModelError, match="judge of model toy"):
        read_judge(folder, CARD)
    facts = folder / JUDGE / "judge.json"
    facts.write_text(json.dumps({"labels": "two"}), "utf-8")
    with pytest.raises(ModelError, match="judge of model toy"):
        read_judge(folder, CARD)


def test_of_several_tiles_the_worst_is_told_with_its_number(folder: Path) -> None:
    judge, strange = read_judge(folder, CARD), pictures(3, seed=9)
    looks = [look_of(image_tensor(image[None])[0], mask(), CARD) for image in (*strange, pictures(8)[3])]
    badge = judge.badge(*looks)
    assert badge.may_be_a_copy
    assert "1 of 4 tiles, first tile 4" in badge.verdicts[2].says
    assert judge.badge(*looks[:3]).may_be_a_copy is False


def test_a_judge_that_knows_turned_pictures_says_so_in_its_folder(tmp_path: Path) -> None:
    learned = pictures(8)
    write_judge(tmp_path / JUDGE, 2, segmenter(), WIDTHS, replace(known(learned), ways=ALL_WAYS))
    finish_folder(tmp_path, CARD)
    on_its_side = np.ascontiguousarray(np.rot90(learned[3], axes=(1, 2)))
    assert badge_of(tmp_path, on_its_side).may_be_a_copy
    write_judge(tmp_path / JUDGE, 2, segmenter(), WIDTHS, known(learned))
    assert badge_of(tmp_path, on_its_side).may_be_a_copy is False


def test_a_large_picture_is_looked_at_in_small_with_the_labels_it_shows_most() -> None:
    labels = np.zeros((1, 256, 256), np.uint8)
    labels[:, 40:80, 40:80] = 3
    assert at_most(np.zeros((1, 3, 256, 256), np.uint8)).shape == (1, 3, 128, 128)
    small = labels_at_most(labels)
    assert small.shape == (1, 128, 128)
    assert (small[0, 20:40, 20:40] == 3).all()
    assert set(np.unique(small)) == {0, 3}
    assert labels_at_most(small) is small
