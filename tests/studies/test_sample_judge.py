"""New samples held against real images: copies, images that do not show their mask, and those too bright are told apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from medsynth_core.cli_dataset_order import Wish, make_order
from medsynth_core.cli_dataset_real import Real, RealJudge, real_judge
from medsynth_core.errors import ParameterError
from medsynth_core.evaluation.planting import planted
from medsynth_core.protocol import ModelCard
from medsynth_core.studies.copies import Memory
from medsynth_core.studies.items import Item
from medsynth_core.studies.learners import LABELS, NUCLEI
from medsynth_core.studies.material import Material
from medsynth_core.studies.sample_judge import Opinion, SampleJudge
from medsynth_core.volume import Volume
from tests.scripted_dataset import ABLE
from tests.studies.test_copies_study import scene, untrained

CARD = ModelCard("toy", "Toy", "synthesize", 3, (64, 64), (), "CC0", "none")


def shown(image: np.ndarray, top: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Return an image with a lesion that is brighter than all else, and its mask."""
    labels = np.zeros(image.shape[1:], np.int32)
    labels[top : top + 16, 20:36] = 1
    return np.where(labels > 0, 250, image.clip(0, 200)).astype(np.uint8), labels


def item(seed: int) -> Item:
    image, labels = shown(scene(seed), top=8 + 4 * (seed % 9))
    return Item(f"case {seed}", "", image[None], labels[None])


def bright(images: np.ndarray) -> np.ndarray:
    return (images.mean(axis=1) > 225).astype(np.uint8)


@pytest.fixture(scope="module")
def judge() -> SampleJudge:
    material = Material(
        LABELS, tuple(item(i) for i in range(8)), tuple(item(100 + i) for i in range(9)), 3, 2, tuning=(), marked=dict
    )
    return SampleJudge(material, Memory(material, untrained), CARD, 0.5, bright)


def asked(judge: SampleJudge, image: np.ndarray, labels: np.ndarray) -> Opinion:
    return judge.opinion(Volume(image[:, None]), Volume(labels[None, None].astype(np.uint8)))


def test_a_new_picture_of_its_mask_passes(judge: SampleJudge) -> None:
    told = asked(judge, *shown(scene(300)))
    assert (told.flags, told.copy) == ((), False)
    assert told.figures["adherence"] == pytest.approx(1, abs=0.05)


def test_a_training_image_warped_and_recolored_is_a_copy(judge: SampleJudge) -> None:
    image, labels = shown(scene(3))
    assert asked(judge, planted(image[None], seed=1)[0], labels).copy


def test_a_lesion_elsewhere_than_the_mask_says_is_flagged(judge: SampleJudge) -> None:
    image, _ = shown(scene(300), top=20)
    _, labels = shown(scene(300), top=40)
    told = asked(judge, image, labels)
    assert told.flags == ("adherence below 0.5",)
    assert told.figures["adherence"] == 0


def test_what_is_darker_than_any_real_image_is_flagged(judge: SampleJudge) -> None:
    image, labels = shown(scene(300))
    dark = (image // 6).astype(np.uint8)
    assert "brightness beyond that of real images" in asked(judge, dark, labels).flags


def test_a_sample_of_another_size_is_judged_on_the_grid_of_the_model(judge: SampleJudge) -> None:
    image, labels = (np.kron(part, np.ones((2, 2), part.dtype)) for part in shown(scene(300)))
    told = asked(judge, image, labels)
    assert (told.flags, told.copy) == ((), False)
    tiny = np.zeros((512, 512), np.int32)
    tiny[5, 5] = 1
    assert "adherence" not in asked(judge, np.kron(scene(300), np.ones((8, 8), np.uint8)), tiny).figures


def test_a_tile_is_looked_at_piece_by_piece() -> None:
    tiles = [scene(i, (3, 256, 256), grain=12) for i in range(8)]
    fields = [Item(f"tile {i}", "", tile[None], np.ones((1, 256, 256), np.int32)) for i, tile in enumerate(tiles)]
    material = Material(NUCLEI, tuple(fields[:4]), tuple(fields[4:]), 3, 2, tuning=(), marked=dict)
    nuclei = SampleJudge(material, Memory(material, untrained), ModelCard("n", "N", "nuclei", 3, (256, 256), (), "", ""), 0.5)
    wide = np.concatenate([scene(50, (3, 256, 256), grain=12), tiles[1]], axis=2)
    told = asked(nuclei, wide, np.ones((256, 512), np.int32))
    assert told.copy
    assert "adherence" not in told.figures
    assert nuclei.terms["least_adherence"] is None


def test_the_factory_is_told_what_the_judge_thinks(judge: SampleJudge) -> None:
    image, labels = shown(scene(300))
    verdict = RealJudge(judge).verdict(Volume(image[:, None]), Volume(labels[None, None].astype(np.uint8)))
    assert (verdict.copy, verdict.flags, set(verdict.figures)) == (False, (), {"adherence", "brightness", "contrast", "likeness"})
    assert RealJudge(judge).terms["copy_threshold"] < 1


@pytest.mark.parametrize(
    ("model", "least", "problem"), [("fake", 0.5, "has no model"), ("toy-nuclei", 1.5, "--min-adherence is 1.5")]
)
def test_what_cannot_be_judged_is_said(tmp_path: Any, model: str, least: float, problem: str) -> None:
    import tifffile

    tifffile.imwrite(tmp_path / "mask.tif", np.eye(8, dtype=np.uint8))
    order = make_order(Wish(model, tmp_path / "out", 2, str(tmp_path / "mask.tif")), ABLE)
    with pytest.raises(ParameterError, match=problem):
        real_judge(Real(tmp_path, None, "", "", least), order, lambda far: None)
