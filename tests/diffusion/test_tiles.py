"""Windows over a canvas: everything is covered, and a blend of agreeing windows is what they agree on."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from medsynth_core.diffusion.tiles import OVERLAP, blended, windows_over

side = st.integers(32, 200)


@given(side, side)
def test_windows_cover_the_canvas_and_stay_inside_it(height: int, width: int) -> None:
    covered = torch.zeros(height, width)
    for window in windows_over((height, width), (32, 32)):
        part = window.cut(covered)
        assert part.shape == (32, 32)
        part.add_(1)
    assert int(covered.min()) >= 1


@given(side)
def test_neighbors_overlap_enough(width: int) -> None:
    starts = [window.x for window in windows_over((32, width), (32, 32))]
    assert all(b - a <= 32 * (1 - OVERLAP) + 1 for a, b in itertools.pairwise(starts))


@given(side, side)
def test_windows_that_agree_blend_to_what_they_agree_on(height: int, width: int) -> None:
    canvas = torch.randn(1, 2, height, width, generator=torch.Generator().manual_seed(height))
    windows = windows_over((height, width), (32, 32))
    assert torch.allclose(blended(windows, lambda i, w: w.cut(canvas), canvas), canvas, atol=1e-5)


def test_no_seam_where_windows_disagree() -> None:
    canvas = torch.zeros(1, 1, 32, 56)
    windows = windows_over((32, 56), (32, 32))
    mixed = blended(windows, lambda i, w: torch.full((1, 1, 32, 32), float(i)), canvas)
    assert float(mixed.diff(dim=-1).abs().max()) < 0.5


def test_a_canvas_smaller_than_the_window_is_refused() -> None:
    with pytest.raises(ValueError, match="smaller"):
        windows_over((16, 64), (32, 32))
