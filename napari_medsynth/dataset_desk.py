"""What the form of a data set says, as a wish; and what is still missing before it can be one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import napari
import numpy as np
from PIL import Image

from medsynth_core.cli_dataset_masks import SAMPLES, Change
from medsynth_core.cli_dataset_order import NUCLEI, OWN_MASKS, SYNTHESIZE, TUMOR, USUAL_CHANGES, Wish
from medsynth_core.cli_layouts import FOR_VOLUMES, Layout
from medsynth_core.errors import InputError
from medsynth_core.protocol import Capabilities, ModelCard, ModelInfo, ParamInfo, Scalar
from medsynth_core.vocabulary import foreground
from napari_medsynth import layers
from napari_medsynth.dataset_panel import FOLDER, LAYER, SAMPLE, DatasetPanel

ENGINES = (SYNTHESIZE, NUCLEI, TUMOR)
GIVEN = "given"
"""Folder in the data set for the mask of a layer, so that the command line finds it, too."""


@dataclass(frozen=True)
class DatasetForm:
    """What the form remembers between sessions: with it, the same click goes on with a data set that was stopped."""

    model: str = ""
    source: str = LAYER
    masks: str = ""
    changes: tuple[str, ...] = tuple(USUAL_CHANGES)
    count: int = 100
    seed: int = 0
    layouts: tuple[str, ...] = ()
    output: str = ""
    params: dict[str, Scalar] = field(default_factory=dict)


class DatasetDesk:
    """Reads the panel. `engines` are those whose models are offered; one without models is offered by its own name."""

    def __init__(self, viewer: napari.Viewer, panel: DatasetPanel, engines: tuple[str, ...]) -> None:
        self._viewer, self._panel, self._engines = viewer, panel, engines
        self._able: Capabilities | None = None

    @property
    def engine(self) -> str:
        """The engine of the picked model."""
        picked = self._panel.picked_model()
        return picked.engine if picked else ""

    @property
    def card(self) -> ModelCard | None:
        """The card of the picked model."""
        picked = self._panel.picked_model()
        return picked.card if picked else None

    def offer(self, able: Capabilities, keep: str) -> None:
        """List the models there are and keep the picked one."""
        self._able = able
        picked = self._panel.picked_model()
        models = [one for one in able.models if one.engine in self._engines and one.card and not one.card.role]
        alone = {engine.name for engine in able.engines} & set(self._engines) - set(ENGINES)
        models += [ModelInfo(name, name) for name in sorted(alone)]
        self._panel.list_models(tuple(models), picked.id if picked else keep)

    def params(self) -> tuple[ParamInfo, ...]:
        """Return what gets a field: the parameters of engine and model that are not answered by the form itself."""
        if self._able is None or not self.engine:
            return ()
        answered = {"slices", "given"} if self.engine == NUCLEI else set()
        infos = (info for info in self._able.engine(self.engine).params if info.name not in answered)
        return (*infos, *(self.card.options if self.card else ()))

    def form(self) -> DatasetForm:
        """Return what the panel shows. Raises ParameterError."""
        panel, picked = self._panel, self._panel.picked_model()
        return DatasetForm(
            picked.id if picked else "",
            panel.source.value,
            panel.masks.path.text(),
            panel.changes.ticked,
            panel.count.value(),
            panel.seed.value(),
            panel.layouts.ticked,
            panel.output.path.text(),
            panel.param_values(),
        )

    def show(self, form: DatasetForm) -> None:
        """Show what is remembered."""
        panel = self._panel
        panel.source.set_value(form.source)
        panel.masks.show_folder(form.masks)
        panel.changes.tick(form.changes)
        panel.count.setValue(form.count)
        panel.seed.setValue(form.seed)
        panel.layouts.tick(form.layouts)
        panel.output.show_folder(form.output)

    def follow(self) -> None:
        """Show the parts that belong to the picked model and source."""
        panel, volumes = self._panel, self.engine == TUMOR
        panel.show_source(panel.source.value, self.engine in OWN_MASKS, volumes)
        panel.layouts.offer(FOR_VOLUMES if volumes else Layout)
        # nuclei are no lesions, and a single mask has none to swap with
        swaps = self.engine != NUCLEI and panel.source.value != LAYER
        panel.changes.offer(change for change in Change if swaps or change is not Change.SWAP)

    def missing(self) -> str:
        """Return what is missing before it can be made; empty if nothing is."""
        panel = self._panel
        if not self.engine:
            return "No model that makes images is installed"
        if not panel.output.path.text():
            return "Choose the folder that the data set goes to first"
        if panel.source.value == LAYER and panel.layer.picked is None and self.engine != TUMOR:
            return "Paint a mask first, or take masks from a folder"
        if panel.source.value == FOLDER and not panel.masks.path.text() and self.engine != TUMOR:
            return "Choose the folder with your masks first"
        return self._no_samples() if panel.source.value == SAMPLE else ""

    def wish(self) -> Wish:
        """Return the wish; the mask of a layer is named as the file that `give` writes. Raises ParameterError, ShapeError."""
        form, engine = self.form(), self.engine
        changes = tuple(Change(name) for name in form.changes)
        if engine == NUCLEI and set(changes) == set(USUAL_CHANGES) - {Change.SWAP}:
            changes = USUAL_CHANGES  # all there are for nuclei
        usual = {info.name: info.default for info in self.params()}
        options = tuple(f"{name}={value}" for name, value in form.params.items() if value != usual.get(name))
        masks = "" if engine == TUMOR or form.source == SAMPLE else form.masks
        if form.source == LAYER and engine != TUMOR:
            masks = str(self._given_path(self._plane(), Path(form.output)))
        layouts = tuple(Layout(name) for name in form.layouts)
        return Wish(form.model, Path(form.output), form.count, masks, form.seed, changes, (), layouts, options)

    def give(self, wish: Wish) -> None:
        """Write the mask of the layer where the wish names it. Raises InputError, OSError."""
        if self._panel.source.value != LAYER or self.engine == TUMOR:
            return
        path = Path(wish.masks)
        if not path.parent.parent.parent.is_dir():
            raise InputError(f"the folder {path.parent.parent.parent} does not exist: make it first")
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            Image.fromarray(self._plane()).save(path)

    def _plane(self) -> np.ndarray:
        """Return the shown plane of the layer, in 8 bits or, where its numbers ask for them, in 16."""
        layer: Any = self._panel.layer.picked
        pixels = layers.take(layer, layers.shown_plane(layer, self._viewer.dims))
        if pixels.min() < 0 or pixels.max() > 65535:
            raise InputError(
                f"{layer.name} holds labels from {pixels.min()} to {pixels.max()}: they must lie between 0 and 65535"
            )
        return np.ascontiguousarray(pixels, np.uint8 if pixels.max() < 256 else np.uint16)

    def _given_path(self, plane: np.ndarray, output: Path) -> Path:
        told = hashlib.sha256(np.ascontiguousarray(plane).tobytes() + repr(plane.shape).encode()).hexdigest()
        return output / GIVEN / f"mask-{told[:12]}.png"

    def _no_samples(self) -> str:
        if self.engine in OWN_MASKS:
            return ""
        names = [label.name for label in foreground(self.card.labels)] if self.card else []
        return "" if len(names) == 1 and names[0] in SAMPLES else "No masks ship for this model: take a layer or a folder"
