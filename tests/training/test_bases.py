"""A training that goes on from a model: the new one's card says so, and carries the terms of the other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medsynth_core.engines._training import order_of, prepared
from medsynth_core.formats import read_mask
from medsynth_core.models import registry
from medsynth_core.models.card import derived, read_card
from medsynth_core.protocol_training import TrainingRequest
from medsynth_core.training_words import card_lines
from tests.toy_pairs import save, write_pairs
from tests.toy_volumes import write_patients

BASES = {"synthesize": "polyp", "refine": "refiner", "tumor": "lgg-flair", "nuclei": "nuclei-he"}


def write_cases(engine: str, folder: Path) -> Path:
    """Write a few cases of the kind that an engine learns from."""
    if engine == "tumor":
        return write_patients(folder, 8)
    write_pairs(folder, 8, side=256 if engine == "nuclei" else 32, foreground=1)
    if engine == "nuclei":
        for path in (folder / "masks").iterdir():
            save((read_mask(path).array[0, 0] > 0).astype(np.uint16), path)
    return folder


@pytest.mark.parametrize(("engine", "base"), BASES.items())
def test_the_terms_of_the_base_are_the_new_models_too(tmp_path: Path, engine: str, base: str) -> None:
    data = write_cases(engine, tmp_path / "data")
    request = TrainingRequest(engine, str(data), "mine", preset="toy", base=base, license="CC0")
    card = prepared(request, order_of(request)).card(10)
    there = read_card(registry.find(base))
    assert f"Weights derived from {base} ({there.license})" in card.notes
    assert card.commercial_use is there.commercial_use
    assert card.steps == there.steps + 10
    anew = replace(request, base="")
    alone = prepared(anew, order_of(anew)).card(10)
    assert "derived" not in alone.notes
    assert (alone.commercial_use, alone.steps) == (True, 10)


def test_a_free_base_frees_no_card_that_is_not() -> None:
    bound, free = read_card(registry.find("lgg-flair")), read_card(registry.find("polyp"))
    assert not derived(bound, free).commercial_use
    assert not derived(free, bound).commercial_use


def test_a_new_models_lines_name_its_base_and_what_it_may_not_be_used_for() -> None:
    bound, free = read_card(registry.find("lgg-flair")), read_card(registry.find("polyp"))
    assert "went on from lgg-flair, under its terms too" in card_lines(bound, 3, "lgg-flair")
    assert "not for commercial use" in card_lines(bound, 3)
    assert not [line for line in card_lines(free, 3) if "went on" in line or "commercial" in line]
