"""What a data set is asked to be: a wish in words, as a command line or a form has it, and the order that follows from it."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from medsynth_core.cli_dataset_masks import Change, Masks, find_sources, reader, sample_sources
from medsynth_core.cli_jobs import check_output_folder, find_card
from medsynth_core.cli_layouts import Layout, Subject, check_layouts
from medsynth_core.cli_params import read_params
from medsynth_core.copy_rule import OVERRIDE
from medsynth_core.errors import InputError, ModelError, ParameterError
from medsynth_core.protocol import Capabilities, ModelCard, Scalar
from medsynth_core.vocabulary import foreground

MAX_COUNT = 10_000
MOST_TRIES = 4
"""Where samples are left out, more are made in their place, up to this many for each that is wanted."""
SYNTHESIZE, NUCLEI, TUMOR = "synthesize", "nuclei", "tumor"
OWN_MASKS = (NUCLEI, TUMOR)
"""Engines that make their own labels where none are handed in."""
USUAL_CHANGES = tuple(Change)
IMAGES, MASKS = "images", "masks"


@dataclass(frozen=True)
class Wish:
    """A data set in words. `masks` is a folder, file or pattern; empty is `--sample`. `changes` empty leaves masks as they are.

    `options` are NAME=VALUE texts, `flags` what is left of a command line; `lesions` the label values that swap.
    """

    model: str
    output: Path
    count: int
    masks: str = ""
    seed: int = 0
    changes: tuple[Change, ...] = USUAL_CHANGES
    lesions: tuple[int, ...] = ()
    layouts: tuple[Layout, ...] = ()
    options: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    allow_copies: bool = False
    keep_all: bool = False
    again: bool = False

    @property
    def command(self) -> str:
        """The same wish as a command line."""
        words = ["msynth", "dataset", self.model, *(("--masks", self.masks) if self.masks else ("--sample",))]
        words += ["--count", str(self.count), "-o", str(self.output)]
        words += ["--seed", str(self.seed)] if self.seed else []
        if self.masks and set(self.changes) != set(USUAL_CHANGES):
            words += ["--augment", *(change.value for change in self.changes)] if self.changes else ["--augment", "none"]
        words += [word for value in self.lesions for word in ("--lesion", str(value))]
        words += [word for layout in self.layouts for word in ("--layout", layout.value)]
        words += [word for option in self.options for word in ("--option", option)]
        words += [*([OVERRIDE] if self.allow_copies else []), *(["--keep-all"] if self.keep_all else []), *self.flags]
        return shlex.join(words)


@dataclass(frozen=True)
class Piece:
    """Sample `number`: its seed and its two files."""

    name: str
    number: int
    seed: int
    image: Path
    labels: Path

    @property
    def outputs(self) -> tuple[Path, Path]:
        """The files that are written."""
        return self.image, self.labels


@dataclass(frozen=True, eq=False)
class Order:
    """A wish that can be met: by which engine and model, with which parameters, of which masks (None: it makes its own)."""

    wish: Wish
    engine: str
    card: ModelCard | None
    params: dict[str, Scalar]
    defaults: dict[str, Scalar]
    masks: Masks | None
    subject: Subject

    @property
    def volumes(self) -> bool:
        """Whether samples are volumes."""
        return self.engine == TUMOR

    @property
    def model(self) -> str:
        """The model's id, empty for an engine that needs none."""
        return self.card.id if self.card else ""

    @property
    def sha256(self) -> dict[str, str]:
        """The checksums of the model's weights."""
        return self.card.sha256 if self.card else {}

    def pieces(self) -> Iterator[Piece]:
        """Yield the samples that may be made: more than wanted, for some may be left out."""
        folder = self.wish.output
        ending, labels = (".nii.gz", ".nii.gz") if self.volumes else (".png", ".tif" if self.engine == NUCLEI else ".png")
        for number in itertools.islice(itertools.count(), self.wish.count * MOST_TRIES):
            name = f"{number:05d}"
            image = folder / IMAGES / f"{name}{ending}"
            yield Piece(name, number, self.wish.seed + number, image, folder / MASKS / f"{name}{labels}")


