"""A draft asks for the least that an engine offers."""

from __future__ import annotations

from medsynth_core.live_draft import drafted
from medsynth_core.protocol import ParamInfo, ParamKind

STEPS = ParamInfo("steps", "Steps", ParamKind.INTEGER, 6, 1, 50)


def test_a_draft_has_the_least_steps_and_runs_of_any_engine() -> None:
    params = (
        STEPS,
        ParamInfo("samples", "Runs", ParamKind.CHOICE, 4, choices=(2, 4)),
        ParamInfo("guidance", "G", ParamKind.NUMBER, 2.0),
    )
    assert drafted(params, {"steps": 6, "samples": 4, "guidance": 2.0}) == {
        "steps": 1,
        "samples": 2,
        "guidance": 2.0,
    }
    assert drafted((), {"k": 1}) == {"k": 1}
