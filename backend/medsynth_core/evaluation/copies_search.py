"""The nearest of all pictures that were learned from: candidates by the network that knows pictures again, judged once aligned.

    candidates   the 4 pieces with the largest f(a) · f(b)              f: unit vectors of the copy network
    likeness     the largest `aligned_likeness` of a to one of them

The network ranks well and judges badly: among 144 real pieces of H&E and 100 planted copies, the true tile was first for all
copies, but only 73 of them were more alike, by f alone, than 95 % of the real ones; of brain slices, 6 %.

A picture may have been learned from in parts (pieces of a tile, from any place) and turned: then the pieces overlap, and what is
looked for is shown in all the ways it may have been turned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from medsynth_core.errors import InputError, ShapeError
from medsynth_core.evaluation.aligned import aligned_likeness
from medsynth_core.evaluation.copies import SIDE, CopyCheck, CopyNetwork, Nearest, Vectors, judged, vectors
from medsynth_core.evaluation.generator import Images
from medsynth_core.evaluation.tensors import image_array, image_tensor
from medsynth_core.imaging.nuclei_maps import turned

Picture = npt.NDArray[np.uint8]
Way = tuple[bool, int]
"""Mirrored, and turned by so many quarters."""
AS_IT_IS: Way = (False, 0)
ALL_WAYS: tuple[Way, ...] = tuple((mirrored, quarters) for mirrored in (False, True) for quarters in range(4))
CANDIDATES = 4
AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class Matched(Nearest):
    """`index` numbers pieces of a library; `way` (n,) numbers how the picture was turned to be most alike."""

    way: npt.NDArray[np.intp]


class Library:
    """What was learned from: pictures (c, y, x) of at least 64², in pieces of 64² every `stride` pixels."""

    def __init__(
        self, network: CopyNetwork, pictures: Sequence[Picture], stride: int = SIDE, ways: tuple[Way, ...] = (AS_IT_IS,)
    ) -> None:
        """Raises InputError for no picture, ShapeError for one below 64²."""
        if not pictures:
            raise InputError("there are no training images: a copy check needs samples, held-out and training images")
        if small := [p.shape for p in pictures if min(p.shape[1:]) < SIDE]:
            raise ShapeError(f"a training image is {small[0]}: it must be (c, y, x) of {SIDE}² or more")
        self._network, self._pictures, self.ways = network, pictures, ways
        self.pieces = [
            (i, y, x) for i, p in enumerate(pictures) for y in starts(p.shape[1], stride) for x in starts(p.shape[2], stride)
        ]
        self._vectors = np.concatenate([self._known(part) for part in range(0, len(self.pieces), 1024)])

    def piece(self, number: int) -> Picture:
        """Return a piece (c, 64, 64)."""
        i, y, x = self.pieces[number]
        return self._pictures[i][:, y : y + SIDE, x : x + SIDE]

    def nearest(self, images: Images) -> Matched:
        """Return the most alike piece of each image (n, c, 64, 64). Raises ShapeError for other shapes."""
        if images.shape[1:] != self.piece(0).shape:
            raise ShapeError(f"images are {images.shape}, pieces {self.piece(0).shape}: they must be alike; shrink them first")
        parts = [self._nearest(images[i : i + AT_ONCE]) for i in range(0, len(images), AT_ONCE)]
        return Matched(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("index", "likeness", "way")))

    def _nearest(self, images: Images) -> Matched:
        shown = np.stack([np.ascontiguousarray(turned(images, *way)) for way in self.ways])  # (ways, n, c, 64, 64)
        alike = np.stack([vectors(self._network, view) @ self._vectors.T for view in shown])  # (ways, n, pieces)
        top = np.argsort(-alike.max(axis=0), axis=1, kind="stable")[:, :CANDIDATES]  # (n, 4)
        way = np.take_along_axis(alike.argmax(axis=0), top, axis=1)
        asked = shown[way, np.arange(len(images))[:, None]]  # (n, 4, c, 64, 64)
        there = np.stack([[self.piece(int(k)) for k in row] for row in top])
        likeness = aligned_likeness(_grey(asked), _grey(there)).reshape(top.shape)
        best = likeness.argmax(axis=1)[:, None]
        return Matched(*(np.take_along_axis(values, best, axis=1)[:, 0] for values in (top, likeness, way)))

    def _known(self, first: int) -> Vectors:
        numbers = range(first, min(first + 1024, len(self.pieces)))
        return vectors(self._network, np.stack([self.piece(k) for k in numbers]))


def check_copies(library: Library, samples: Images, held_out: Images) -> CopyCheck:
    """Return which samples (n, c, 64, 64) are copies of what was learned from. Raises InputError for an empty set."""
    for name, images in (("samples", samples), ("held-out images", held_out)):
        if not len(images):
            raise InputError(f"there are no {name}: a copy check needs samples, held-out and training images")
    return judged(library.nearest(samples), library.nearest(held_out).likeness)


def shrunk(image: Picture) -> Picture:
    """Return an image (c, y, x) as one piece, (c, 64, 64): means of pixels."""
    return image_array(functional.interpolate(image_tensor(image[None]), (SIDE, SIDE), mode="area"))[0]


def _grey(pictures: npt.NDArray[np.uint8]) -> Tensor:
    """Return (n·k, 1, 64, 64) from 0 to 1 of pictures (n, k, c, 64, 64)."""
    flat = torch.from_numpy(np.ascontiguousarray(pictures)).flatten(0, 1).float()
    return flat.mean(dim=1, keepdim=True) / 255


def starts(length: int, stride: int) -> list[int]:
    """Return where pieces begin, the last one at the far edge."""
    return sorted({*range(0, length - SIDE, stride), length - SIDE})
