"""A tumor model with random weights, small enough for every test: its volumes are noise, but they obey every rule of growth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medsynth_core.engines._base import Task
from medsynth_core.engines.tumor.engine import ENGINE
from medsynth_core.engines.tumor.model import TumorModel, load_model
from medsynth_core.protocol import Scalar
from medsynth_core.volume import Volume
from tests.toy_tumor import Grow, Grown, write_tumor_model


@pytest.fixture(scope="session")
def tumor_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the toy model; not to be changed."""
    return write_tumor_model(tmp_path_factory.mktemp("tumor") / "toy-tumor")


@pytest.fixture(scope="session")
def tumor_model(tumor_folder: Path) -> TumorModel:
    """The toy model, loaded."""
    return load_model(tumor_folder)


@pytest.fixture
def task_of(tumor_model: TumorModel) -> Callable[..., Task]:
    """Make a task: params by name, `seed`, `background`, `finished`."""

    def make(
        seed: int = 7,
        background: Volume | None = None,
        finished: dict[str, dict[int, np.ndarray]] | None = None,
        **params: Scalar,
    ) -> Task:
        checked, _ = ENGINE.read_params({"steps": 1, "guidance": 1.0} | params)
        inputs = {} if background is None else {"background": background}
        return Task(inputs, checked, seed, tumor_model, finished=finished or {})

    return make


@pytest.fixture
def grow(task_of: Callable[..., Task]) -> Grow:
    """Run the engine to its end; arguments as for a task."""
    return lambda **asked: Grown(list(ENGINE.run(task_of(**asked))))
