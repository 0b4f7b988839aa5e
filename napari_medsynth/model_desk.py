"""The picked model of an engine: what the service offers, its card and parameters, and whether it is in memory."""

from __future__ import annotations

from medsynth_core import preflight
from medsynth_core.protocol import Capabilities, ModelCard, ParamInfo
from medsynth_core.session import Session
from napari_medsynth.panel import Panel


class ModelDesk:
    """Keeps the panel's list of models and what the service said of them together."""

    def __init__(self, engine: str, panel: Panel, session: Session) -> None:
        self.engine, self._panel, self._session = engine, panel, session
        self.capabilities: Capabilities | None = None
        self._preloaded = ("", "")
        self._wanted = ""

    @property
    def card(self) -> ModelCard | None:
        """The card of the picked model, None for an engine without models."""
        picked = self._panel.picked_model()
        return picked.card if picked else None

    @property
    def id(self) -> str:
        """The id of the picked model, empty for an engine without models."""
        picked = self._panel.picked_model()
        return picked.id if picked else ""

    @property
    def key(self) -> str:
        """Under which name settings are kept: the model's, else the engine's."""
        return self.id or self.engine

    @property
    def device_name(self) -> str:
        """Where the service computes, empty while that is not known."""
        return self.capabilities.device.name if self.capabilities and self.capabilities.device else ""

    @property
    def warm(self) -> bool:
        """Whether the next run will not have to load its model first; else its time says little about the next."""
        return not self.id or (self._session.status is not None and self.id in self._session.status.loaded_models)

    def offer(self, capabilities: Capabilities, keep: str) -> None:
        """List the models there are and keep the picked one; those that only serve another model are not offered."""
        self.capabilities = capabilities
        models = tuple(m for m in capabilities.models if m.engine == self.engine and m.card is not None and not m.card.role)
        came = any(model.id == self._wanted for model in models)
        self._panel.list_models(models, self._wanted if came else self.id or keep)
        self._wanted = "" if came else self._wanted

    def want(self, model: str) -> None:
        """Pick a model with the next offer that has it."""
        self._wanted = model

    def params(self) -> tuple[ParamInfo, ...]:
        """Return the parameters of the engine and the options of the picked model."""
        info = next((e for e in self.capabilities.engines if e.name == self.engine), None) if self.capabilities else None
        return (*(info.params if info else ()), *(self.card.options if self.card else ()))

    def lacking(self) -> str:
        """Return what the service lacks for a run, empty if nothing."""
        return preflight.lacking(self.capabilities, self.engine, self.id)

    def preload(self) -> None:
        """Let the service load the picked model once, so that the first click is as quick as the next."""
        wanted = (self.capabilities.instance if self.capabilities else "", self.id)
        if self.id and wanted != self._preloaded:
            self._preloaded = wanted
            self._session.preload(self.id)
