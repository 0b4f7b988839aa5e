"""The dock widget *Grow a tumor volume*: say what tumor, click, and watch image and mask grow, slice by slice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import napari
import napari.viewer
import numpy as np

from medsynth_core import preflight, tumor_preflight
from medsynth_core.client import Client
from medsynth_core.errors import MedSynthError
from medsynth_core.lamp import Lamp
from medsynth_core.preflight import Chip
from medsynth_core.protocol import DeviceInfo, OutputInfo, ParamInfo, Scalar
from medsynth_core.run import Ending, Made, Run, RunRequest, Standing
from medsynth_core.tumor_request import TumorRequest
from medsynth_core.tumor_words import PLACE, TRIPLES
from medsynth_core.volume import Volume
from napari_medsynth.engine_widget import EngineWidget
from napari_medsynth.grow_layers import GrowingLayers, load_ahead
from napari_medsynth.grow_view import GrowView
from napari_medsynth.message_panel import Message
from napari_medsynth.placement import spatial_shape
from napari_medsynth.session import connect_as_napari
from napari_medsynth.settings import Settings
from napari_medsynth.tumor_desk import TumorDesk
from napari_medsynth.tumor_panel import TumorPanel

GRID = (*TRIPLES["shape"], *TRIPLES["spacing_mm"])
"""Parameters that a background answers."""
HAS_A_ROW = ("volume_ml", "sphericity", PLACE, *TRIPLES["center_mm"], *TRIPLES["extent_mm"])


class TumorWidget(EngineWidget):
    """The panel in one viewer. `engine` names the engine it drives; `connect` opens a client of the service."""

    panel: TumorPanel
    desk: TumorDesk

    def __init__(
        self, napari_viewer: napari.viewer.Viewer, engine: str = "tumor", connect: Callable[[], Client] = connect_as_napari
    ) -> None:
        panel = TumorPanel(napari_viewer)
        super().__init__(napari_viewer, engine, panel, TumorDesk(napari_viewer, panel), connect)
        load_ahead()
        self.growth = GrowView(napari_viewer, panel.grow, self)
        self._request: RunRequest | None = None
        self._stopped: Standing | None = None
        self._known: Mapping[str, Any] = {}
        panel.seed_row.restore(self.remembered.seed, self.remembered.seed_locked, 1)
        panel.grow.resume_wanted.connect(self._resume)
        panel.grow.keep_wanted.connect(self._keep)
        panel.grow.discard_wanted.connect(self._discard)
        panel.background.layer_changed.connect(self._background_picked)
        self.begin()

    def start_run(self) -> None:
        """Send the request and let the volume grow."""
        if self.running:
            return
        try:
            inputs, growing = self._prepare()
            params = {**self._free_params(), **self.desk.request.params()}
        except MedSynthError as problem:
            self.trouble(problem)
            return
        self.desk.turn_if_alone()
        self.growth.begin(growing)
        self._request = RunRequest(self._engine, self.model_id, inputs, self.panel.seed_row.next_seeds(), params, streams=True)
        self.launch(self._request)

    def run_announced(self, run: Run, output: OutputInfo) -> None:
        """Add a layer, full size; where it is the first one, the whole of it is shown."""
        if run is self._run:
            alone = self.desk.alone
            with self.growth.redraw.quietly():
                self.growth.announce(output)
                self.desk.redraw()
            if alone:
                self._viewer.reset_view()

    def run_grew(self, run: Run, output: str, z: int, pixels: np.ndarray) -> None:
        """Let a slice drop in."""
        if run is self._run:
            self.growth.grew(output, z, pixels)

    def place(self, made: Made) -> None:
        """All slices are there: say what came."""
        self.growth.done({**made.recipe, "job": made.job, "seed": made.seed, "synthetic": True})

    def run_ended(self, run: Run, ending: Ending, problem: MedSynthError | None) -> None:
        """Be ready for the next run; offer what can be done with a volume that was stopped half-way."""
        mine = run is self._run
        super().run_ended(run, ending, problem)
        if not mine:
            return
        self.growth.rest()
        self._stopped = (run.standing or run.request.goes_on) if ending is not Ending.DONE else None
        self._known = run.recipe
        if ending is Ending.DONE:
            self._check_arrival()
        elif self.growth.begun and self._stopped is not None:
            if ending is Ending.CANCELLED:
                self.panel.message.clear()  # the row says it
            self.growth.offer_choice()
        else:
            self.growth.discard()

    def look(self, device: DeviceInfo | None, seconds: float | None) -> tuple[Chip, ...]:
        """Check the request against the head and the model."""
        desk = self.desk
        chips = tumor_preflight.check_request(desk.request, desk.trained, desk.head)
        return *chips, *preflight.check_terms(self.model.card), *preflight.check_room(device, seconds)

    def keep(self, settings: Settings) -> Settings:
        """Keep the seed; the request is among the parameters."""
        return replace(self.panel.seed_row.kept(settings), variations=1)

    def shown_params(self, params: tuple[ParamInfo, ...]) -> tuple[ParamInfo, ...]:
        """Fold all away but those with a row of their own."""
        return tuple(replace(info, advanced=True) for info in params if info.name not in HAS_A_ROW)

    def restore(self, values: Mapping[str, Scalar]) -> None:
        """Show the last request and parameters."""
        super().restore(values)
        self.desk.show(TumorRequest.of(values))
        self._background_picked()

    def run_size(self) -> str:
        """A growth's time depends on the grid."""
        if self.desk.background is not None:
            return f"into {'x'.join(map(str, spatial_shape(self.desk.background)))}"
        values = self._free_params()
        return "x".join(str(values.get(name, 0)) for name in GRID)

    def leave(self) -> None:
        """Take the outlines out of the viewer and turn it back."""
        self.desk.leave()

    def ends(self) -> tuple[Callable[[], None], ...]:
        """Draw nothing any more, too."""
        return *super().ends(), self.growth.redraw.viewer_events.close

    def _prepare(self) -> tuple[dict[str, Volume], GrowingLayers]:
        """Return what is sent and the layers that will grow. Raises ShapeError."""
        card, image = self.model.card, self.desk.background
        labels, title, redraw = card.labels if card else (), self.model.key, self.growth.redraw
        if image is None:
            return {}, GrowingLayers(self._viewer, title, redraw, labels)
        volume, cut = self.desk.volume(image)
        low, high = image.contrast_limits
        return {"background": volume}, GrowingLayers(self._viewer, title, redraw, labels, cut, (float(low), float(high)))

    def _free_params(self) -> dict[str, Scalar]:
        """Return the parameters of the form; a background answers those of the grid."""
        values = self.panel.param_values()
        return values if self.desk.background is None else {name: v for name, v in values.items() if name not in GRID}

    def _background_picked(self) -> None:
        given = self.desk.background is not None
        for name, field in self.panel.advanced.fields.items():
            if name in GRID:
                field.native.setEnabled(not given)
                field.native.setToolTip("The grid of the background is kept" if given else field.tooltip or "")

    def _check_arrival(self) -> None:
        if not self.growth.whole:
            lost = "Some slices did not arrive: the whole volume is in the history."
            self.panel.message.show_message(Message(Lamp.AMBER, lost))

    def _resume(self) -> None:
        stopped, request = self._stopped, self._request
        if self.running or stopped is None or request is None:
            return
        self._stopped = None
        self.growth.go_on()
        self.launch(replace(request, goes_on=stopped))
        self._timed = ""  # a part of the time says nothing of the next whole

    def _keep(self) -> None:
        stopped, self._stopped = self._stopped, None
        if stopped is not None:
            self.growth.keep(self._known, stopped.job)

    def _discard(self) -> None:
        self._stopped = None
        self.growth.discard()
