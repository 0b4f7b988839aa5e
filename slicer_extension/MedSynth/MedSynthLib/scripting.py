"""MedSynth from a script, without the panel: nodes in, nodes out.

    engine = MedSynthLib.scripting.Engine()        or slicer.modules.medsynth.widgetRepresentation().self().logic.engine
    image = engine.synthesize(segmentation, grid=flair, model="brain-slice", k=80, seed=7)
    better = engine.refine(flair, rough)
    image, mask = engine.grow_tumor(volume_ml=20, center_mm=(-30, 10, 5))
    image, nuclei = engine.make_nuclei(density=60)

Every call waits for its result; the panel does the same work without waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from medsynth_core import client as light_client
from medsynth_core import places
from medsynth_core.client import Client, Job
from medsynth_core.errors import ServiceUnavailableError
from medsynth_core.job_results import SYNTHETIC
from medsynth_core.protocol import ModelCard
from medsynth_core.tumor_words import spread
from MedSynthLib import conversion, environment, segments, startup, study
from MedSynthLib.environment import EnvironmentProblem, Reason
from MedSynthLib.growing import GrowingNodes, mark


def connector() -> Callable[[], Client]:
    """Return what opens a client, on any thread; call this on the main one, which may ask Slicer what it was started with."""
    environ = startup.begun()[0]
    return lambda: connect(environ=environ)


def connect(home: Path | None = None, environ: Mapping[str, str] | None = None) -> Client:
    """Return a client of the user's service, started in the chosen environment when none runs.

    `environ` is what it is started with: what Slicer was, not what Slicer made of it for itself. Raises
    EnvironmentProblem when none runs and there is no environment to start it in.
    """
    folder = home or places.state_folder()
    used = environment.chosen(folder)
    if used is not None:
        return light_client.connect(folder, python=used.python, name="slicer", environ=environ)
    try:
        return light_client.connect(folder, start=False, name="slicer")  # one that napari or a terminal started
    except ServiceUnavailableError:
        environment.needed(folder)
        raise EnvironmentProblem(Reason.NONE, "the engine's environment was just chosen: try again") from None


class Engine:
    """What can be asked from a script. `connected` opens the client, by default that of the user's service."""

    def __init__(self, client: Client | None = None) -> None:
        self._client = client

    @property
    def client(self) -> Client:
        """The connection to the service, opened when it is first needed."""
        if self._client is None:
            self._client = connector()()
        return self._client

    def close(self) -> None:
        """Let go of the service."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def synthesize(self, segmentation: Any, grid: Any, model: str, seed: int = 0, k: int = 0, **params: Any) -> Any:
        """Return a volume node: an image of the segments on slice `k` of the volume node `grid`, in the place of that slice.

        Segments go by the names of the model's labels. Raises InputError, ModelError, JobError.
        """
        card = self._card(model)
        values = segments.label_values(segmentation, card.labels if card else ())
        mask = conversion.one_slice(conversion.labels_of(segmentation, grid, values), k)
        job = self.client.submit("synthesize", model=model, seed=seed, mask=mask, **params)
        node = conversion.node_from(job.result("image"), f"{SYNTHETIC} {segmentation.GetName()}")
        return self._finished(node, job, segmentation)

    def refine(self, image: Any, segmentation: Any, model: str = "refiner", seed: int = 0, **params: Any) -> Any:
        """Return a new segmentation node: the segments with better boundaries, under the same names and colors."""
        values = segments.label_values(segmentation)
        mask = conversion.labels_of(segmentation, image, values)
        job = self.client.submit("refine", model=model, seed=seed, image=conversion.volume_of(image), mask=mask, **params)
        refined = job.result("mask")
        like = segments.labels_like(segmentation, values)
        node = segments.new_segmentation(image, like, f"{segmentation.GetName()} refined")
        ids = list(node.GetSegmentation().GetSegmentIDs())
        conversion.fill_segments(node, refined, dict(zip(values.values(), ids, strict=True)))
        return self._finished(node, job, segmentation)

    def grow_tumor(self, model: str = "lgg-flair", seed: int = 0, background: Any = None, **params: Any) -> tuple[Any, Any]:
        """Return (volume node, segmentation node) of a new tumor volume; parameters as in `Client.grow_tumor`.

        `background` is a volume node to keep: only the lesion is grown into it.
        """
        given = {} if background is None else {"background": conversion.volume_of(background)}
        return self.run("tumor", model, seed, background, **given, **spread(params))

    def make_nuclei(self, nuclei: Any = None, model: str = "nuclei-he", seed: int = 0, **params: Any) -> tuple[Any, Any]:
        """Return (vector volume node, label map node) of histology; parameters as in `Client.make_nuclei`.

        `nuclei` is a label map node with a number for each nucleus to paint; without one they are made, too.
        """
        given = {} if nuclei is None else {"mask": conversion.volume_of(nuclei)}
        return self.run("nuclei", model, seed, nuclei, **given, **params)

    def run(self, engine: str, model: str, seed: int, beside: Any, **given: Any) -> tuple[Any, ...]:
        """Return the nodes of all outputs of any engine's job, in the order they were announced."""
        job = self.client.submit(engine, model=model, seed=seed, **given)
        card = self._card(model)
        growing = GrowingNodes(f"{SYNTHETIC} {engine}", card.labels if card else ())
        for output in job.wait().outputs:
            if output.kind != "state":
                growing.announce(output)
                made = job.result(output.name)
                for z in range(made.size[0]):
                    growing.put(output.name, z, made.array[:, z])
        growing.redraw(last=True)
        return tuple(self._finished(node, job, beside) for node in growing.nodes().values())

    def _card(self, model: str) -> ModelCard | None:
        return next((m.card for m in self.client.capabilities().models if m.id == model), None)

    def _finished(self, node: Any, job: Job, source: Any) -> Any:
        mark(node, job.info().recipe, job.id)
        study.put_beside(node, source)
        return node
