"""The one-step baseline learns a toy world and obeys its seeds."""

from __future__ import annotations

import numpy as np
import pytest

from medsynth_core.evaluation.baseline import Baseline, BaselineSettings, train_baseline
from medsynth_core.evaluation.generator import Pairs

TOY = BaselineSettings(steps=60, batch=8, widths=(8, 16), learning_rate=2e-3)


@pytest.fixture(scope="module")
def trained(real: Pairs) -> Baseline:
    baseline = Baseline(real.channels, real.labels, real.option_sizes, TOY)
    for _ in train_baseline(baseline, real, TOY):
        pass
    return baseline


def test_it_paints_the_square_where_the_mask_is(trained: Baseline, held_out: Pairs) -> None:
    images = trained(held_out.masks, held_out.options, range(len(held_out)))
    assert images.shape == held_out.images.shape
    assert images.dtype == np.uint8
    inside = held_out.masks > 0
    assert images[:, 0][inside].mean() > images[:, 0][~inside].mean() + 60


def test_the_same_seed_gives_the_same_image_and_another_seed_another(trained: Baseline, held_out: Pairs) -> None:
    one, again, other = (trained(held_out.masks[:2], held_out.options[:2], seeds) for seeds in ((1, 2), (1, 2), (3, 4)))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_an_image_does_not_depend_on_its_neighbors_in_the_batch(trained: Baseline, held_out: Pairs) -> None:
    together = trained(held_out.masks[:3], held_out.options[:3], (1, 2, 3))
    alone = trained(held_out.masks[1:2], held_out.options[1:2], (2,))
    assert np.abs(together[1].astype(int) - alone[0]).max() <= 1  # another batch size may round another way


def test_training_stops_when_its_time_is_used_up(real: Pairs) -> None:
    none_left = BaselineSettings(seconds=0.0, batch=2, widths=(8, 16))
    baseline = Baseline(real.channels, real.labels, real.option_sizes, none_left)
    assert list(train_baseline(baseline, real, none_left)) == []
