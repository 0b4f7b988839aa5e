"""A refiner with random weights, small enough for every test: it gives the coarse mask back, a little shaken."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from medsynth_core.engines.refine.model import Refiner, load_model, save_model
from medsynth_core.engines.refine.network import ImageEncoder, MaskNetwork
from medsynth_core.models.folder import finish_folder
from medsynth_core.protocol import ModelCard

CARD = ModelCard(
    id="toy-refiner", title="Toy", engine="refine", channels=3, size=(32, 32), labels=(), license="none", data="random weights"
)


def write_refiner(folder: Path) -> Path:
    """Write a model folder with random weights and return it."""
    torch.manual_seed(0)
    save_model(ImageEncoder((16, 32)), MaskNetwork((16, 32)), folder)
    finish_folder(folder, CARD)
    return folder


@pytest.fixture(scope="session")
def refiner_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the toy refiner; not to be changed."""
    return write_refiner(tmp_path_factory.mktemp("refiner") / "toy-refiner")


@pytest.fixture(scope="session")
def refiner(refiner_folder: Path) -> Refiner:
    """The toy refiner, loaded."""
    model = load_model(refiner_folder)
    assert isinstance(model, Refiner)
    return model
