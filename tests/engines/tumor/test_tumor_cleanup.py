"""The second pass replaces each slice once, in place, and leaves the first latents as they are."""

from __future__ import annotations

import numpy as np
import pytest

from medsynth_core.engines.tumor.cleanup import NOISE_FROM, START
from medsynth_core.engines.tumor.model import Slab, TumorModel
from tests.toy_tumor import LESION, Grow, head, toy_prior


def test_every_slice_comes_twice_the_second_time_to_replace_the_first(grow: Grow) -> None:
    grown = grow(slices=14, anchor=5, cleanup=True)
    for name in ("image", "mask"):
        first, second = ([e.z for e in grown.made if e.output == name and e.replaces is again] for again in (False, True))
        assert sorted(first) == sorted(second) == list(range(14))
        assert second[0] == 5
        assert grown.order(name) == first + second, "the second pass begins when the first is over"
    for name in ("latents", "clean_latents"):
        assert sorted(grown.order(name)) == list(range(14))
    assert not np.array_equal(grown.volume("latents"), grown.volume("clean_latents"))


def test_the_first_pass_is_the_same_with_and_without_a_second(grow: Grow) -> None:
    plain, cleaned = grow(slices=9), grow(slices=9, cleanup=True)
    assert np.array_equal(plain.volume("latents"), cleaned.volume("latents"))
    assert not np.array_equal(plain.volume("image"), cleaned.volume("image"))


def test_it_starts_from_what_was_made_noised_a_little_with_noise_of_its_own(grow: Grow, monkeypatch: pytest.MonkeyPatch) -> None:
    slabs: list[tuple[Slab, float]] = []
    grow_slab = TumorModel.grow

    def spied(self: TumorModel, slab: Slab, steps: int, guidance: float, start: float = 1.0):  # type: ignore[no-untyped-def]
        slabs.append((slab, start))
        return grow_slab(self, slab, steps, guidance, start)

    monkeypatch.setattr(TumorModel, "grow", spied)
    grown = grow(slices=20, anchor=9, cleanup=True)
    first, again = ([slab for slab, start in slabs if (start < 1) is late] for late in (False, True))
    assert {start for _, start in slabs} == {1.0, START}
    assert NOISE_FROM > 512
    latents = grown.volume("latents")
    for slab in again:
        assert bool(slab.known.flatten(1).any(dim=1).all()), "all slices of the second pass are known"
        assert 0 < int(slab.free.amax(dim=(1, 2, 3)).sum()) <= 8
    middle = again[0]
    z = int(np.argmin(np.abs(frame_z(20) - float(middle.z_mm[2]))))
    assert np.array_equal(middle.known[2].numpy(), latents[:, z])
    assert not any(bool((a.noise[0] == b.noise[0]).all()) for a in first for b in again)


def frame_z(slices: int) -> np.ndarray:
    prior = toy_prior()
    step = min(prior.stack_mm / slices, prior.slice_mm.high)
    return np.asarray((np.arange(slices) - (slices - 1) / 2) * step)


def test_progress_counts_both_passes(grow: Grow) -> None:
    progress = grow(slices=5, cleanup=True).progress
    assert [step.done for step in progress] == list(range(11))
    assert progress[-1].message == "slice 5 of 5, clean-up"
    assert progress[5].message == "slice 5 of 5"


def test_a_kept_background_stays_through_the_second_pass(grow: Grow) -> None:
    background = head(14, 40)
    plain, cleaned = (grow(background=background, cleanup=again, **LESION) for again in (False, True))
    same = plain.volume("image") == cleaned.volume("image")
    assert not same.all()
    assert same[plain.volume("image") == background.array].mean() > 0.99
    assert sorted(cleaned.order("clean_latents")) == list(range(14))


def test_what_was_got_is_measured_on_the_cleaned_mask(grow: Grow) -> None:
    grown = grow(slices=6, cleanup=True)
    voxel_ml = abs(np.linalg.det(np.array(grown.outputs["mask"].affine)[:3, :3])) / 1e3
    assert grown.notes["got_volume_ml"] == pytest.approx(grown.volume("mask").sum() * voxel_ml, rel=1e-4)
