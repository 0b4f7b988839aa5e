"""`msynth synthesize`: a mask file in, image files out, through the running service."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medsynth_core import quality_words
from medsynth_core.cli_jobs import cancelled_unless_saved, find_card, follow
from medsynth_core.cli_params import read_params
from medsynth_core.client import Job, connect
from medsynth_core.copy_rule import KEPT_OUT, CopyRule, marked, not_saved
from medsynth_core.errors import InputError, ParameterError, ShapeError
from medsynth_core.protocol import Capabilities
from medsynth_core.vocabulary import understand
from medsynth_core.volume import Volume

ENGINE, NUCLEI = "synthesize", "nuclei"
MAX_COUNT = 1000


@dataclass(frozen=True)
class Order:
    """What the command line asked for. `count` None makes one image under the very name `output`.

    `options` are NAME=VALUE texts, `flags` what is left of the command line: --name value of engine parameters and model options.
    """

    mask: Path
    output: Path
    model: str
    seed: int
    count: int | None
    slice: int | None
    options: tuple[str, ...]
    flags: tuple[str, ...]
    allow_copies: bool = False


@dataclass(frozen=True)
class Saved:
    """One image: its file, its recipe, the file beside it that holds the recipe where it cannot, and whether it was kept out."""

    path: Path
    recipe: dict[str, Any]
    beside: Path | None = None
    kept_out: bool = False


def synthesize_files(order: Order) -> Iterator[Saved]:
    """Make and save the images, and yield each as it is saved; of several, those that may be copies are not.

    What can be wrong with the files is found before the service is asked, what can be wrong with the labels and parameters
    before a job runs. Raises InputError, ModelError, JobError, ServiceError; jobs not yet saved are cancelled.
    """
    from medsynth_core import formats

    outputs = _outputs(order)
    mask = one_slice(formats.read_mask(order.mask), order.slice)
    with connect(name="msynth") as engine:
        able = engine.capabilities()
        name = _engine_of(able, order.model)
        card = find_card(able, name, order.model)
        if name == ENGINE:  # the other takes any numbers: one a nucleus
            understand(mask.array, card.labels)
        infos = (*able.engine(name).params, *card.options)
        params = read_params(order.options, order.flags, infos, "msynth synthesize")
        seeds = range(order.seed, order.seed + len(outputs))
        rule = CopyRule(order.allow_copies, alone=order.count is None)
        jobs = [engine.submit(name, model=card.id, seed=seed, mask=mask, **params) for seed in seeds]
        with cancelled_unless_saved(jobs):
            for job, path in zip(list(jobs), outputs, strict=True):
                image, recipe = _finish(job)
                check = rule.check(recipe)
                recipe |= marked(check)
                kept_out = check == KEPT_OUT
                beside = None if kept_out else formats.write(path, image, recipe)
                jobs.remove(job)
                yield Saved(path, recipe, beside, kept_out)


def tell(images: Iterator[Saved], as_json: bool) -> bool:
    """Print each image as it is saved and what is wrong with it, then how good they are; return whether one was kept out."""
    kept_out, tally = 0, quality_words.Tally()
    for one in images:
        if one.kept_out:
            kept_out += 1
        else:
            print(json.dumps(one.recipe, sort_keys=True) if as_json else one.path)
        if words := tally.add(one.recipe):
            print(f"{one.path.name}: {words}", file=sys.stderr)
        if one.beside is not None:
            print(f"{one.path.name} cannot hold its recipe: it is in {one.beside.name}", file=sys.stderr)
    for line in filter(None, (tally.line, not_saved(kept_out))):
        print(line, file=sys.stderr)
    return kept_out > 0


def _engine_of(able: Capabilities, model: str) -> str:
    """Return the engine that paints with a model: instances are painted by the nuclei engine, labels by the synthesize engine."""
    return next((info.engine for info in able.models if info.id == model and info.engine == NUCLEI), ENGINE)


def one_slice(mask: Volume, z: int | None) -> Volume:
    """Return slice `z` of the mask in its own place; None takes the only slice. Raises ShapeError when there are several."""
    slices = mask.size[0]
    if z is None and slices > 1:
        raise ShapeError(f"mask has {slices} slices: choose one with --slice, from 0 to {slices - 1}")
    if z is not None and not 0 <= z < slices:
        raise ShapeError(f"--slice is {z}: the mask has slices 0 to {slices - 1}")
    affine = mask.affine.copy()
    affine[:, 3] = mask.affine @ np.array([0, 0, z or 0, 1.0])
    return Volume(mask.array[:, [z or 0]], affine)


def _outputs(order: Order) -> list[Path]:
    from medsynth_core import formats

    if order.count is not None and not 1 <= order.count <= MAX_COUNT:
        raise ParameterError(f"--count is {order.count}: it must lie between 1 and {MAX_COUNT}")
    suffix = formats.suffix(order.output)
    stem = str(order.output)[: -len(suffix)]
    paths = [order.output]
    if order.count is not None:
        paths = [Path(f"{stem}-{number:03d}{order.output.name[-len(suffix) :]}") for number in range(order.count)]
    for path in paths:
        formats.check_output(path)
        if path.exists() and order.mask.exists() and path.samefile(order.mask):
            raise InputError(f"{path.name} is the mask itself: give the image another name")
    return paths


def _finish(job: Job) -> tuple[Volume, dict[str, Any]]:
    follow(job)
    return job.result("image"), job.info().recipe
