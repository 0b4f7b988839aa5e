"""Results in the scene: their names, their place in the subject hierarchy, the views; and those of other clients' jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import slicer

from medsynth_core.client import Client
from medsynth_core.protocol import EngineInfo, JobInfo, LabelInfo, OutputInfo
from medsynth_core.volume import Volume
from MedSynthLib import study
from MedSynthLib.growing import GrowingNodes

SYNTHETIC = "[Synthetic]"
Fetched = tuple[Mapping[str, Volume], tuple[LabelInfo, ...]]
"""A job's outputs by name, and the names of its labels."""
UNCERTAINTY = "uncertainty"
"""An output that is an overlay, on demand."""


def name_for(engine: EngineInfo, source: Any) -> str:
    """Return the name of a result: what is synthetic says so first."""
    subject = source.GetName() if source is not None else engine.name
    return f"{SYNTHETIC} {subject}" if engine.synthetic else f"{subject} {engine.name}"


def present(node: Any, output: OutputInfo, source: Any) -> None:
    """Put a new result into its source's study, and an image or numbered objects into the slice views."""
    study.put_beside(node, source)
    if output.kind == "image" and output.name != UNCERTAINTY:
        slicer.util.setSliceViewerLayers(background=node)
    elif node.IsA("vtkMRMLLabelMapVolumeNode"):
        slicer.util.setSliceViewerLayers(label=node)


def title_of(job: JobInfo, synthetic: bool) -> str:
    """Return the name of what a job of the list gives."""
    title = " ".join(part for part in (job.request.engine, job.request.model) if part)
    return f"{SYNTHETIC} {title}" if synthetic else title


def fetch(client: Client, job: JobInfo) -> Fetched:
    """Return a finished job's outputs for looking at, and the names of its labels. Waits for the service."""
    made = client.job(job.id)
    outputs = {output.name: made.result(output.name) for output in job.outputs if output.kind != "state"}
    cards = (model.card for model in client.capabilities().models if model.id == job.request.model)
    return outputs, next((card.labels for card in cards if card is not None), ())


def show(job: JobInfo, fetched: Fetched) -> dict[str, Any]:
    """Return the nodes of a job's outputs, new in the scene."""
    outputs, labels = fetched
    title = title_of(job, bool(job.recipe.get("synthetic")))
    growing = GrowingNodes(title, labels, lambda node, output: present(node, output, None))
    for output in job.outputs:
        if output.name in outputs:
            growing.announce(output)
            for z in range(outputs[output.name].size[0]):
                growing.put(output.name, z, outputs[output.name].array[:, z])
    growing.redraw(last=True)
    growing.note(job.recipe, job.id)
    return growing.nodes()
