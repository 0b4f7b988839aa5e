"""What training patients were like: drawn tumors are possible bodies in the head, and keep exactly what was asked."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsynth_core.engines.tumor.consistent import FILL, Candidates, ellipsoid_sphericity, rules
from medsynth_core.engines.tumor.gaussian import Gaussian
from medsynth_core.engines.tumor.prior import Prior, Range
from medsynth_core.engines.tumor.shape import Asked, TumorShape, measure, surface_of
from medsynth_core.engines.tumor.style import Head, Style
from medsynth_core.errors import InputError, ModelError, ParameterError

HEAD = Head((1.0, 4.0, -8.0), (86.0, 107.0, 80.0))


def patients(count: int, seed: int = 0) -> tuple[list[TumorShape], list[Style]]:
    """Return made-up patients: tumors of 5 to 200 ml on one side of heads of about the usual size."""
    rng = np.random.default_rng(seed)
    shapes, styles = [], []
    for _ in range(count):
        half = np.array(HEAD.half_mm) * rng.uniform(0.92, 1.08, 3)
        head = Head(tuple(rng.normal(HEAD.center_mm, 3)), tuple(half))
        radius = 25 * np.exp(rng.normal(0, 0.25))
        extent = 2 * radius * np.exp(rng.normal(0, 0.12, 3))
        place = np.array([rng.choice((-1, 1)) * rng.uniform(0.2, 0.45), rng.uniform(-0.3, 0.2), rng.uniform(-0.1, 0.3)])
        volume, sphericity = float(extent.prod() * rng.uniform(0.25, 0.5) / 1e3), float(rng.uniform(0.5, 0.85))
        center = tuple(float(v) for v in head.center_mm + place * half)
        shapes.append(TumorShape(volume, surface_of(volume, sphericity), sphericity, center, tuple(extent.tolist())))
        styles.append(Style(tuple(np.sort(rng.uniform(0.1, 0.8, 4)).tolist()), head))
    return shapes, styles


def fitted(count: int = 40, seed: int = 0) -> Prior:
    shapes, styles = patients(count, seed)
    slices = [20 + i % 60 for i in range(count)]
    return Prior.fit(shapes, styles, [145 / n for n in slices], slices)


PRIOR = fitted()


def possible(shape: TumorShape, prior: Prior = PRIOR, head: Head = HEAD, half: tuple[float, float, float] | None = None) -> bool:
    return all(bool(kept[0]) for kept in rules(Candidates.of([shape]), head, prior.reach, half).values())


@given(st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_a_drawn_tumor_is_a_possible_body_within_the_head(seed: int) -> None:
    shape = PRIOR.complete(Asked(), HEAD, np.random.default_rng(seed), (120, 120, 72.5))
    fill = shape.volume_ml * 1e3 / np.prod(shape.extent_mm)
    assert FILL[0] <= fill <= FILL[1]
    assert 0 < shape.sphericity <= 1
    assert shape.surface_cm2 == pytest.approx(surface_of(shape.volume_ml, shape.sphericity))
    assert possible(shape, half=(120, 120, 72.5))
    assert (np.abs(shape.center_mm) + np.array(shape.extent_mm) / 2 <= (120.001, 120.001, 72.501)).all()


@given(
    st.one_of(st.none(), st.floats(12, 120)),
    st.one_of(st.none(), st.tuples(st.floats(-35, 35), st.floats(-30, 30), st.floats(-25, 10))),
    st.one_of(st.none(), st.floats(0.5, 0.85)),
    st.integers(0, 2**31),
)
@settings(max_examples=60, deadline=None)
def test_what_was_asked_stays_to_the_last_bit(
    volume: float | None, center: tuple | None, sphericity: float | None, seed: int
) -> None:
    asked = Asked(volume_ml=volume, center_mm=center, sphericity=sphericity)
    shape = PRIOR.complete(asked, HEAD, np.random.default_rng(seed))
    assert volume is None or shape.volume_ml == volume
    assert center is None or shape.center_mm == center
    assert sphericity is None or shape.sphericity == sphericity
    assert possible(shape)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_single_extent_may_be_asked(axis: int) -> None:
    wanted = tuple(47.3 if i == axis else None for i in range(3))
    shape = PRIOR.complete(Asked(extent_mm=wanted), HEAD, np.random.default_rng(3))
    assert shape.extent_mm[axis] == 47.3
    assert possible(shape)


def test_everything_may_be_asked_at_once() -> None:
    asked = Asked(30.0, (20.0, 5.0, 3.0), (45.0, 50.0, 40.0), 0.7)
    shape = PRIOR.complete(asked, HEAD, np.random.default_rng(0))
    assert (shape.volume_ml, shape.center_mm, shape.extent_mm, shape.sphericity) == (
        30.0,
        (20.0, 5.0, 3.0),
        (45.0, 50.0, 40.0),
        0.7,
    )
    assert shape.surface_cm2 == pytest.approx(surface_of(30, 0.7))


def test_the_same_seed_draws_the_same_tumor_and_style_and_another_seed_another() -> None:
    def drawn(seed: int) -> tuple[Style, TumorShape]:
        rng = np.random.default_rng(seed)
        style = PRIOR.draw_style(rng)
        return style, PRIOR.complete(Asked(volume_ml=40), style.head, rng)

    assert drawn(5) == drawn(5)
    assert drawn(5) != drawn(6)


def test_a_larger_volume_brings_larger_extents() -> None:
    def mean_extent(volume: float) -> float:
        drawn = [PRIOR.complete(Asked(volume_ml=volume), HEAD, np.random.default_rng(i)).extent_mm for i in range(12)]
        return float(np.mean(drawn))

    small, middle, large = (mean_extent(volume) for volume in (10, 40, 120))
    assert small < middle < large
    assert large / small == pytest.approx(12 ** (1 / 3), rel=0.25)


def test_drawn_tumors_lie_on_either_side_and_rarely_in_the_middle() -> None:
    x = [PRIOR.complete(Asked(), HEAD, np.random.default_rng(i)).center_mm[0] - HEAD.center_mm[0] for i in range(80)]
    assert 20 < sum(v > 0 for v in x) < 60
    assert np.mean(np.abs(x) < 8) < 0.15


def test_drawn_numbers_lie_in_the_trained_range_where_nothing_odd_was_asked() -> None:
    for seed in range(40):
        shape = PRIOR.complete(Asked(), HEAD, np.random.default_rng(seed))
        assert PRIOR.volume_ml.holds(shape.volume_ml)
        assert PRIOR.sphericity.holds(shape.sphericity)
        assert all(r.holds(v) for r, v in zip(PRIOR.extent_mm, shape.extent_mm, strict=True))


def test_drawn_tumors_have_the_volumes_of_the_patients() -> None:
    drawn = [PRIOR.complete(Asked(), HEAD, np.random.default_rng(i)).volume_ml for i in range(150)]
    trained = [shape.volume_ml for shape in patients(40)[0]]
    assert np.median(drawn) == pytest.approx(np.median(trained), rel=0.25)
    assert np.std(np.log(drawn)) == pytest.approx(np.std(np.log(trained)), rel=0.35)


@pytest.mark.parametrize(
    ("asked", "named", "reason"),
    [
        (Asked(volume_ml=90, extent_mm=(40, 40, 30)), ("volume_ml 90", "extent_x_mm 40"), "box"),
        (Asked(volume_ml=3, extent_mm=(60, 60, 60)), ("volume_ml 3",), "box"),
        (Asked(extent_mm=(90, 20, 20), sphericity=0.98), ("sphericity 0.98", "extent_x_mm 90"), "sphericity"),
        (Asked(center_mm=(83, 4, -8), extent_mm=(60, 60, 60)), ("extent_x_mm 60", "the center asked for"), "within the head"),
    ],
)
def test_numbers_that_exclude_each_other_are_named(asked: Asked, named: tuple[str, ...], reason: str) -> None:
    with pytest.raises(ParameterError, match=reason) as caught:
        PRIOR.complete(asked, HEAD, np.random.default_rng(0))
    assert all(name in str(caught.value) for name in named)
    assert "leave one of these open" in str(caught.value)


def test_a_tumor_that_does_not_fit_the_volume_is_refused() -> None:
    with pytest.raises(ParameterError, match="within the volume that is made"):
        PRIOR.complete(Asked(extent_mm=(None, None, 60)), HEAD, np.random.default_rng(0), (120, 120, 20))


def test_near_the_rim_of_the_head_a_drawn_tumor_is_small_enough_for_its_place() -> None:
    center = (HEAD.center_mm[0] + 0.8 * HEAD.half_mm[0], HEAD.center_mm[1], HEAD.center_mm[2])
    shape = PRIOR.complete(Asked(center_mm=center), HEAD, np.random.default_rng(0))
    assert shape.center_mm == center
    assert shape.volume_ml < np.median([one.volume_ml for one in patients(40)[0]])
    assert possible(shape)


@pytest.mark.parametrize(
    "asked",
    [Asked(sphericity=1.0), Asked(5.0, sphericity=1.0), Asked(extent_mm=(90, 28, 90)), Asked(60.0, extent_mm=(25, None, None))],
)
def test_an_unusual_wish_is_met_where_a_body_can_have_it(asked: Asked) -> None:
    for seed in range(5):
        shape = PRIOR.complete(asked, HEAD, np.random.default_rng(seed))
        assert possible(shape)
        assert asked.sphericity in (None, shape.sphericity)
        assert asked.volume_ml in (None, shape.volume_ml)


def test_a_volume_too_flat_for_any_tumor_is_named() -> None:
    with pytest.raises(ParameterError, match=r"no tumor of the trained sizes is possible here: .*; make the volume larger"):
        PRIOR.complete(Asked(), HEAD, np.random.default_rng(0), (120, 120, 2))


def test_a_low_stack_gets_a_tumor_that_lies_in_it() -> None:
    shape = PRIOR.complete(Asked(), HEAD, np.random.default_rng(0), (120, 120, 30))
    assert abs(shape.center_mm[2]) + shape.extent_mm[2] / 2 <= 30.001


def test_a_style_lies_in_the_trained_range_and_its_levels_rise() -> None:
    styles = [PRIOR.draw_style(np.random.default_rng(i)) for i in range(50)]
    for style in styles:
        vector = style.vector()
        assert (np.diff(vector[:4]) >= 0).all()
        assert all(r.low - 1e-4 <= v <= r.high + 1e-4 for r, v in zip(PRIOR.style[4:], vector[4:], strict=True))
        assert 70 < style.head.half_mm[0] < 100  # millimeters again
    assert len({style.levels for style in styles}) == 50


def test_a_style_survives_the_way_through_its_vector() -> None:
    style = patients(1)[1][0]
    back = Style.from_vector(style.vector())
    assert back.levels == pytest.approx(style.levels)
    assert back.head.center_mm == pytest.approx(style.head.center_mm, abs=1e-3)
    assert back.head.half_mm == pytest.approx(style.head.half_mm, abs=1e-3)


def test_a_prior_survives_its_file() -> None:
    back = Prior.from_json(json.loads(json.dumps(PRIOR.to_json())))
    assert back == PRIOR
    assert back.complete(Asked(), HEAD, np.random.default_rng(1)) == PRIOR.complete(Asked(), HEAD, np.random.default_rng(1))


def test_the_file_is_as_long_for_many_patients_as_for_few() -> None:
    few, many = (len(json.dumps(fitted(n).to_json())) for n in (5, 200))
    assert many == pytest.approx(few, rel=0.1)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"reach": None}, "reach"), ({"surprise": 1}, "surprise"), ({"shapes": {"mean": [0.0], "covariance": []}}, "covariance")],
)
def test_a_damaged_prior_is_named(change: dict, words: str) -> None:
    value = {**PRIOR.to_json(), **change}
    with pytest.raises(ModelError, match=words):
        Prior.from_json({k: v for k, v in value.items() if v is not None})


def test_one_patient_is_enough_and_none_is_not() -> None:
    shapes, styles = patients(1)
    prior = Prior.fit(shapes, styles, [5.0], [29])
    shape = prior.complete(Asked(), styles[0].head, np.random.default_rng(0))
    assert shape.volume_ml == pytest.approx(shapes[0].volume_ml, rel=0.3)
    assert shape != shapes[0]
    with pytest.raises(InputError, match="at least one patient"):
        Prior.fit([], [], [], [])
    with pytest.raises(InputError, match="all of each"):
        Prior.fit(shapes, [], [5.0], [29])


def test_the_figures_name_the_trained_ranges_in_plain_numbers() -> None:
    figures, shapes = PRIOR.figures(), patients(40)[0]
    assert figures["volume_ml_max"] == pytest.approx(max(s.volume_ml for s in shapes), rel=1e-3)
    assert figures["extent_z_mm_min"] == pytest.approx(min(s.extent_mm[2] for s in shapes), rel=1e-3)
    assert figures["sphericity_min"] < figures["sphericity_max"] <= 1
    assert figures["stack_mm"] == pytest.approx(145)
    assert figures["slice_mm_min"] < figures["slice_mm"] < figures["slice_mm_max"]
    assert figures["head_half_y_mm"] == pytest.approx(107, rel=0.05)
    assert figures["volume_ml_min"] < figures["volume_ml"] < figures["volume_ml_max"]


def test_known_numbers_of_a_gaussian_pull_the_others() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(4000)
    rows = np.column_stack([x, 2 * x + 0.1 * rng.standard_normal(4000), rng.standard_normal(4000)])
    drawn = Gaussian.fit(rows).draw(rng, 2000, {0: 1.5})
    assert (drawn[:, 0] == 1.5).all()
    assert drawn[:, 1].mean() == pytest.approx(3, abs=0.05)
    assert drawn[:, 1].std() < 0.2
    assert drawn[:, 2].mean() == pytest.approx(0, abs=0.1)
    assert Gaussian.fit(rows).draw(rng, 3, {0: 1.0, 1: 2.0, 2: 3.0}).tolist() == [[1.0, 2.0, 3.0]] * 3


def test_a_gaussian_refuses_what_is_no_number() -> None:
    with pytest.raises(InputError, match="finite"):
        Gaussian.fit([[1.0, np.nan]])


def test_measured_bodies_obey_the_rules_they_are_drawn_by() -> None:
    axis = np.arange(-30, 31) * 2.0
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    ball = x**2 + y**2 + z**2 <= 30**2
    cube = np.maximum(np.maximum(abs(x), abs(y)), abs(z)) <= 24
    octahedron = abs(x) + abs(y) + abs(z) <= 40
    bar = (abs(x) <= 40) & (y**2 + z**2 <= 12**2)
    head = Head((0, 0, 0), (80, 100, 75))
    assert possible(measure(ball, (2, 2, 2)), head=head)
    assert possible(measure(octahedron, (2, 2, 2)), head=head)
    assert possible(measure(bar, (2, 2, 2)), head=head)
    kept = rules(Candidates.of([measure(cube, (2, 2, 2))]), head, 1.0, None)
    assert not kept["box"][0]  # no tumor fills its whole box


def test_the_sphericity_of_an_ellipsoid_is_that_of_a_ball_only_for_a_ball() -> None:
    ball, long, flat = ellipsoid_sphericity([(40, 40, 40), (80, 40, 40), (40, 40, 10)])
    assert ball == pytest.approx(1)
    assert long == pytest.approx(0.929, abs=0.01)  # prolate 2:1, exact
    assert flat < 0.7


def test_a_range_holds_its_ends() -> None:
    assert Range(1, 2).holds(np.array([0.9, 1, 2, 2.1])).tolist() == [False, True, True, False]
