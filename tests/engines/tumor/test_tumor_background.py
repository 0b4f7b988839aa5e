"""A real volume is kept and only the lesion grown: what must not change does not, whatever the volume is like."""

from __future__ import annotations

import numpy as np
import pytest

from medsynth_core.engines.tumor.background import Background
from medsynth_core.engines.tumor.frame import frame_of
from medsynth_core.engines.tumor.model import TumorModel
from medsynth_core.errors import InputError, MedSynthError, ParameterError, ShapeError
from medsynth_core.volume import Volume
from tests.toy_tumor import LESION, Grow, head


def lesion_mm(volume: Volume) -> np.ndarray:
    """How far each voxel lies out of the lesion's ellipsoid, in mm along its axes; negative inside."""
    frame = frame_of(volume)
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in volume.size), indexing="ij"), axis=-1)[..., ::-1]
    world = grid @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    center = (LESION["center_x_mm"], LESION["center_y_mm"], LESION["center_z_mm"])
    assert np.isfinite(frame.to_frame(center)).all()
    return np.asarray(np.linalg.norm(world - center, axis=-1) - 15)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float32"])
def test_beyond_the_feathered_rim_every_voxel_is_the_backgrounds(grow: Grow, dtype: str) -> None:
    background = head(14, 60, dtype=dtype)
    grown = grow(background=background, **LESION)
    image, mask = grown.volume("image")[0], grown.volume("mask")[0]
    assert (image.dtype, image.shape) == (background.array.dtype, background.array.shape[1:])
    far = lesion_mm(background) > 5.5
    assert np.array_equal(image[far], background.array[0][far])
    assert not mask[far].any()
    assert (image[~far] != background.array[0][~far]).any()


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_a_background_in_any_orientation_gives_the_same_lesion_in_the_same_place(grow: Grow, order: tuple[int, int, int]) -> None:
    straight, turned = head(12, 40), head(12, 40, order)
    expected, got = (grow(background=volume, **LESION) for volume in (straight, turned))
    for name in ("image", "mask"):
        assert got.outputs[name].shape == turned.array.shape
        assert np.allclose(got.outputs[name].affine, turned.affine)
        assert np.array_equal(got.volume(name)[0], expected.volume(name)[0].transpose(order))
    asked = [value for key, value in got.notes.items() if key.startswith("asked_center")]
    assert asked == pytest.approx([-28, 8, 4], abs=1e-3)


def test_slices_that_run_downwards_come_in_the_same_order(grow: Grow) -> None:
    up = head(12, 40)
    affine = up.affine.copy()
    affine[:3, 3] += 11 * affine[:3, 2]
    affine[:3, 2] *= -1
    down = Volume(up.array[:, ::-1], affine)
    first, second = grow(background=up, anchor=7, **LESION), grow(background=down, anchor=4, **LESION)
    assert [11 - z for z in second.order("image")] == first.order("image")
    assert np.array_equal(second.volume("image")[:, ::-1], first.volume("image"))


def test_only_slices_of_the_lesion_are_decoded_and_the_others_come_after_its_first_ones(
    grow: Grow, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []
    decode = TumorModel.decode
    monkeypatch.setattr(TumorModel, "decode", lambda self, latents: (decoded.append(len(latents) - 2), decode(self, latents))[1])
    grown = grow(background=head(40, 32), **LESION)  # 3.5 mm apart: 15 mm of lesion and 5 of rim on either side
    assert 10 <= sum(decoded) <= 12
    order = grown.order("image")
    assert order[0] == 21
    assert sorted(order) == list(range(40))


def test_the_contrast_of_a_background_below_zero_is_kept(grow: Grow) -> None:
    plain = head(10, 40, dtype="float32")
    shifted = Volume((plain.array.astype(np.float32) * 10 - 1000).astype("int16"), plain.affine)
    image = grow(background=shifted, **LESION).volume("image")
    seen = Background.read(shifted).stack
    assert np.allclose(seen, Background.read(plain).stack, atol=0.01)
    assert image.min() >= -1000
    assert np.array_equal(image[0][lesion_mm(plain) > 5.5], shifted.array[0][lesion_mm(plain) > 5.5])


def test_a_background_smaller_or_larger_than_the_field_is_met_in_the_middle(grow: Grow) -> None:
    plain = head(10, 44)
    middle = plain.array[..., 5:-5, 5:-5]
    affine = plain.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ (5, 5, 0)
    wide = np.pad(plain.array, ((0, 0), (0, 0), (20, 20), (20, 20)))
    wider = plain.affine.copy()
    wider[:3, 3] -= wider[:3, :3] @ (20, 20, 0)
    small, large = (grow(background=volume, **LESION).volume("image") for volume in (Volume(middle, affine), Volume(wide, wider)))
    whole = grow(background=plain, **LESION).volume("image")
    assert np.array_equal(large[..., 20:-20, 20:-20], whole)
    assert np.abs(small.astype(float) - whole[..., 5:-5, 5:-5]).max() <= 1


def test_a_drawn_lesion_lies_in_the_background(grow: Grow) -> None:
    background = head(14, 40)
    for seed in range(3):
        image = grow(background=background, seed=seed).volume("image")
        changed = np.argwhere(image[0] != background.array[0])
        assert len(changed)
        assert (background.array[0] > 0)[tuple(np.rint(changed.mean(axis=0)).astype(int))]


def test_a_picture_of_one_slice_is_a_background_too(grow: Grow) -> None:
    plain = head(3, 60)
    affine = plain.affine.copy()
    affine[:3, 3] += affine[:3, 2]
    affine[:3, 2] *= 0.8
    one = Volume(plain.array[:, 1:2], affine)
    grown = grow(background=one, place="given", center_x_mm=-28.0)
    assert "flag_head" not in grow(background=head(9, 30), **LESION).notes
    assert grown.order("image") == [0]
    assert "part of a head" in str(grown.notes["flag_head"])
    assert (grown.volume("image") != one.array).any()


WRONG: dict[str, tuple[np.ndarray, type[MedSynthError], str]] = {
    "colors": (np.zeros((3, 4, 20, 20), np.uint8), ShapeError, "3 channels"),
    "not a number": (np.where(head(6, 20).array > 100, np.nan, 1).astype(np.float32), InputError, "NaN"),
    "black": (np.zeros((1, 4, 20, 20), np.uint8), InputError, "empty"),
}


@pytest.mark.parametrize(("array", "problem", "said"), WRONG.values(), ids=WRONG)
def test_what_is_no_background_is_refused(grow: Grow, array: np.ndarray, problem: type[MedSynthError], said: str) -> None:
    with pytest.raises(problem, match=said):
        grow(background=Volume(array))


def test_a_grid_asked_for_beside_a_background_is_refused(grow: Grow) -> None:
    with pytest.raises(ParameterError, match="slices is 30: with a background"):
        grow(background=head(6, 20), slices=30)


def test_a_lesion_between_two_slices_is_refused(grow: Grow) -> None:
    with pytest.raises(ParameterError, match="touches no slice"):
        grow(background=head(2, 40), place="given", center_x_mm=-20.0, extent_z_mm=14.0)


def test_where_slices_cannot_be_streamed_an_anchor_is_said_to_be_left_aside(grow: Grow) -> None:
    notes = grow(background=head(8, 30, (2, 1, 0)), anchor=3, **LESION).notes
    assert "left aside" in str(notes["flag_anchor"])
