"""Requests: what no tumor can be is refused with a way out, what none was learned from is flagged with the trained range."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsynth_core.engines.tumor.engine import Params
from medsynth_core.engines.tumor.prior import Prior
from medsynth_core.engines.tumor.request import Concern, asked_from, check
from medsynth_core.engines.tumor.shape import Asked, Triple, TumorShape, surface_of
from medsynth_core.engines.tumor.style import Head, Style
from medsynth_core.errors import ParameterError

HEAD = Head((1.0, 4.0, -8.0), (86.0, 107.0, 80.0))
HALF = (120.0, 120.0, 72.5)


def to_world(point: Triple) -> Triple:
    """The world of a volume whose middle is at (10, 20, 30), RAS."""
    x, y, z = point
    return 10 - x, 20 - y, 30 + z


def to_frame(point: Triple) -> Triple:
    x, y, z = point
    return 10 - x, 20 - y, z - 30


def patient(volume: float, sphericity: float, extent: Triple, center: Triple) -> tuple[TumorShape, Style]:
    shape = TumorShape(volume, surface_of(volume, sphericity), sphericity, center, extent)
    return shape, Style((0.1, 0.3, 0.4, 0.7), HEAD)


def trained() -> Prior:
    """Volumes 8 to 160 ml, widths 30 to 90 mm, sphericity 0.5 to 0.9, centers up to 0.5 of the way out."""
    patients = [
        patient(8, 0.9, (30, 32, 24), (44, 4, -8)),
        patient(30, 0.8, (45, 50, 40), (-30, 10, 5)),
        patient(60, 0.7, (60, 62, 50), (30, -20, 0)),
        patient(160, 0.5, (90, 95, 70), (-25, 0, 10)),
    ]
    shapes, styles = zip(*patients, strict=True)
    return Prior.fit(shapes, styles, [5.0] * 4, [29] * 4)


PRIOR = trained()


def checked(asked: Asked, head: Head = HEAD, half: Triple = HALF) -> tuple[Concern, ...]:
    return check(asked, PRIOR, head, half, to_world)


def test_numbers_left_at_zero_are_open() -> None:
    assert asked_from(Params(), to_frame) == Asked()


def test_the_center_is_asked_in_the_world_and_kept_in_the_frame() -> None:
    params = Params(volume_ml=20, place="given", center_x_mm=-30, center_y_mm=25, center_z_mm=40, extent_y_mm=33, sphericity=0.8)
    assert asked_from(params, to_frame) == Asked(20, (40, -5, 10), (None, 33, None), 0.8)


def test_the_origin_may_be_the_center() -> None:
    assert asked_from(Params(place="given"), to_frame).center_mm == (10, 20, -30)


def test_a_center_without_its_place_is_not_passed_over() -> None:
    with pytest.raises(ParameterError, match=r"center_y_mm is 12 but place is 'drawn': set place to 'given'"):
        asked_from(Params(center_y_mm=12), to_frame)


def test_a_usual_request_raises_no_concern() -> None:
    assert checked(Asked()) == ()
    assert checked(Asked(40, (30, 0, 0), (50, 50, 45), 0.7)) == ()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Asked(volume_ml=300), ("volume_ml is 300", "8 to 160 ml", "between 4 and 240 ml", "0 to have one drawn")),
        (Asked(volume_ml=3.9), ("volume_ml is 3.9", "between 4 and 240 ml")),
        (Asked(extent_mm=(140, None, None)), ("extent_x_mm is 140", "30 to 90 mm", "between 15 and 135 mm")),
        (Asked(extent_mm=(None, None, 5)), ("extent_z_mm is 5", "24 to 70 mm")),
        (Asked(60, extent_mm=(40, 40, 40)), ("volume_ml is 60", "40 × 40 × 40 mm", "6.4 to 54.4 ml", "leave one of them at 0")),
        (Asked(10, extent_mm=(60, 60, 60)), ("volume_ml is 10", "21.6 to 184 ml")),
        (Asked(center_mm=(0, 119, 0)), ("center_mm is (10, -99, 30)", "outside the head", "172 × 214 × 160 mm", "(9, 16, 22)")),
        (Asked(center_mm=(0, 0, 80)), ("center_mm is (10, 20, 110)", "outside the volume", "240 × 240 × 145 mm", "(9, 16, 22)")),
    ],
)
def test_what_cannot_be_is_refused_with_field_value_rule_and_way_out(asked: Asked, words: tuple[str, ...]) -> None:
    with pytest.raises(ParameterError) as caught:
        checked(asked)
    for word in words:
        assert word in str(caught.value)


def test_a_tumor_wider_than_a_small_head_or_volume_is_refused() -> None:
    small = Head((0, 0, 0), (40, 50, 40))
    with pytest.raises(ParameterError, match="extent_x_mm is 85: the head measures 80 mm there; ask for less"):
        checked(Asked(extent_mm=(85, None, None)), head=small)
    with pytest.raises(ParameterError, match="extent_z_mm is 65: the volume measures 60 mm there"):
        checked(Asked(extent_mm=(None, None, 65)), half=(120, 120, 30))
    with pytest.raises(ParameterError, match=r"volume_ml is 180: half of this head is 168 ml"):
        checked(Asked(volume_ml=180), head=small)


@pytest.mark.parametrize(
    ("asked", "name", "words"),
    [
        (Asked(volume_ml=200), "volume_ml", "the training patients had 8 to 160 ml"),
        (Asked(volume_ml=5), "volume_ml", "8 to 160 ml"),
        (Asked(sphericity=0.95), "sphericity", "the training patients had 0.5 to 0.9,"),
        (Asked(extent_mm=(None, 110, None)), "extent_y_mm", "32 to 95 mm"),
        (Asked(center_mm=(70, 4, -8)), "center_mm", "lies 80% of the way"),
    ],
)
def test_what_was_not_learned_from_is_flagged_with_the_trained_range(asked: Asked, name: str, words: str) -> None:
    (concern,) = checked(asked)
    assert concern.name == name
    assert concern.key == f"flag_{name}"
    assert words in concern.text


def test_each_odd_number_has_a_flag_of_its_own() -> None:
    concerns = checked(Asked(volume_ml=170, center_mm=(70, 4, -8), sphericity=0.95))
    assert [c.name for c in concerns] == ["volume_ml", "sphericity", "center_mm"]


def test_the_ends_of_the_trained_range_are_within_it() -> None:
    assert checked(Asked(volume_ml=160)) == checked(Asked(volume_ml=8)) == ()
    assert len(checked(Asked(volume_ml=240))) == 1


@given(
    st.floats(8, 160),
    st.tuples(st.floats(-40, 40), st.floats(-40, 40), st.floats(-35, 20)),
    st.integers(0, 2**31),
)
@settings(max_examples=40, deadline=None)
def test_a_request_without_concern_can_be_completed(volume: float, center: Triple, seed: int) -> None:
    asked = Asked(volume_ml=volume, center_mm=center)
    if not checked(asked):
        shape = PRIOR.complete(asked, HEAD, np.random.default_rng(seed))
        assert (shape.volume_ml, shape.center_mm) == (volume, center)
