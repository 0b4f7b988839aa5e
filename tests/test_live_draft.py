"""A draft asks for the least of what makes an engine slow, in the types that the engine takes."""

from __future__ import annotations

from medsynth_core.live_draft import drafted
from medsynth_core.protocol import ParamInfo, ParamKind, from_json, to_json

STEPS = ParamInfo("steps", "Steps", ParamKind.INTEGER, 6, minimum=1, maximum=12)
SAMPLES = ParamInfo("samples", "Runs", ParamKind.CHOICE, 8, choices=(2, 4, 8))
STRENGTH = ParamInfo("strength", "Strength", ParamKind.NUMBER, 0.5, minimum=0.1)


def test_a_draft_has_the_fewest_steps_and_runs_and_leaves_the_rest() -> None:
    values = {"steps": 6, "samples": 8, "strength": 0.5}
    assert drafted((STEPS, SAMPLES, STRENGTH), values) == {"steps": 1, "samples": 2, "strength": 0.5}


def test_a_limit_that_traveled_as_a_real_number_is_whole_again_for_a_whole_parameter() -> None:
    traveled = from_json(ParamInfo, to_json(STEPS))
    least = drafted((traveled,), {"steps": 6})["steps"]
    assert traveled.check(least) == 1
    assert isinstance(least, int)


def test_what_has_no_least_or_is_not_asked_for_stays() -> None:
    endless = ParamInfo("steps", "Steps", ParamKind.INTEGER, 6)
    assert drafted((endless,), {"steps": 6}) == {"steps": 6}
    assert drafted((STEPS,), {}) == {}
