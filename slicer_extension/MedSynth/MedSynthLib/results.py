"""Results in the scene: their names, their place in the subject hierarchy, the views; and those of other clients' jobs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import slicer

from medsynth_core import job_results
from medsynth_core.job_results import SYNTHETIC, UNCERTAINTY, Fetched
from medsynth_core.protocol import EngineInfo, JobInfo, OutputInfo
from MedSynthLib import study
from MedSynthLib.growing import GrowingNodes


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


def show(
    job: JobInfo, fetched: Fetched, post: Callable[[Callable[[], None]], None], shown: Callable[[dict[str, Any]], None]
) -> None:
    """Put a job's outputs into the scene, slice by slice: `post` runs a call soon, so that a large result holds nobody up.

    `shown` gets the new nodes by output once all is there.
    """
    title = job_results.title(job, bool(job.recipe.get("synthetic")))
    growing = GrowingNodes(title, fetched.labels, lambda node, output: present(node, output, None))

    def finish() -> None:
        growing.redraw(last=True)
        shown(growing.nodes())

    for output in fetched.outputs:
        post(partial(growing.announce, output))
        post(partial(growing.note, job.recipe, job.id))  # what is closed half-way says what it is, too
        volume = fetched.volumes[output.name]
        for z in range(volume.size[0]):
            post(partial(growing.put, output.name, z, volume.array[:, z]))
    post(finish)
