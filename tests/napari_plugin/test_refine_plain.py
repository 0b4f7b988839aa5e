"""What Refine works out without a viewer: differences and their regions, amounts in words, uncertain places, checks."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from napari.layers import Image, Labels

from medsynth_core.lamp import Lamp
from medsynth_core.preflight import Fix, blocking
from medsynth_core.refine_preflight import check_mask
from medsynth_core.strength import reach_px
from medsynth_core.uncertain import MOST, uncertain_places
from napari_medsynth import amounts, placement
from napari_medsynth.diff import Counts, Diff
from napari_medsynth.refine_preflight import check_layers
from napari_medsynth.samples import SAMPLES

masks = arrays(np.uint8, st.sampled_from([(6, 7), (3, 5, 6)]), elements=st.integers(0, 2))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), before=masks, along=st.integers(0, 2))
def test_a_diff_holds_each_changed_pixel_once_and_accepting_all_gives_the_refined_mask(
    data: st.DataObject, before: np.ndarray, along: int
) -> None:
    after = data.draw(arrays(np.uint8, before.shape, elements=st.integers(0, 2)))
    diff = Diff(before, after, along if before.ndim == 3 else 0)
    assert len(diff.before) == np.count_nonzero(before != after)
    now = before.copy()
    now[diff.places] = diff.after
    assert np.array_equal(now, after)
    assert diff.regions_of(diff.standing(before[diff.places])) == list(range(diff.count))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), before=masks)
def test_taking_a_region_and_undoing_it_brings_the_proposal_back(data: st.DataObject, before: np.ndarray) -> None:
    after = data.draw(arrays(np.uint8, before.shape, elements=st.integers(0, 2)))
    diff = Diff(before, after)
    for region in range(diff.count):
        now = before.copy()
        taken = diff.region == region
        now[tuple(axis[taken] for axis in diff.places)] = diff.after[taken]
        standing = diff.standing(now[diff.places])
        assert not standing[taken].any()
        assert standing[~taken].all()
    assert diff.standing(before[diff.places]).all()


def test_regions_hang_together_within_a_slice_and_change_alike() -> None:
    before, after = np.zeros((2, 9, 9), np.uint8), np.zeros((2, 9, 9), np.uint8)
    after[:, 1:4, 1:4] = 1  # touches itself in the next slice, but is another region there
    after[0, 4, 4] = 1  # hangs on a corner
    before[0, 7, 7] = 1  # goes
    after[0, 7, 8] = 2  # another label beside it
    diff = Diff(before, after)
    assert diff.count == 4
    assert diff.counts(diff.standing(diff.before)) == Counts(20, 1)
    assert [int((diff.region == r).sum()) for r in range(4)] == [10, 1, 1, 9]
    middle, extent = diff.middle(0)
    assert tuple(int(axis[middle]) for axis in diff.places) in {(0, 2, 2), (0, 2, 3), (0, 3, 2), (0, 3, 3)}
    assert extent == 4


@pytest.mark.parametrize("along", [0, 1, 2])
def test_regions_come_slice_by_slice_along_the_axis_of_the_planes(along: int) -> None:
    after = np.zeros((4, 5, 6), np.uint8)
    after[np.ix_([1, 3], [1, 3], [1, 3])] = 1
    diff = Diff(np.zeros_like(after), after, along)
    assert diff.count == 8
    slices = [int(diff.places[along][diff.region == region][0]) for region in range(8)]
    assert slices == [1] * 4 + [3] * 4


def test_two_equal_masks_differ_nowhere() -> None:
    diff = Diff(np.ones((4, 4), np.int32), np.ones((4, 4), np.int32))
    assert diff.count == 0
    assert diff.counts(diff.standing(diff.before)) == Counts(0, 0)


def test_a_rejected_region_stays_away() -> None:
    after = np.zeros((9, 9), np.uint8)
    after[1, 1] = after[5, 5:7] = 1
    diff = Diff(np.zeros_like(after), after)
    diff.reject(0)
    assert diff.counts(diff.standing(diff.before)) == Counts(1, 0)


def test_the_reach_is_told_in_pixels_or_millimeters() -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[20:40, 20:40] = 1
    reach = reach_px(mask > 0, "correct")
    assert amounts.strength_texts(mask, None)["correct"] == f"±{reach:.1f} px"
    assert amounts.strength_texts(mask, (0.5, 0.5))["correct"] == f"±{reach / 2:.1f} mm"
    mask[2:4, 2:4] = 2
    assert amounts.strength_texts(mask, None)["redraw"].startswith("≤ ")
    assert amounts.strength_texts(np.zeros((8, 8), np.uint8), None)["redraw"] == ""
    assert amounts.strength_texts(None, None)["redraw"] == ""


@pytest.mark.parametrize(
    ("pixels", "spacing", "text"),
    [
        (123, None, "+123 px"),
        (12345, None, "+12\N{NARROW NO-BREAK SPACE}345 px"),
        (0, (0.5, 0.5), "+0 mm²"),
        (33, (0.5, 0.5), "+8.2 mm²"),
        (4200, (0.5, 0.5), "+1050 mm²"),
        (4200, (2.0, 0.5, 0.5), "+2.1 ml"),
        (3, (1.0, 1.0, 1.0), "+0.0030 ml"),
    ],
)
def test_a_change_is_told_as_pixels_area_or_volume(pixels: int, spacing: tuple[float, ...] | None, text: str) -> None:
    assert amounts.change_text("+", pixels, spacing) == text


def test_what_was_kept_is_told_in_one_sentence() -> None:
    assert amounts.kept_text({"reach_px": 4, "device": "cpu"}) == ""
    assert "label 2 would have left its input" in amounts.kept_text({"kept z 0": "label 2"})
    many = amounts.kept_text({f"kept z {i}": "label 1" for i in range(9)})
    assert "In 9 slices" in many
    assert many.endswith("z 0, z 1, z 2, z 3, z 4 and 4 more.")


def test_uncertain_places_come_worst_first_and_not_twice() -> None:
    uncertainty = np.zeros((128, 128), np.uint8)
    uncertainty[20:30, 20:30] = 120
    uncertainty[90:100, 60:70] = 250
    places = uncertain_places(uncertainty)
    assert len(places) == 2
    assert np.linalg.norm(np.array(places[0]) - (94.5, 64.5)) < 6
    assert np.linalg.norm(np.array(places[1]) - (24.5, 24.5)) < 6


def test_a_sure_result_has_no_uncertain_place_and_a_wild_one_has_few() -> None:
    assert uncertain_places(np.zeros((32, 32), np.uint8)) == []
    noise = np.random.default_rng(0).integers(0, 255, (200, 200), np.uint8)
    assert len(uncertain_places(noise)) == MOST


@pytest.mark.parametrize("along", [0, 1, 2])
def test_uncertain_places_of_a_stack_are_found_in_their_slice(along: int) -> None:
    uncertainty = np.zeros((40, 40, 40), np.uint8)
    index = [slice(10, 14)] * 3
    index[along] = slice(33, 34)
    uncertainty[tuple(index)] = 200
    (place,) = uncertain_places(uncertainty, along)
    assert place[along] == 33


IMAGE = Image(np.zeros((20, 30)), name="scan")
PAINTED = np.zeros((20, 30), np.uint8)
PAINTED[5:9, 5:9] = 1


def test_layers_that_belong_together_are_green() -> None:
    (chip,) = check_layers(IMAGE, Labels(PAINTED), None)
    assert chip.lamp is Lamp.GREEN


def test_an_rgb_image_has_the_size_of_its_mask() -> None:
    (chip,) = check_layers(Image(np.zeros((20, 30, 3), np.uint8), rgb=True), Labels(PAINTED), Labels(PAINTED))
    assert chip.lamp is Lamp.GREEN


@pytest.mark.parametrize(
    ("image", "mask", "locked", "says"),
    [
        (None, Labels(PAINTED), None, "no image layer"),
        (IMAGE, None, None, "no Labels layer"),
        (IMAGE, Labels(PAINTED[:9]), None, "30 × 9"),
        (IMAGE, Labels(PAINTED[None]), None, "30 × 20 × 1"),
        (IMAGE, Labels([PAINTED, PAINTED[::2, ::2]], multiscale=True), None, "pyramid"),
        (IMAGE, Labels(PAINTED, scale=(1, 1.1)), None, "different places"),
        (IMAGE, Labels(PAINTED, rotate=1), None, "different places"),
        (IMAGE, Labels(PAINTED), Labels(PAINTED[:9]), "new lock layer"),
    ],
)
def test_layers_that_do_not_belong_together_block_and_say_why(
    image: Image | None, mask: Labels | None, locked: Labels | None, says: str
) -> None:
    assert says in blocking(check_layers(image, mask, locked))


def test_a_mask_elsewhere_can_be_aligned() -> None:
    mask = Labels(PAINTED, translate=(0, 5), scale=(2, 2))
    image = Image(np.zeros((20, 30)), scale=(0.5, 0.7), rotate=20, units=("mm", "mm"))
    (chip,) = check_layers(image, mask, None)
    assert chip.fix is Fix.ALIGN_MASK
    placement.align(mask, image)
    assert placement.same_place(mask, image)
    assert mask.units == image.units


def test_what_is_painted_is_told() -> None:
    assert "Nothing is painted in this slice" in blocking(check_mask(PAINTED * 0, False, None))
    assert "in this stack" in blocking(check_mask(np.zeros((3, 4, 5), np.uint8), True, None))
    assert check_mask(PAINTED, False, None)[0].text == "1 label"
    large = np.zeros((5000, 6000), np.uint8)
    large[1000:1100, 2000:2100] = 1
    assert [chip.lamp for chip in check_mask(large, False, None)] == [Lamp.GREEN, Lamp.GREEN]
    many = np.arange(600, dtype=np.int32).reshape(20, 30)
    assert check_mask(many, False, None)[0].lamp is Lamp.AMBER


@pytest.mark.parametrize("stem", ["brain-slice-1", "polyp-1"])
def test_the_rough_samples_are_rough(stem: str) -> None:
    sample = next(s for s in SAMPLES if s.stem == stem)
    rough, true = sample.mask("rough") > 0, sample.mask() > 0
    assert rough.shape == true.shape
    assert 0.6 < (rough & true).sum() / (rough | true).sum() < 0.8
