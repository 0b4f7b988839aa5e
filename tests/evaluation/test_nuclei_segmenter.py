"""The segmenter of nuclei on toys: pieces keep image and instances together, it learns, and any size can be looked at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from medsynth_core.errors import ShapeError
from medsynth_core.evaluation.judges import prepare_nuclei_segmenter
from medsynth_core.evaluation.nuclei_scores import NucleiScore, score
from medsynth_core.evaluation.nuclei_segmenter import (
    PIECE_PX,
    NucleiSegmenterSettings,
    batch_of,
    build_nuclei_segmenter,
    find_nuclei,
    structure_loss,
    train_nuclei_segmenter,
)
from medsynth_core.evaluation.nuclei_views import CLASSIC, NONE, Augmentation, Labeled, piece
from medsynth_core.imaging.nuclei_maps import maps_of
from tests.engines.nuclei.drawn import ellipses

TOY = NucleiSegmenterSettings(steps=3, batch=1, widths=(8, 8))
GEOMETRY = replace(NONE, turns=True, zoom=(0.75, 1.5))


def field(seed: int = 0, shape: tuple[int, int] = (256, 256)) -> Labeled:
    """Dark nuclei on light ground: the picture says all."""
    instances = ellipses(seed, 60, shape, 8.0, 14.0)
    noise = np.random.default_rng(seed).integers(-8, 9, (3, *shape))
    return Labeled((np.where(instances > 0, 60, 210) + noise).astype(np.uint8), instances)


@pytest.mark.parametrize("augmentation", [NONE, GEOMETRY, CLASSIC])
def test_a_piece_shows_the_nuclei_where_its_instances_are(augmentation: Augmentation) -> None:
    whole = field()
    for seed in range(8):
        seen = piece(whole, 128, augmentation, np.random.default_rng(seed))
        assert seen.image.shape == (3, 128, 128)
        assert seen.instances.shape == (128, 128)
        assert seen.image.dtype == np.uint8
        inside = seen.instances > 0
        assert seen.image[:, inside].mean() < seen.image[:, ~inside].mean() - 40


def test_zoom_two_makes_a_nucleus_four_times_as_large() -> None:
    y, x = np.mgrid[:128, :128]
    disk = ((y - 64) ** 2 + (x - 64) ** 2 < 20**2).astype(np.int32)
    whole = Labeled(np.repeat((200 - 100 * disk)[None], 3, axis=0).astype(np.uint8), disk)
    larger = piece(whole, 240, replace(NONE, zoom=(2.0, 2.0)), np.random.default_rng(0))
    assert larger.instances.sum() / disk.sum() == pytest.approx(4, rel=0.02)


def test_without_augmentation_a_piece_is_cut_out_and_nothing_else() -> None:
    whole = field()
    seen = piece(whole, 64, NONE, np.random.default_rng(3))
    windows = np.lib.stride_tricks.sliding_window_view(whole.image[0], (64, 64))
    assert (windows == seen.image[0]).all(axis=(2, 3)).sum() == 1


def test_the_same_number_draws_the_same_piece_and_another_one_another() -> None:
    whole = field()
    one, same, other = (piece(whole, 96, CLASSIC, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (one.image == same.image).all()
    assert (one.instances == same.instances).all()
    assert not (one.image == other.image).all()


def test_a_patch_too_small_for_the_widest_view_is_refused() -> None:
    with pytest.raises(ShapeError, match="give larger patches"):
        piece(field(0, (120, 256)), 128, NONE, np.random.default_rng(0))


def test_a_batch_follows_from_seed_and_step_alone() -> None:
    samples = [field(0), field(1)]
    first, again, later = (batch_of(samples, TOY, step) for step in (0, 0, 1))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], later[0])
    assert first[0].shape == first[1].shape == (1, 3, PIECE_PX, PIECE_PX)


def test_the_truth_has_less_loss_than_anything_near_it() -> None:
    maps = torch.from_numpy(maps_of(field().instances))[None]
    drawn = torch.cat([20 * maps[:, :1], maps[:, 1:]], dim=1)
    least = structure_loss(drawn, maps)
    assert least < 1e-3
    for channel in range(3):
        off = drawn.clone()
        off[:, channel] = -off[:, channel]
        assert structure_loss(off, maps) > least + 0.1


def test_what_is_drawn_outside_of_nuclei_costs_nothing_but_its_logit() -> None:
    maps = torch.from_numpy(maps_of(field().instances))[None]
    drawn = torch.cat([20 * maps[:, :1], torch.where(maps[:, :1] > 0, maps[:, 1:], 9.0)], dim=1)
    assert structure_loss(drawn, maps) < 1e-3


def test_a_field_without_nuclei_has_a_finite_loss_and_gradient() -> None:
    maps = torch.from_numpy(maps_of(np.zeros((64, 64), np.int32)))[None]
    drawn = torch.zeros(1, 3, 64, 64, requires_grad=True)
    structure_loss(drawn, maps).backward()
    assert drawn.grad is not None
    assert torch.isfinite(drawn.grad).all()


def test_the_same_settings_give_the_same_weights() -> None:
    first, same, other = (build_nuclei_segmenter(replace(TOY, seed=seed)) for seed in (0, 0, 1))
    for network, seed in ((first, 0), (same, 0), (other, 1)):
        list(train_nuclei_segmenter(network, [field()], replace(TOY, seed=seed)))
    equal = [torch.equal(a, b) for a, b in zip(first.parameters(), same.parameters(), strict=True)]
    assert all(equal)
    assert not all(torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


def test_a_few_steps_find_dark_nuclei_on_light_ground() -> None:
    settings = NucleiSegmenterSettings(steps=60, batch=1, widths=(8, 16, 24), learning_rate=1e-2, augmentation=NONE)
    network = build_nuclei_segmenter(settings)
    losses = list(train_nuclei_segmenter(network, [field(seed) for seed in range(4)], settings))
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])
    unseen = field(9)
    assert score(find_nuclei(network, unseen.image), unseen.instances).dice > 0.8


@pytest.mark.parametrize("shape", [(256, 256), (256, 320), (100, 300), (401, 263)])
def test_an_image_of_any_size_is_looked_at_whole(shape: tuple[int, int]) -> None:
    network = build_nuclei_segmenter(TOY).eval()
    assert find_nuclei(network, np.full((3, *shape), 128, np.uint8)).shape == shape


def test_a_kept_segmenter_is_read_again_and_another_sample_trains_anew(tmp_path) -> None:
    steps: list[int] = []

    def prepared(samples: list[Labeled]) -> str:
        return prepare_nuclei_segmenter(tmp_path, "toys", samples, TOY, lambda at: steps.append(at.step))[1]

    name = prepared([field()])
    assert steps == [1, 2, 3]
    assert prepared([field()]) == name
    assert len(steps) == 3
    assert prepared([field(1)]) != name
    assert len(steps) == 6


def test_a_perfect_field_scores_one_and_an_empty_one_nothing() -> None:
    true = field().instances
    assert score(true, true) == NucleiScore(1.0, 1.0, 1.0)
    assert score(np.zeros_like(true), true) == NucleiScore(0.0, 0.0, 0.0)
    assert score(np.zeros_like(true), np.zeros_like(true)) == NucleiScore(1.0, 1.0, 1.0)
