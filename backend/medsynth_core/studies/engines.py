"""A model as its users get it: through the engine's own `run`, in this process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from medsynth_core.engines._base import Engine, Note, Slice, Task, get_engine
from medsynth_core.errors import ModelError
from medsynth_core.models import registry
from medsynth_core.models.card import read_card
from medsynth_core.protocol import OutputInfo, Scalar
from medsynth_core.volume import Volume


def model_folder(name: str) -> Path:
    """Return the folder of a model: the name of an installed one, or a folder. Raises ModelNotFoundError."""
    return Path(name) if (Path(name) / "card.json").is_file() else registry.find(name)


class Running:
    """An engine with a loaded model."""

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        """Load the model of a folder. Raises ModelError for one that cannot be used."""
        self.engine: Engine = get_engine(read_card(folder).engine)
        if self.engine.load is None:
            raise ModelError(f"model {folder.name} is of the engine {self.engine.name}, which has no models")
        self._model: Any = self.engine.load(folder, device)

    def run(self, inputs: Mapping[str, Volume], values: Mapping[str, Scalar], seed: int) -> dict[str, Volume]:
        """Return every output by name, (c, z, y, x) as the engine gives it; `values` are parameters and the model's options."""
        return self.told(inputs, values, seed)[0]

    def told(
        self, inputs: Mapping[str, Volume], values: Mapping[str, Scalar], seed: int
    ) -> tuple[dict[str, Volume], dict[str, Scalar]]:
        """Return the same, and what the engine noted for the recipe."""
        params, options = self.engine.read_params(values, self._model.card)
        arrays: dict[str, np.ndarray] = {}
        affines: dict[str, np.ndarray] = {}
        notes: dict[str, Scalar] = {}
        for event in self.engine.run(Task(inputs, params, seed, self._model, options)):
            if isinstance(event, OutputInfo):
                arrays[event.name], affines[event.name] = np.zeros(event.shape, event.dtype), np.array(event.affine)
            elif isinstance(event, Slice):
                arrays[event.output][:, event.z] = event.array
            elif isinstance(event, Note):
                notes[event.key] = event.value
        return {name: Volume(array, affines[name]) for name, array in arrays.items()}, notes
