"""The result of a job of the list as layers, where it lies in the world: the program that asked for it may have been another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import napari
import numpy as np
from napari.layers import Image, Labels, Layer

from medsynth_core import job_results
from medsynth_core.errors import ShapeError
from medsynth_core.job_results import UNCERTAINTY, Fetched
from medsynth_core.protocol import JobInfo, LabelInfo, OutputInfo
from medsynth_core.volume import Volume
from napari_medsynth import layers, palette

LABELS = "labels"


def show(viewer: napari.Viewer, job: JobInfo, fetched: Fetched) -> list[Layer]:
    """Add the outputs of a job to the viewer, go to the middle of the first, and return the layers.

    The camera moves only where the result does not lie among the layers that are there. Raises ShapeError.
    """
    made = [_layer(job, output, fetched.volumes[output.name], fetched.labels) for output in fetched.outputs]
    world, empty = viewer.layers.extent.world[:, -3:], not viewer.layers
    for layer in made:
        viewer.layers.append(layer)
    if made:
        middle = made[0].extent.world.mean(axis=0)
        viewer.dims.set_point(tuple(range(viewer.dims.ndim - 3, viewer.dims.ndim)), tuple(middle))
        known = middle[-world.shape[1] :]
        if empty or not np.all((world[0] <= known) & (known <= world[1])):
            viewer.reset_view()
    return made


def _layer(job: JobInfo, output: OutputInfo, volume: Volume, labels: tuple[LabelInfo, ...]) -> Layer:
    title = job_results.title(job, bool(job.recipe.get("synthetic")))
    options: dict[str, Any] = {
        "name": title if output.name == "image" else f"{title} {output.name}",
        "metadata": {"medsynth": _recipe(job, output)},
        **layers.in_world(volume.affine),
    }
    if output.kind == LABELS:
        return _labels(volume, labels, options)
    if output.name == UNCERTAINTY:
        options |= {"visible": False, "colormap": "magma", "blending": "additive"}
    return _image(volume, options)


def _labels(volume: Volume, labels: tuple[LabelInfo, ...], options: Mapping[str, Any]) -> Labels:
    layer = Labels(volume.array[0], opacity=0.5, **options)
    if labels:
        palette.dress(layer, labels)
    return layer


def _image(volume: Volume, options: Mapping[str, Any]) -> Image:
    channels = volume.array.shape[0]
    if channels == 3:
        return Image(np.moveaxis(volume.array, 0, -1), rgb=True, **options)
    if channels != 1:
        raise ShapeError(f"the result has {channels} channels: an image has 1 or 3")
    return Image(volume.array[0], contrast_limits=layers.limits(volume.array), **options)


def _recipe(job: JobInfo, output: OutputInfo) -> dict[str, Any]:
    return {**job.recipe, "job": job.id, "seed": job.request.seed, "output": output.name}
