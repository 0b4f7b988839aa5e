"""The models that are on the device: a few, the least recently used one leaves first."""

from __future__ import annotations

import gc
import sys
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from medsynth_core.engines._base import Engine
from medsynth_core.errors import ModelError
from medsynth_core.models import folder, registry
from medsynth_core.protocol import ModelCard
from medsynth_core.service import hardware

MOST_MODELS = 2
Loaded = tuple[ModelCard, Any, Any]
"""Card, model, and what its results are judged by (None where the engine has no judge)."""


class ModelShelf:
    """Loads models through their engine. Used by the device thread only."""

    def __init__(self, engines: Mapping[str, Engine]) -> None:
        self._engines = engines
        self._models: OrderedDict[str, Loaded] = OrderedDict()

    @property
    def loaded(self) -> tuple[str, ...]:
        """The ids of the models on the device."""
        return tuple(self._models)

    def get(self, model: str) -> Loaded:
        """Return (card, model, judge) of a verified model, loading it when needed. Raises ModelError and its kinds."""
        if model not in self._models:
            self._models[model] = self._load(model)
            if len(self._models) > MOST_MODELS:
                self._drop(next(iter(self._models)))
        self._models.move_to_end(model)
        return self._models[model]

    def unload(self, model: str) -> bool:
        """Take one model, or all for an empty name, off the device; return whether there was any."""
        leaving = [name for name in self._models if model in ("", name)]
        for name in leaving:
            self._drop(name)
        return bool(leaving)

    def _load(self, model: str) -> Loaded:
        path = registry.find(model)
        card = folder.verify(path)
        engine = self._engines.get(card.engine)
        if engine is None or engine.load is None:
            raise ModelError(
                f"model {model} is made for the engine {card.engine!r}, which does not run here: see the list of engines"
            )
        hardware.load_torch()
        return card, engine.load(path, hardware.look().kind), engine.judge(path, card) if engine.judge is not None else None

    def _drop(self, name: str) -> None:
        del self._models[name]
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()
