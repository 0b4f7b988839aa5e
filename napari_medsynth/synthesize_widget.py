"""The dock widget *Synthesize*: paint a mask, click, see an image of it. It drives any engine that takes a `mask`."""

from __future__ import annotations

from collections.abc import Callable

import napari
import napari.viewer

from medsynth_core import preflight
from medsynth_core.client import Client
from medsynth_core.errors import MedSynthError
from medsynth_core.preflight import Chip
from medsynth_core.protocol import DeviceInfo
from medsynth_core.run import Made, RunRequest
from napari_medsynth import layers
from napari_medsynth.engine_widget import EngineWidget
from napari_medsynth.mask_desk import MaskDesk
from napari_medsynth.results import Destination
from napari_medsynth.session import connect_as_napari
from napari_medsynth.settings import Settings
from napari_medsynth.synthesize_panel import SynthesizePanel


class SynthesizeWidget(EngineWidget):
    """The panel in one viewer. `engine` names the engine it drives; `connect` opens a client of the service."""

    panel: SynthesizePanel
    desk: MaskDesk

    def __init__(
        self, napari_viewer: napari.viewer.Viewer, engine: str = "synthesize", connect: Callable[[], Client] = connect_as_napari
    ) -> None:
        panel = SynthesizePanel(napari_viewer)
        super().__init__(napari_viewer, engine, panel, MaskDesk(napari_viewer, panel), connect)
        self._destination: Destination | None = None
        panel.seed_row.restore(self.remembered.seed, self.remembered.seed_locked, self.remembered.variations)
        self.begin()

    def start_run(self) -> None:
        """Send the shown plane of the mask and make one image a seed."""
        mask = self.desk.mask
        if mask is None or self.running:
            return
        try:
            plane = layers.shown_plane(mask, self._viewer.dims)
            volume, params = layers.as_volume(layers.take(mask, plane), plane), self.panel.param_values()
        except MedSynthError as problem:
            self.trouble(problem)
            return
        self.panel.variations.clear()
        seeds = self.panel.seed_row.next_seeds()
        self._destination = Destination(self._viewer, plane, mask, self.model.key)
        self.launch(RunRequest(self._engine, self.model_id, {"mask": volume}, seeds, params))

    def place(self, made: Made) -> None:
        """Put an image that was made under its mask."""
        if self._destination is not None:
            self.panel.variations.add(made, self._destination.place(made))

    def show_quality(self, made: Made) -> None:
        """Show how good one image is; each of several has its own mark under its picture."""
        if self.panel.variations.isHidden():
            super().show_quality(made)
        else:
            self.panel.quality.clear()

    def look(self, device: DeviceInfo | None, seconds: float | None) -> tuple[Chip, ...]:
        """Check the shown plane of the mask against the model."""
        return preflight.check(self.desk.pixels(), self.model.card, device, seconds)

    def keep(self, settings: Settings) -> Settings:
        """Keep the seed and the number of images."""
        return self.panel.seed_row.kept(settings)