def make_order(wish: Wish, able: Capabilities) -> Order:
    """Return the order, all that can be wrong with it found. Raises InputError, ParameterError, ModelError."""
    if not 1 <= wish.count <= MAX_COUNT:
        raise ParameterError(f"--count is {wish.count}: it must lie between 1 and {MAX_COUNT}")
    engine, card = _engine_and_card(wish.model, able)
    check_layouts(wish.layouts, volumes=engine == TUMOR)
    infos = [*able.engine(engine).params, *(card.options if card else ())]
    params = read_params(wish.options, wish.flags, infos, "msynth dataset")
    masks = _masks(wish, engine, card)
    if engine == NUCLEI and masks is not None:
        params = {"given": "keep"} | params
    subject = _subject(engine, card, masks)
    if unknown := sorted(set(wish.lesions) - set(subject.names)):
        raise ParameterError(f"--lesion is {unknown[0]}: it must be one of {', '.join(map(str, subject.names))}")
    check_output_folder(wish.output)
    defaults = {info.name: info.default for info in infos}
    return Order(wish, engine, card, params, defaults, masks, subject)


def _engine_and_card(model: str, able: Capabilities) -> tuple[str, ModelCard | None]:
    """Return the engine of a model with its card; an engine that needs no model goes by its own name."""
    by_model = {info.id: info for info in able.models}
    if model in by_model:
        found = by_model[model]
        if found.card is None:
            raise ModelError(found.problem)
        if found.engine not in (SYNTHESIZE, *OWN_MASKS) or found.card.role:
            raise ModelError(f"model is {model}, which makes no images: name one of the engines synthesize, nuclei or tumor")
        return found.engine, found.card
    with_models = {info.engine for info in able.models} | {SYNTHESIZE, *OWN_MASKS, "refine"}
    if any(info.name == model and model not in with_models for info in able.engines):
        return model, None
    return SYNTHESIZE, find_card(able, SYNTHESIZE, model)


def _masks(wish: Wish, engine: str, card: ModelCard | None) -> Masks | None:
    if not wish.masks and engine in OWN_MASKS:
        return None
    if engine == TUMOR:
        raise ParameterError("--masks is given, but a tumor model grows its masks itself: use --sample")
    if Change.SWAP in wish.changes and engine == NUCLEI:
        wish = _without_swap(wish)
    sources = find_sources(wish.masks, wish.output) if wish.masks else sample_sources(card)
    own = (wish.output / MASKS).resolve()
    if inside := [source for source in sources if source.path.resolve().is_relative_to(own)]:
        raise InputError(f"--masks names {inside[0].path.name}, a sample of this data set: name another output folder")
    read = reader(card, engine == NUCLEI)
    masks = Masks(sources, wish.changes, wish.lesions, read)
    for source in sources:
        read(source.path)  # each is looked at before anything runs
    return masks


def _without_swap(wish: Wish) -> Wish:
    """Return a wish for nuclei: they are no lesions. Raises ParameterError where swapping was asked for by name."""
    if set(wish.changes) != set(USUAL_CHANGES):
        raise ParameterError("--augment holds swap, which is for lesions: leave it out for nuclei")
    return replace(wish, changes=tuple(change for change in wish.changes if change is not Change.SWAP))


def _subject(engine: str, card: ModelCard | None, masks: Masks | None) -> Subject:
    title, terms = (card.id, card.license) if card else (engine, "")
    if engine == NUCLEI:
        return Subject(title, {1: "nucleus"}, instances=True, license=terms)
    if card is not None and card.labels:
        return Subject(title, {label.value: label.name for label in foreground(card.labels)}, license=terms)
    return Subject(title, {value: f"label {value}" for value in (masks.values if masks else (1,))}, license=terms)


def about_model(order: Order) -> dict[str, Any]:
    """Return what a manifest says of the model."""
    card = order.card
    if card is None:
        return {"engine": order.engine}
    terms = {"license": card.license, "commercial_use": card.commercial_use, "data": card.data}
    return {"id": card.id, "engine": order.engine, "title": card.title, "steps": card.steps, "sha256": card.sha256, **terms}
