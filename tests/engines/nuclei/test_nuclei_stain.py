"""Stain vectors: found again in a picture made of them, and changed as asked."""

from __future__ import annotations

import numpy as np
import pytest

from medsynth_core.engines.nuclei.stain import Stain, restained, stain_of, varied
from medsynth_core.errors import InputError
from tests.engines.nuclei.drawn import PURPLE, slide


def test_the_stains_of_a_picture_are_those_it_was_made_with() -> None:
    found = stain_of(slide(PURPLE))
    assert np.degrees(np.arccos(np.dot(found.hematoxylin, (0.65, 0.70, 0.29)))) < 6
    assert np.degrees(np.arccos(np.dot(found.eosin, (0.09, 0.954, 0.283)))) < 6
    np.testing.assert_allclose(found.white, 240, atol=3)
    np.testing.assert_allclose(found.full, PURPLE.full, rtol=0.2)


def test_a_picture_restained_has_the_stains_asked_for() -> None:
    wanted = Stain((0.55, 0.75, 0.37), (0.2, 0.90, 0.39), (0.9, 1.1), (200.0, 190.0, 210.0))
    picture = slide(PURPLE)
    found = stain_of(restained(picture, stain_of(picture), wanted))
    np.testing.assert_allclose(found.white, wanted.white, atol=6)
    np.testing.assert_allclose(found.hematoxylin, wanted.hematoxylin, atol=0.08)
    np.testing.assert_allclose(found.full, wanted.full, rtol=0.25)


def test_restaining_with_its_own_stain_changes_nothing() -> None:
    picture = slide(PURPLE)
    stain = stain_of(picture)
    assert np.abs(restained(picture, stain, stain).astype(int) - picture).max() <= 1


def test_a_vector_is_the_stain_and_back() -> None:
    again = Stain.from_vector(PURPLE.vector())
    np.testing.assert_allclose(again.white, PURPLE.white, rtol=1e-5)
    np.testing.assert_allclose(again.vector(), PURPLE.vector(), atol=1e-5)
    assert np.abs(PURPLE.vector()).max() < 4


def test_a_varied_stain_is_another_one_of_unit_directions() -> None:
    other = varied(PURPLE, np.random.default_rng(3))
    assert other != PURPLE
    assert np.linalg.norm(other.eosin) == pytest.approx(1)
    assert varied(PURPLE, np.random.default_rng(3)) == other


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_picture_of_one_color_has_no_stain(value: int) -> None:
    with pytest.raises(InputError, match="hardly any stain"):
        stain_of(np.full((3, 32, 32), value, np.uint8))
