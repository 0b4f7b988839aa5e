"""Toy tiles and a toy model of nuclei."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from medsynth_core.engines.nuclei.model import NucleiModel, load_model
from medsynth_core.engines.nuclei.presets import get_preset
from medsynth_core.engines.nuclei.prior import Prior
from medsynth_core.engines.nuclei.recipe import NucleiRecipe
from medsynth_core.engines.nuclei.stain import stain_of
from medsynth_core.engines.nuclei.starters import CARD
from medsynth_core.engines.nuclei.tiles import Tile
from medsynth_core.models.folder import finish_folder
from tests.engines.nuclei.drawn import ellipses, slide

torch.set_num_threads(1)  # toy networks: threads that wait for each other take ten times as long on a busy machine


def tile(seed: int, side: int = 256) -> Tile:
    """Return a tile of ellipses, dark on pink."""
    instances = ellipses(seed, 14, (side, side), 6, 12)
    image = slide(seed=seed, side=side) // 2 + 110
    image = np.where(instances > 0, image // 2, image).astype(np.uint8)
    return Tile(f"tile {seed}", f"group {seed}", image, instances.astype(np.uint16), stain_of(image))


@pytest.fixture(scope="session")
def tiles() -> tuple[Tile, ...]:
    return tuple(tile(seed) for seed in range(3))


def make_recipe(tiles: tuple[Tile, ...], **changes: object) -> NucleiRecipe:
    """Return a toy training of both networks."""
    preset = dataclasses.replace(get_preset("toy"), **changes)  # type: ignore[arg-type]
    return NucleiRecipe(preset, tiles[:2], tiles[2:], Prior.fit(tiles), dataclasses.replace(CARD, id="toy"))


@pytest.fixture(scope="session")
def toy_folder(tiles: tuple[Tile, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has learned nothing."""
    folder = tmp_path_factory.mktemp("models") / "toy"
    torch.manual_seed(0)
    recipe = make_recipe(tiles)
    folder.mkdir()
    recipe.save(recipe.build(), folder)
    finish_folder(folder, recipe.card(0))
    return folder


@pytest.fixture(scope="session")
def toy(toy_folder: Path) -> NucleiModel:
    return load_model(toy_folder)
