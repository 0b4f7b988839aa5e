"""What a model makes when it is questioned: images of masks it learned from, of masks held out, of edited masks, and of nothing.

    training masks   the worst case for copies: the model has seen the image that belongs to each
    held-out masks   what fidelity is measured on: the real image is there to be held against
    edited masks     training masks mirrored, moved, bent (imaging/mask_variants.py): what a data set is made of
    nothing given    fields of nuclei and tumor volumes of which nothing is asked

A sample follows from the model, its real item, its kind and its number alone.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from medsynth_core.errors import ParameterError
from medsynth_core.imaging.mask_variants import mask_variant
from medsynth_core.protocol import Scalar
from medsynth_core.studies.at_work import Report, worked
from medsynth_core.studies.engines import Running
from medsynth_core.studies.items import Item
from medsynth_core.studies.makers import MAKERS
from medsynth_core.studies.material import Material
from medsynth_core.volume import Volume

FIRST_SEED = 90_000


class Kind(enum.StrEnum):
    """What a sample was made of."""

    TRAINING = "training masks"
    HELD_OUT = "held-out masks"
    EDITED = "edited masks"
    DRAWN = "nothing given"


KINDS = {
    "synthesize": (Kind.TRAINING, Kind.HELD_OUT, Kind.EDITED),
    "nuclei": (Kind.TRAINING, Kind.HELD_OUT, Kind.EDITED, Kind.DRAWN),
    "tumor": (Kind.DRAWN,),
}
"""By engine: a tumor volume is grown from a request, not painted into a mask."""


@dataclass(frozen=True, eq=False)
class Wish:
    """One sample to be made: of a real item, or of nothing; the seed follows from its number."""

    kind: Kind
    number: int
    source: Item | None
    values: tuple[tuple[str, Scalar], ...] = ()

    @property
    def seed(self) -> int:
        """The seed of the engine."""
        return FIRST_SEED + self.number


@dataclass(frozen=True, eq=False)
class Sample:
    """What came: image and labels, with what it was made of."""

    name: str
    kind: Kind
    seed: int
    item: Item


def wishes(material: Material, kind: Kind, count: int, values: Sequence[tuple[str, Scalar]] = ()) -> list[Wish]:
    """Return the wishes for `count` samples of a kind, spread over the items; fewer where there are not as many masks."""
    if kind is Kind.DRAWN:
        return [Wish(kind, number, None, tuple(values)) for number in range(count)]
    items = pieces(material, held_out=kind is Kind.HELD_OUT)
    chosen = np.unique(np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int))
    return [Wish(kind, number, items[int(i)], tuple(values)) for number, i in enumerate(chosen)]


def pieces(material: Material, held_out: bool) -> tuple[Item, ...]:
    """Return what is made at a time of the real items of a side: tiles of nuclei are cut into patches."""
    side = replace(material, pool=material.test) if held_out else material
    return side.pieces(tuple(item.name for item in side.pool))


def make_samples(model: Path, asked: Sequence[Wish], workers: int, report: Report) -> list[Sample]:
    """Return what was wished for, in its order. Raises ParameterError for a mask where the engine takes none."""
    return worked(partial(make, model), asked, workers, "samples", report)


def make(model: Path, wish: Wish) -> Sample:
    """Return one sample."""
    running = _running(model)
    name = f"{wish.kind.value} {wish.number + 1}"
    if wish.source is None:
        made = MAKERS[running.engine.name](running, (), dict(wish.values), wish.seed)
        return Sample(name, wish.kind, wish.seed, replace(made, name=name))
    if wish.kind not in KINDS[running.engine.name]:
        raise ParameterError(f"engine {running.engine.name} makes nothing of {wish.kind.value}: ask it for {Kind.DRAWN.value}")
    labels = wish.source.labels[0]
    if wish.kind is Kind.EDITED:
        labels = mask_variant(labels, wish.seed)
    image = _painted(running, wish, labels)
    return Sample(name, wish.kind, wish.seed, replace(wish.source, name=name, image=image[None], labels=labels[None]))


def _painted(running: Running, wish: Wish, labels: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
    """Return the image (c, y, x) of a mask; of nuclei in the stain of the real tile."""
    assert wish.source is not None
    if running.engine.name == "nuclei":
        stain = Volume.from_image(np.moveaxis(wish.source.image[0], 0, -1))
        inputs = {"mask": Volume.from_image(labels.astype(np.uint16)), "image": stain}
        values: dict[str, Scalar] = {**dict(wish.values), "given": "keep"}
    else:
        inputs = {"mask": Volume.from_image(labels.astype(np.uint8))}
        values = {**dict(wish.values), **wish.source.options}
    return running.run(inputs, values, wish.seed)["image"].array[:, 0].astype(np.uint8)


@lru_cache(maxsize=1)
def _running(model: Path) -> Running:
    return Running(model)
