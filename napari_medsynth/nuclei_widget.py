"""The dock widget *Nuclei + histology*: fields of nuclei and their images, from nothing, from painted or from edited ones."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import replace

import napari
import napari.viewer
import numpy as np
from napari.layers import Labels

from medsynth_core import preflight
from medsynth_core.client import Client
from medsynth_core.errors import MedSynthError
from medsynth_core.preflight import Chip
from medsynth_core.protocol import DeviceInfo, OutputInfo, ParamInfo, Scalar
from medsynth_core.run import Ending, Made, Run, RunRequest
from medsynth_core.volume import Volume
from napari_medsynth import nuclei_look, nuclei_preflight
from napari_medsynth.engine_widget import EngineWidget
from napari_medsynth.grow_layers import load_ahead
from napari_medsynth.nuclei_desk import NucleiDesk
from napari_medsynth.nuclei_edit import NucleusEditor
from napari_medsynth.nuclei_follow import Follow
from napari_medsynth.nuclei_pair import IMAGE, Ground, Pair
from napari_medsynth.nuclei_panel import NucleiPanel
from napari_medsynth.nuclei_request import NucleiRequest, Source
from napari_medsynth.placement import spatial_shape
from napari_medsynth.session import connect_as_napari
from napari_medsynth.settings import Settings

TILES = "slices"
HAS_A_ROW = ("given", "density", "size", "height", "width")
OF_AN_EDIT = ("steps", "guidance")
"""Parameters of the form that an edit heeds, too."""


class NucleiWidget(EngineWidget):
    """The panel in one viewer. `engine` names the engine it drives; `connect` opens a client of the service."""

    panel: NucleiPanel
    desk: NucleiDesk

    def __init__(
        self, napari_viewer: napari.viewer.Viewer, engine: str = "nuclei", connect: Callable[[], Client] = connect_as_napari
    ) -> None:
        panel = NucleiPanel(napari_viewer)
        super().__init__(napari_viewer, engine, panel, NucleiDesk(napari_viewer, panel), connect)
        load_ahead()
        self._ground = Ground()
        self._pair: Pair | None = None
        self._waiting: list[int] = []
        self._outlined: weakref.WeakSet[Labels] = weakref.WeakSet()
        self.editor = NucleusEditor(napari_viewer, self)
        self.follow = Follow(napari_viewer, panel, self.desk, self.editor, self.make_anew, self.trouble)
        panel.seed_row.restore(self.remembered.seed, self.remembered.seed_locked, self.remembered.variations)
        self.begin()

    def start_run(self) -> None:
        """Make pairs, one a seed."""
        if self.running:
            return
        try:
            inputs, params = self._inputs(), {**self._form_params(), **self.panel.request.params()}
        except MedSynthError as problem:
            self.trouble(problem)
            return
        self.panel.variations.clear()
        seeds = self.panel.seed_row.next_seeds()
        self._pair, self._waiting = None, list(seeds)
        self.launch(RunRequest(self._engine, self.model_id, inputs, seeds, params, streams=True))

    def make_anew(self) -> None:
        """Make the image anew where nuclei were edited, as soon as the engine is free."""
        if self.running or (edit := self.follow.next_edit()) is None:
            return
        try:
            inputs, params = edit.inputs(), {k: v for k, v in self._form_params().items() if k in OF_AN_EDIT}
        except MedSynthError as problem:
            self.follow.ended(done=False)
            self.trouble(problem)
            return
        seeds = self.panel.seed_row.next_seeds()[:1]
        self.launch(RunRequest(self._engine, self.model_id, inputs, seeds, {"given": Source.KEEP.value, **params}))
        self._timed = ""  # a part of an image says nothing of the next whole

    def run_announced(self, run: Run, output: OutputInfo) -> None:
        """Know what will come; each job of the run has a pair of its own."""
        if run is self._run and self._waiting:
            if self._pair is None:
                self._pair = Pair(self._viewer, self._ground, self.model.key, self._waiting[0])
            self._pair.announce(output)

    def run_grew(self, run: Run, output: str, z: int, pixels: np.ndarray) -> None:
        """Put a tile in its place; where it is the first of an empty viewer, the whole of it is shown."""
        if run is self._run and self._pair is not None:
            alone = not self._viewer.layers
            self._pair.drop(output, z, pixels)
            if alone:
                self._viewer.reset_view()

    def place(self, made: Made) -> None:
        """A job is done: an edit, or a pair."""
        if (edit := self.follow.making) is not None:
            self.follow.made(made)
            self._show_through(edit.mask)
        elif self._pair is not None:
            self._finish(self._pair, made)
            self._pair, self._waiting = None, self._waiting[1:]

    def show_quality(self, made: Made) -> None:
        """Show how good one pair is; each of several has its own mark under its picture."""
        if self.panel.variations.isHidden():
            super().show_quality(made)
        else:
            self.panel.quality.clear()

    def run_ended(self, run: Run, ending: Ending, problem: MedSynthError | None) -> None:
        """Be ready for the next run: an edit that waited for this one to end, if there is one."""
        mine, editing = run is self._run, self.follow.making is not None
        super().run_ended(run, ending, problem)
        if not mine:
            return
        if editing:
            self.follow.ended(ending is Ending.DONE)
        elif self._pair is not None:
            self._pair.cut_short()
            self._pair = None
        if ending is Ending.DONE or not editing:
            self.make_anew()

    def look(self, device: DeviceInfo | None, seconds: float | None) -> tuple[Chip, ...]:
        """Check the nuclei and what is asked against the model."""
        desk, request, card = self.desk, self.panel.request, self.model.card
        desk.recount()
        if request.source is Source.NEW:
            chips = nuclei_preflight.check_new(request, desk.reference, card)
        else:
            numbers = None if desk.mask is None or desk.mask.multiscale else desk.pixels()
            chips = nuclei_preflight.check_given(desk.mask, numbers, desk.counted, self._tiles())
            if not preflight.blocking(chips) and numbers is not None:
                chips += nuclei_preflight.check_shapes(desk.counted, desk.reference, numbers.shape, card)
                if request.source is Source.COMPLETE:
                    chips += nuclei_preflight.check_numbers(request, desk.reference)
        return *chips, *preflight.check_terms(card), *preflight.check_room(device, seconds)

    def keep(self, settings: Settings) -> Settings:
        """Keep all that the panel shows, also what the last run did not need; an edit changes none of it."""
        shown = {**self.panel.param_values(), **self.panel.request.remembered()}
        return replace(self.panel.seed_row.kept(settings), params=settings.params | {self.model.key: shown})

    def shown_params(self, params: tuple[ParamInfo, ...]) -> tuple[ParamInfo, ...]:
        """Leave out those that have a row of their own."""
        return tuple(info for info in params if info.name not in HAS_A_ROW)

    def restore(self, values: Mapping[str, Scalar]) -> None:
        """Show the last request; without nuclei to start from it is a new field."""
        super().restore(values)
        request = NucleiRequest.of(values)
        self.panel.show_request(request if self.desk.mask is not None else replace(request, source=Source.NEW))

    def run_size(self) -> str:
        """A run's time depends on the grid, the tiles, and whether nuclei are made, too."""
        request, mask = self.panel.request, self.desk.mask
        given = request.source is not Source.NEW and mask is not None
        sides = spatial_shape(mask)[-2:] if given and mask is not None else (request.height, request.width)
        return f"{request.source.value} {self._tiles()}x{sides[0]}x{sides[1]}"

    def fixes(self) -> dict[str, Callable[[], None]]:
        """An edit that failed is tried again before anything else."""
        return super().fixes() | {"Try again": lambda: self.make_anew() if self.follow.waiting else self.start_run()}

    def leave(self) -> None:
        """Put the tools away."""
        self.editor.close()

    def _inputs(self) -> dict[str, Volume]:
        """Return what is sent, and note what the pairs will lie on. Raises InputError, ShapeError."""
        desk, inputs = self.desk, {}
        if self.panel.request.source is Source.NEW:
            self._ground = Ground()
        else:
            cut, mask = desk.cut(), desk.mask
            assert mask is not None
            inputs["mask"] = desk.nuclei(cut)
            outputs = (IMAGE,) if self.panel.request.source is Source.KEEP else Ground().outputs
            self._ground = Ground(cut, weakref.ref(mask), outputs)
        if (stain := desk.stain()) is not None:
            inputs["image"] = stain
        return inputs

    def _finish(self, pair: Pair, made: Made) -> None:
        pair.finish({**made.recipe, "job": made.job, "seed": made.seed, "synthetic": True})
        image, nuclei = pair.image, pair.instances
        if self._ground.under is not None and (given := self._ground.under()) is not None:
            self._show_through(given)
        if image is not None:
            shown = np.asarray(image.data[0] if image.data.ndim > 3 else image.data)
            self.panel.variations.add(replace(made, outputs={IMAGE: Volume.from_image(shown)}), pair)
        if nuclei is not None and self.panel.request.source is Source.NEW:
            self.desk.pick(nuclei)
        if image is not None:
            self.desk.edit_in(image)

    def _show_through(self, nuclei: Labels) -> None:
        """Outline nuclei, once: filled, they would hide the image of themselves."""
        if nuclei not in self._outlined:
            self._outlined.add(nuclei)
            nuclei_look.outline(nuclei)

    def _form_params(self) -> dict[str, Scalar]:
        return self.panel.param_values()

    def _tiles(self) -> int:
        return int(self._form_params().get(TILES, 1))
