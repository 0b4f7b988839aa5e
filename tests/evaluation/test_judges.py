"""Segmenter, feature network and adherence on a toy world whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from medsynth_core.errors import ShapeError
from medsynth_core.evaluation.adherence import Adherence, adherence, smallest_third
from medsynth_core.evaluation.features import FeatureSettings
from medsynth_core.evaluation.generator import Pairs
from medsynth_core.evaluation.judges import Judges, JudgeSettings, prepare_judges
from medsynth_core.evaluation.metrics import dice, kid, split_half_kid
from medsynth_core.evaluation.segmenter import SegmenterSettings, segmentation_loss
from medsynth_core.evaluation.tensors import image_array, image_tensor, mask_tensor, option_planes

TOY = JudgeSettings(SegmenterSettings(steps=100, batch=8, widths=(16, 32)), FeatureSettings(steps=30, batch=16, widths=(8, 16)))


def train_quietly(folder: Path, real: Pairs, settings: JudgeSettings = TOY) -> tuple[Judges, list[str]]:
    said: list[str] = []
    judges = prepare_judges(folder, "squares", real, settings, lambda at: said.append(at.network))
    return judges, said


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("judges")


@pytest.fixture(scope="module")
def judges(kept: Path, real: Pairs) -> Judges:
    return train_quietly(kept, real)[0]


def test_the_segmenter_finds_squares_it_never_saw(judges: Judges, held_out: Pairs) -> None:
    assert dice(judges.segment(held_out.images), held_out.masks).mean() > 0.8


def test_adherence_is_1_for_the_real_images_and_low_for_images_of_other_masks(judges: Judges, held_out: Pairs) -> None:
    perfect = adherence(judges.segment, held_out, held_out.images)
    assert perfect.ratio == perfect.ratio_small == 1.0
    assert adherence(judges.segment, held_out, np.roll(held_out.images, 1, axis=0)).ratio < 0.6


def test_adherence_wants_one_image_for_each_mask(judges: Judges, held_out: Pairs) -> None:
    with pytest.raises(ShapeError, match="one for each mask"):
        adherence(judges.segment, held_out, held_out.images[:-1])


def test_a_segmenter_that_finds_nothing_gives_no_number() -> None:
    assert np.isnan(Adherence(0.0, 0.0, 0.0, 0.0).ratio)


def test_the_smallest_third_is_the_smallest_third() -> None:
    masks = np.zeros((6, 4, 4), np.uint8)
    for i, area in enumerate((9, 1, 16, 4, 12, 2)):
        masks[i].flat[:area] = 1
    assert sorted(smallest_third(masks)) == [1, 5]


def test_kid_ranks_real_blurred_and_wrongly_bright_images(judges: Judges, real: Pairs, held_out: Pairs) -> None:
    reference = judges.features(real.images)
    same = kid(reference, judges.features(held_out.images)).mean
    dull = kid(reference, judges.features(held_out.images // 3)).mean
    blurred = (held_out.images.astype(int) + np.roll(held_out.images, 1, axis=3) + np.roll(held_out.images, 1, axis=2)) // 3
    assert same < kid(reference, judges.features(blurred.astype(np.uint8))).mean < dull
    assert split_half_kid(reference).mean < 0.2 * dull


def test_kept_judges_are_used_again(kept: Path, judges: Judges, real: Pairs) -> None:
    again, said = train_quietly(kept, real)
    assert said == []
    assert (again.segmenter_name, again.features_name) == (judges.segmenter_name, judges.features_name)


def test_other_training_images_train_new_judges(kept: Path, judges: Judges, real: Pairs, tmp_path: Path) -> None:
    for file in kept.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    fewer = Pairs(real.images[:-1], real.masks[:-1], real.options[:-1], real.labels, real.option_sizes)
    short = JudgeSettings(SegmenterSettings(steps=2, batch=2, widths=(8,)), FeatureSettings(steps=2, batch=4, widths=(8,)))
    assert set(train_quietly(tmp_path, fewer, short)[1]) == {"segmenter", "features"}


def test_damaged_weights_are_not_trusted(kept: Path, judges: Judges, real: Pairs, tmp_path: Path) -> None:
    for file in kept.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = tmp_path / "segmenter.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\0")
    again, said = train_quietly(tmp_path, real)
    assert set(said) == {"segmenter"}
    assert again.segmenter_name == judges.segmenter_name  # the same seed trains the same weights


def test_training_leaves_the_global_random_state_alone(real: Pairs, tmp_path: Path) -> None:
    before = torch.random.get_rng_state()
    short = JudgeSettings(SegmenterSettings(steps=1, batch=2, widths=(8,)), FeatureSettings(steps=1, batch=4, widths=(8,)))
    train_quietly(tmp_path, real, short)
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_segmentation_loss_is_lowest_at_the_truth() -> None:
    truth = mask_tensor(np.eye(8, dtype=np.uint8)[None], 2)
    assert segmentation_loss(20 * truth, truth) < 0.01 < segmentation_loss(20 * (1 - truth), truth)


def test_images_survive_the_way_there_and_back(held_out: Pairs) -> None:
    assert np.array_equal(image_array(image_tensor(held_out.images)), held_out.images)


def test_options_become_one_plane_a_value() -> None:
    planes = option_planes(np.array([[1, 0], [0, 2]]), (2, 3), (4, 4))
    assert planes.shape == (2, 5, 4, 4)
    assert planes[:, :, 3, 3].tolist() == [[0, 1, 1, 0, 0], [1, 0, 0, 0, 1]]


def test_pairs_that_do_not_fit_are_refused(real: Pairs) -> None:
    with pytest.raises(ShapeError, match="must fit"):
        Pairs(real.images, real.masks[:-1], real.options, 2, (2,))
