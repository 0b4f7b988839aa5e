"""Synthetic items of a study, numbered: item i follows from the model, the real items at hand and i alone.

synthesize   a mask of the real items at hand, drawn and varied (imaging/mask_variants.py), and the image made of it
nuclei       a field from nothing and its image: both halves are the model's
tumor        a volume with all of its request drawn from what the model's patients were like
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from medsynth_core.engines import __file__ as engines_file
from medsynth_core.engines.tumor.frame import frame_of
from medsynth_core.imaging import mask_variants
from medsynth_core.imaging.mask_variants import mask_variant
from medsynth_core.models.card import read_card
from medsynth_core.protocol import Scalar
from medsynth_core.studies.engines import Running
from medsynth_core.studies.items import Item, kept
from medsynth_core.studies.material import volume_item
from medsynth_core.volume import Volume

FIRST_SEED = 70_000
"""Of made items; far from the seeds that a user tries by hand."""


@dataclass(frozen=True)
class Wish:
    """What is made: by which model folder, from the real items kept in a file, with which parameters of the engine."""

    model: Path
    sources: Path
    values: tuple[tuple[str, Scalar], ...] = ()
    device: str = "cpu"

    @property
    def key(self) -> str:
        """A name that follows from the weights, the engine's code, the real items, the parameters and the device."""
        card = read_card(self.model)
        told = hashlib.sha256(json.dumps([card.sha256, self.sources.stem, self.values, self.device], sort_keys=True).encode())
        code = sorted((Path(str(engines_file)).parent / card.engine).glob("*.py"))
        for file in (*code, Path(str(mask_variants.__file__)), Path(__file__)):
            told.update(file.read_bytes())
        return told.hexdigest()[:16]


@dataclass
class Maker:
    """Makes the items of a wish, one number after the other, in this process."""

    wish: Wish
    running: Running = field(init=False)

    def __post_init__(self) -> None:
        self.running = Running(self.wish.model, self.wish.device)

    def make(self, number: int) -> Item:
        """Return the item of a number from 0."""
        make = MAKERS[self.running.engine.name]
        return make(self.running, kept(self.wish.sources), dict(self.wish.values), number)


def source_of(sources: Sequence[Item], number: int) -> Item:
    """Return the real item that a made one starts from: each once in an order drawn anew, then each again."""
    turn, place = divmod(number, len(sources))
    return sources[int(np.random.default_rng((FIRST_SEED, turn)).permutation(len(sources))[place])]


def _from_mask(running: Running, sources: Sequence[Item], values: Mapping[str, Scalar], number: int) -> Item:
    source = source_of(sources, number)
    mask = mask_variant(source.labels[0].astype(np.uint8), FIRST_SEED + number)
    outputs = running.run({"mask": Volume.from_image(mask)}, {**values, **source.options}, FIRST_SEED + number)
    image = outputs["image"].array[:, 0].astype(np.uint8)
    return Item(f"made {number}", source.group, image[None], mask[None].astype(np.int32), source.options)


def _tile(running: Running, _: Sequence[Item], values: Mapping[str, Scalar], number: int) -> Item:
    outputs = running.run({}, values, FIRST_SEED + number)
    image, instances = outputs["image"].array[:, 0], outputs["instances"].array[0]
    return Item(f"made {number}", f"made {number}", image[None].astype(np.uint8), instances.astype(np.int32))


def _volume(running: Running, _: Sequence[Item], values: Mapping[str, Scalar], number: int) -> Item:
    outputs = running.run({}, values, FIRST_SEED + number)
    frame = frame_of(outputs["image"])
    image, mask = (np.asarray(frame.canonical(outputs[name].array[0])) for name in ("image", "mask"))
    return volume_item(f"made {number}", f"made {number}", image, mask != 0)


MAKERS: dict[str, Callable[[Running, Sequence[Item], Mapping[str, Scalar], int], Item]] = {
    "synthesize": _from_mask,
    "nuclei": _tile,
    "tumor": _volume,
}
