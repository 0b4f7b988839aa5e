"""From a user's grid to the model's and back: nothing painted is lost, no size is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from medsynth_core.imaging.grid import image_from_grid, labels_to_grid

SIZES = [(1, 1), (1, 300), (37, 211), (128, 128), (129, 127), (512, 640)]


@pytest.mark.parametrize("size", SIZES)
def test_shares_of_all_labels_sum_to_one(size: tuple[int, int]) -> None:
    labels = np.random.default_rng(0).integers(0, 3, size, dtype=np.uint8)
    shares = labels_to_grid(labels, 3, (32, 48))
    assert shares.shape == (3, 32, 48)
    assert torch.allclose(shares.sum(dim=0), torch.ones(32, 48), atol=1e-5)


@pytest.mark.parametrize("size", [(100, 100), (37, 211), (512, 640)])
def test_a_lesion_of_one_pixel_is_faint_not_lost(size: tuple[int, int]) -> None:
    for y, x in ((0, 0), (size[0] // 2, size[1] // 3), (size[0] - 1, size[1] - 1)):
        labels = np.zeros(size, np.uint8)
        labels[y, x] = 1
        assert labels_to_grid(labels, 2, (32, 32))[1].sum() > 0


def test_the_model_size_is_left_as_it_is() -> None:
    labels = np.random.default_rng(1).integers(0, 2, (32, 32), dtype=np.uint8)
    assert (labels_to_grid(labels, 2, (32, 32))[1].numpy() == labels).all()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_image_comes_back_in_the_size_of_the_mask(size: tuple[int, int], channels: int) -> None:
    image = image_from_grid(torch.randn(channels, 32, 32, generator=torch.Generator().manual_seed(0)), size)
    assert image.shape == (channels, *size)
    assert image.dtype == np.uint8


def test_minus_one_is_black_and_one_is_white_and_beyond_is_cut() -> None:
    image = torch.tensor([[[-1.0, 0.0, 1.0, -9.0, 9.0]]])
    assert image_from_grid(image, (1, 5)).tolist() == [[[0, 128, 255, 0, 255]]]


def test_labels_are_not_shared() -> None:
    labels = np.zeros((8, 8), np.uint8)
    before = labels.copy()
    labels_to_grid(labels, 2, (4, 4)).add_(1)
    assert (labels == before).all()
