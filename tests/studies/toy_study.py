"""A toy study: bright discs on noise in groups of two, and a maker that draws such discs itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from medsynth_core.models.card import write_card
from medsynth_core.protocol import ModelCard
from medsynth_core.studies.generators import Generator
from medsynth_core.studies.items import Item, kept
from medsynth_core.studies.learners import LABELS
from medsynth_core.studies.makers import Wish
from medsynth_core.studies.material import Material
from tests.toy_pairs import picture

SIDE = 32


def toy_item(name: str, group: str, seed: int) -> Item:
    pixels, lesion = picture(seed, SIDE)
    return Item(name, group, np.moveaxis(pixels, -1, 0)[None].copy(), lesion[None].astype(np.int32))


def toy_material(pool: int = 20, test: int = 6) -> Material:
    learned = tuple(toy_item(f"learn {i:02d}", f"patient {i // 2}", i) for i in range(pool))
    measured = tuple(toy_item(f"test {i}", f"other {i // 2}", 100 + i) for i in range(test))
    return Material(LABELS, learned, measured, 3, 2, (), dict)


def toy_generator(folder: Path) -> Generator:
    """A model folder with a card alone: the maker of the tests needs no weights."""
    folder.mkdir(parents=True, exist_ok=True)
    card = ModelCard("toy", "Toy", "synthesize", 3, (SIDE, SIDE), (), "CC0", "discs", steps=7)
    write_card(folder, card)
    return Generator(folder, card, "It knows nothing.")


class ToyMaker:
    """Draws discs, and notes the real items it was given; stands in for all makers of a test."""

    def __init__(self) -> None:
        self.given: set[str] = set()
        self.numbers: list[int] = []
        self._sources = Path()

    def __call__(self, wish: Wish) -> ToyMaker:
        self._sources = wish.sources
        return self

    def make(self, number: int) -> Item:
        self.given |= {item.name for item in kept(self._sources)}
        self.numbers.append(number)
        return toy_item(f"made {number}", f"made {number}", 1000 + number)
