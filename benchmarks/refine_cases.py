"""The cases of the comparison: held-out images of our own split, large ones cut, each with several masks to start from."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from benchmarks.refine_methods import Case
from benchmarks.refine_starts import starts
from benchmarks.unmet import unmet_pairs
from medsynth_core.engines.refine.coarse_model import CoarseModel
from medsynth_core.engines.refine.items import Item
from medsynth_core.engines.refine.sources import SOURCES, brain_pairs, read_source
from medsynth_core.formats import read_mask
from medsynth_core.models import registry
from medsynth_core.training.sides import SIDES

BRAIN, BRISC = "brain slice", "brain_brisc2025"
TAUGHT = ("polyp", BRAIN, "LGG FLAIR", "purple nuclei")
NEVER_SEEN = ("skin", "retina")
"""Sets that no training has seen."""

HELD_OUT, TUNING = SIDES[2], SIDES[1]
LEAST_AREA_PX = 64
CROP_PX = {"purple nuclei": 128, "retina": 128}
SHARE = {"purple nuclei": 0.5, "retina": 0.25}
"""Many small objects, or one long one, fill an image with windows: of these a square is measured, chosen by chance, and of fewer
images."""

COARSE = {"polyp": "polyp-coarse", BRAIN: "brain-slice-coarse"}
"""Set → the coarse network that ships for it: real mistakes, made by a network."""

RATER, COARSE_NETWORK = "second rater", "coarse network"
AS_IT_IS = "as it is"


def items_of(source: str, root: Path, side: str = HELD_OUT) -> list[Item]:
    """Return the images of one side of a set. Raises TrainingDataError when its folder is not there."""
    (found,) = [s for s in SOURCES if s.name == source]
    return read_source(found, root, side)


def unmet_items(items: Sequence[Item], root: Path, refiner: Path | None) -> list[Item]:
    """Return the held-out items that the refiner has not met; of the sets it was taught, only brain slices are in question."""
    brains = brain_pairs(root / BRISC, HELD_OUT) if any(item.source == BRAIN for item in items) else ()
    met = {pair.stem for pair in brains} - {pair.stem for pair in unmet_pairs(refiner, brains)}
    return [item for item in items if item.source != BRAIN or item.name not in met]


def chosen(items: Iterable[Item], count: int, seed: int) -> list[Item]:
    """Return `count` items whose mask is large enough, from as many groups (patients, scenes) as there are, by chance."""
    rng = np.random.default_rng(seed)
    items = list(items)
    count = max(1, round(count * SHARE.get(items[0].source, 1.0))) if items else 0
    fit = [item for item in items if int((item.mask > 0).sum()) >= LEAST_AREA_PX]
    shuffled = [fit[i] for i in rng.permutation(len(fit))]
    seen: Counter[str] = Counter()
    ranked = []
    for item in shuffled:
        ranked.append((seen[item.group], item))
        seen[item.group] += 1
    return [item for _, item in sorted(ranked, key=lambda pair: pair[0])[:count]]


def cases_of(item: Item, root: Path, coarse: CoarseModel | None = None) -> list[Case]:
    """Return every start of an item as a case: six generated ones, the second rater's mask, the coarse network's."""
    seed = seed_of(item.name)
    image, truth, window = _cropped(item, seed)
    bare = Case(item.source, item.name, item.group, image, item.color, truth, truth, "", "")
    found = [replace(bare, start=s.mask, quality=s.quality, family=s.family) for s in starts(image, truth, seed)]
    return found + [
        replace(bare, start=mask, quality=AS_IT_IS, family=family) for family, mask in _real(item, root, window, coarse)
    ]


def coarse_network(source: str, device: str = "cpu") -> CoarseModel | None:
    """Return the coarse network of a set if it is installed."""
    name = COARSE.get(source, "")
    if name not in {info.id for info in registry.list_models() if info.card}:
        return None
    return CoarseModel.load(registry.find(name), device)


def seed_of(name: str) -> int:
    """Return a number that follows from a name alone."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:12], 16)


def _real(
    item: Item, root: Path, window: tuple[slice, slice], coarse: CoarseModel | None
) -> Iterator[tuple[str, npt.NDArray[np.bool_]]]:
    if item.source == "retina":
        path = root / "retina_chasedb1" / "train" / "masks_rater2" / f"{item.name}.png"
        yield RATER, read_mask(path).array[0, 0][window] > 0
    if coarse is not None:
        image = item.image if coarse.card.channels == 3 else item.image[1:2]
        drawn = coarse.draw(image.astype(np.float32) / 127.5 - 1).labels[window] > 0
        if drawn.any():  # nothing found, nothing to refine
            yield COARSE_NETWORK, drawn


def _cropped(item: Item, seed: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_], tuple[slice, slice]]:
    truth, side = item.mask > 0, CROP_PX.get(item.source, 0)
    if not side:
        return item.image, truth, (slice(None), slice(None))
    rng = np.random.default_rng(seed)
    share = ndimage.uniform_filter(truth.astype(np.float32), side, mode="constant")
    fit = np.argwhere(share >= 0.5 * share.max())
    middle = fit[rng.integers(len(fit))]
    corner = [int(np.clip(m - side // 2, 0, max(0, n - side))) for m, n in zip(middle, truth.shape, strict=True)]
    window = (slice(corner[0], corner[0] + side), slice(corner[1], corner[1] + side))
    return item.image[:, *window], truth[window], window
