"""The presets that engines offer to forms are the ones their trainings know."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from medsynth_core.engines._base import get_engine
from medsynth_core.engines.refine.coarse_presets import COARSE_PRESETS

NAMES = ("synthesize", "refine", "tumor", "nuclei")


def known(engine: str) -> dict[str, Any]:
    presets = dict(import_module(f"medsynth_core.engines.{engine}.presets").PRESETS)
    return presets | COARSE_PRESETS if engine == "refine" else presets


@pytest.mark.parametrize("name", NAMES)
def test_every_offered_preset_can_be_asked_for_and_takes_the_steps_it_says(name: str) -> None:
    offered = get_engine(name).describe().presets
    assert {one.name: one.steps for one in offered} == {one.name: known(name)[one.name].steps for one in offered}


@pytest.mark.parametrize("name", NAMES)
def test_the_first_one_is_the_default_and_none_is_forgotten(name: str) -> None:
    offered = [one.name for one in get_engine(name).describe().presets]
    assert offered[0] == next(iter(known(name)))
    assert set(known(name)) - set(offered) <= {"coarse-toy"}
