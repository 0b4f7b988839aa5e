"""`msynth synthesize`: a mask file in, image files out, through the running service."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medsynth_core.cli_parser import Parser
from medsynth_core.client import Job, connect
from medsynth_core.errors import InputError, MedSynthError, ModelError, ModelNotFoundError, ParameterError, ShapeError
from medsynth_core.protocol import Capabilities, EventKind, ModelCard, ParamInfo, ParamKind, Scalar
from medsynth_core.vocabulary import understand
from medsynth_core.volume import Volume

ENGINE = "synthesize"
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


def synthesize_files(order: Order) -> Iterator[tuple[Path, dict[str, Any], Path | None]]:
    """Make and save the images; yield (file, recipe, file beside it that holds the recipe or None) as each is saved.

    What can be wrong with the files is found before the service is asked, what can be wrong with the labels and parameters
    before a job runs. Raises InputError, ModelError, JobError, ServiceError; jobs not yet saved are cancelled.
    """
    from medsynth_core import formats

    outputs = _outputs(order)
    mask = one_slice(formats.read_mask(order.mask), order.slice)
    with connect(name="msynth") as engine:
        able = engine.capabilities()
        card = _card(order.model, able)
        understand(mask.array, card.labels)
        params = read_params(order, (*able.engine(ENGINE).params, *card.options))
        seeds = range(order.seed, order.seed + len(outputs))
        jobs = [engine.submit(ENGINE, model=card.id, seed=seed, mask=mask, **params) for seed in seeds]
        with _cancelled_unless_saved(jobs):
            for job, path in zip(list(jobs), outputs, strict=True):
                image, recipe = _finish(job)
                beside = formats.write(path, image, recipe)
                jobs.remove(job)
                yield path, recipe, beside


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


def read_params(order: Order, infos: tuple[ParamInfo, ...]) -> dict[str, Any]:
    """Return the parameters given by --option and by their own flags. Raises ParameterError naming the field."""
    known = {info.name: info for info in infos}
    texts = dict(_name_and_value(text) for text in order.options)
    texts |= _read_flags(order.flags, infos)
    if unknown := sorted(set(texts) - set(known)):
        raise ParameterError(f"{unknown[0]} is not a parameter of this model; known: {', '.join(known) or 'none'}")
    return {name: _read_value(known[name], text) for name, text in texts.items()}


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


def _card(model: str, able: Capabilities) -> ModelCard:
    there = [info for info in able.models if info.engine in (ENGINE, "")]
    names = ", ".join(info.id for info in there) or "none"
    for info in there:
        if info.id == model:
            if info.card is None:
                raise ModelError(info.problem)
            return info.card
    raise ModelNotFoundError(f"model is {model!r}: it must be one of {names}; add one with msynth models add FOLDER")


def _finish(job: Job) -> tuple[Volume, dict[str, Any]]:
    shown = _Progress()
    for event in job:
        if event.kind is EventKind.PROGRESS:
            shown.show(event.done, event.total, event.seconds_left)
    shown.clear()
    return job.result("image"), job.info().recipe


@contextlib.contextmanager
def _cancelled_unless_saved(jobs: list[Job]) -> Iterator[None]:
    try:
        yield
    finally:
        for job in jobs:
            with contextlib.suppress(MedSynthError):  # the first trouble is the one to tell
                job.cancel()


class _Progress:
    """One line on stderr, when that is a terminal."""

    def __init__(self) -> None:
        self._visible, self._last = sys.stderr.isatty(), 0.0

    def show(self, done: int, total: int, seconds_left: float | None) -> None:
        if self._visible and time.monotonic() - self._last > 0.1:
            self._last = time.monotonic()
            left = "" if seconds_left is None else f", {seconds_left:.0f} s left"
            print(f"\r\033[K{done} of {total}{left}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._visible:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def _name_and_value(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ParameterError(f"--option is {text!r}: it must be NAME=VALUE, such as steps=2")
    return name, value


def _read_flags(flags: tuple[str, ...], infos: tuple[ParamInfo, ...]) -> dict[str, str]:
    parser = Parser(prog="msynth synthesize", add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS)
    for info in infos:
        parser.add_argument("--" + info.name.replace("_", "-"), dest=info.name)
    return vars(parser.parse_args(flags))


def _read_value(info: ParamInfo, text: str) -> Scalar:
    match info.kind:
        case ParamKind.CHOICE:
            return info.check(next((choice for choice in info.choices if str(choice) == text), text))
        case ParamKind.FLAG:
            return info.check({"true": True, "yes": True, "false": False, "no": False}.get(text.lower(), text))
        case ParamKind.TEXT:
            return info.check(text)
    try:
        return info.check(int(text) if info.kind is ParamKind.INTEGER else float(text))
    except ValueError:
        raise ParameterError(f"{info.name} is {text!r}: it must be of kind {info.kind.value}") from None
