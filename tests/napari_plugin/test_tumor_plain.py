"""What the panel of *Grow a tumor volume* works out without a viewer: outlines, heads, chips and the report."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsynth_core import tumor_preflight
from medsynth_core.engines.tumor.engine import ENGINE
from medsynth_core.lamp import Lamp
from medsynth_core.tumor_request import BALL, Ellipsoid, Range, Trained, TumorRequest, head_of
from napari_medsynth import grow_report, tumor_lines
from tests.gui.growing import CARD

TRAINED = Trained.of(CARD)
HERE = (0.0, 0.0, 0.0)
mm = st.floats(1, 100)


def volume_ml(body: Ellipsoid) -> float:
    return BALL * math.prod(body.half_mm) / 1000


def test_a_card_tells_ranges_and_the_head_in_world_coordinates() -> None:
    figures = CARD.figures | {"head_center_x_mm": 3.0, "head_center_y_mm": -4.0, "head_center_z_mm": 5.0}
    trained = Trained.of(replace(CARD, figures=figures))
    assert trained.volume_ml == Range(2, 120)
    assert trained.head == Ellipsoid((-3, 4, 5), (70, 90, 70))


def test_a_card_without_figures_tells_nothing() -> None:
    assert Trained.of(replace(CARD, figures={})) == Trained()
    assert Trained.of(None) == Trained()


@given(mm, mm, mm)
def test_the_outline_of_three_extents_is_as_large_as_they_are(x: float, y: float, z: float) -> None:
    outline = TumorRequest(30, HERE, (x, y, z)).outline(TRAINED)
    assert outline is not None
    assert outline.half_mm == pytest.approx((x / 2, y / 2, z / 2))


@given(st.floats(1, 500), st.floats(1, 500), st.just(0.0) | mm, st.just(0.0) | mm)
def test_the_outline_grows_with_the_volume_whatever_else_is_asked(one: float, other: float, x: float, y: float) -> None:
    first, second = (TumorRequest(v, HERE, (x, y, 0)).outline(TRAINED) for v in (one, other))
    assert first is not None
    assert second is not None
    assert volume_ml(first) / volume_ml(second) == pytest.approx(one / other, rel=1e-6)


def test_without_figures_a_volume_is_a_ball() -> None:
    outline = TumorRequest(30, HERE).outline(Trained())
    assert outline is not None
    assert volume_ml(outline) == pytest.approx(30)
    assert len(set(outline.half_mm)) == 1


def test_nothing_is_drawn_without_a_center_or_a_size() -> None:
    assert TumorRequest(30).outline(TRAINED) is None
    assert TumorRequest(0, HERE).outline(Trained()) is None


@given(st.floats(0, 100), st.none() | st.tuples(mm, mm, mm), st.tuples(mm, mm, mm), st.floats(0, 1))
def test_a_request_survives_its_parameters_and_the_engine_takes_them(
    volume: float, center: tuple[float, float, float] | None, extent: tuple[float, float, float], sphericity: float
) -> None:
    request = TumorRequest(volume, center, extent, sphericity)
    assert TumorRequest.of(request.params()) == request
    ENGINE.read_params(request.params())


@given(st.integers(0, 2), st.floats(-1.5, 1.5))
def test_a_ring_lies_on_the_surface_and_in_its_plane(axis: int, height: float) -> None:
    body = Ellipsoid((5, -10, 20), (10, 20, 30))
    at = body.center_mm[2 - axis] + height * body.half_mm[2 - axis]
    lines = tumor_lines.ring(body, axis, at)
    assert (len(lines) > 0) == (abs(at - body.center_mm[2 - axis]) < body.half_mm[2 - axis])
    ends = lines[:, 0] + lines[:, 1]
    for z, y, x in [*lines[:, 0], *ends]:
        assert body.reach((x, y, z)) == pytest.approx(1, abs=1e-6)
    if len(lines):
        assert lines[:, 0, axis] == pytest.approx(at)


def test_the_head_of_a_volume_is_found_in_the_world() -> None:
    z, y, x = np.indices((40, 60, 50))
    image = np.where(((z - 20) / 15) ** 2 + ((y - 30) / 25) ** 2 + ((x - 22) / 18) ** 2 < 1, 800, 5).astype(np.int16)
    affine = np.diag([-2.0, -2.0, 4.0, 1.0])
    affine[:3, 3] = (50, 60, -80)
    head = head_of(image, affine)
    assert head is not None
    assert head.center_mm == pytest.approx((6, 0, 0), abs=1)
    assert head.half_mm == pytest.approx((36, 50, 60), rel=0.05)


@pytest.mark.parametrize("image", [np.zeros((4, 8, 8)), np.full((4, 8, 8), 7.0), np.eye(8)[None] * [[[np.nan]]]])
def test_an_empty_volume_has_no_head(image: np.ndarray) -> None:
    assert head_of(image, np.eye(4)) is None


def chips(request: TumorRequest) -> dict[str, Lamp]:
    return {chip.text: chip.lamp for chip in tumor_preflight.check_request(request, TRAINED, TRAINED.head)}


def test_chips_tell_what_the_engine_will_refuse_and_what_is_unusual() -> None:
    assert chips(TumorRequest()) == {"Place drawn": Lamp.GREEN, "Volume drawn": Lamp.GREEN}
    assert chips(TumorRequest(center_mm=(0, 95, 0)))["Outside the head"] is Lamp.RED
    assert chips(TumorRequest(150))["150 ml: unusual"] is Lamp.AMBER
    assert chips(TumorRequest(0.5))["0.5 ml: too small"] is Lamp.RED
    assert chips(TumorRequest(30, None, (0, 130, 0)))["Depth 130 mm: unusual"] is Lamp.AMBER
    assert "Width 50 mm" not in chips(TumorRequest(30, None, (50, 0, 0)))


def test_the_limits_of_refusal_are_the_engines() -> None:
    from medsynth_core.engines.tumor import request

    assert (tumor_preflight.LEAST, tumor_preflight.MOST) == (request.LEAST, request.MOST)


def test_the_report_says_when_no_tumor_came() -> None:
    lamp, text, _ = grow_report.report({"asked_volume_ml": 30.0, "got_volume_ml": 0.0, "flag_empty": "no tumor was made"})
    assert lamp is Lamp.AMBER
    assert "No tumor came out" in text


def test_the_report_is_green_near_and_amber_far() -> None:
    asked = {"asked_volume_ml": 30.0, **{f"asked_center_{axis}_mm": 0.0 for axis in "xyz"}}
    near = asked | {"got_volume_ml": 33.0, **{f"got_center_{axis}_mm": 2.0 for axis in "xyz"}}
    assert grow_report.report(near)[:2] == (Lamp.GREEN, "33.0 ml of 30.0 asked · 3 mm off")
    assert grow_report.report(near | {"got_volume_ml": 50.0})[0] is Lamp.AMBER
    assert grow_report.report(near | {"got_center_x_mm": 12.0})[0] is Lamp.AMBER
