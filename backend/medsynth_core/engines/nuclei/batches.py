"""Batches of both networks, all chance from one number: 256² pieces in all eight orientations, stains varied, parts known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from medsynth_core.engines.nuclei.objective import Fields
from medsynth_core.engines.nuclei.prior import scaled
from medsynth_core.engines.nuclei.stain import Stain, restained, varied
from medsynth_core.engines.nuclei.tiles import PIXELS, Tile, cut, likeness
from medsynth_core.imaging.nuclei_maps import edges_of, halved, maps_of, turned

Mask = npt.NDArray[np.bool_]
ALL_FREE, SOME_NUCLEI, ONE_SIDE = 0.5, 0.25, 0.1
"""How often a field is made whole, round some nuclei, beyond a line; else inside a part of it."""
AROUND_PX = 2
"""This far round a known nucleus is known, too; the background is not, for there the field is to be completed."""
STAIN_CHANGED = 0.6


def draw_piece(tiles: Sequence[Tile], rng: np.random.Generator) -> Tile:
    """Return a 256² piece of one tile, anywhere in it, mirrored and turned by quarters at random."""
    tile = tiles[int(rng.integers(len(tiles)))]
    y, x = (int(rng.integers(n - PIXELS + 1)) for n in tile.instances.shape)
    piece, mirrored, quarters = cut(tile, y, x), bool(rng.random() < 0.5), int(rng.integers(4))
    image, instances = (np.ascontiguousarray(turned(part, mirrored, quarters)) for part in (piece.image, piece.instances))
    return Tile(piece.name, piece.group, image, instances, piece.stain)


def structure_batch(tiles: Sequence[Tile], count: int, rng: np.random.Generator) -> Fields:
    """Return structures at half resolution, (count, 3, 128, 128)."""
    pieces = [draw_piece(tiles, rng) for _ in range(count)]
    clean = torch.from_numpy(np.stack([halved(maps_of(piece.instances)) for piece in pieces]))
    free = torch.stack([half_free(draw_free(piece.instances, rng)) for piece in pieces])
    numbers = torch.tensor([scaled(*likeness(piece)) for piece in pieces])
    return Fields(clean, free, (clean[:, :1] + 1) / 2, numbers, clean[:, :0])


def image_batch(tiles: Sequence[Tile], count: int, rng: np.random.Generator) -> Fields:
    """Return images with their structures, (count, 3, 256, 256)."""
    pieces = [_in_another_stain(draw_piece(tiles, rng), rng) for _ in range(count)]
    clean = torch.from_numpy(np.stack([piece.image for piece in pieces])).float() / 127.5 - 1
    hint = torch.stack([hint_of(piece.instances) for piece in pieces])
    free = torch.from_numpy(np.stack([_image_free(piece.instances, rng)[None] for piece in pieces])).float()
    numbers = torch.from_numpy(np.stack([piece.stain.vector() for piece in pieces]))
    return Fields(clean, free, (hint[:, :1] + 1) / 2, numbers, hint)


def hint_of(instances: npt.NDArray[np.integer]) -> Tensor:
    """Return the structure as the image network sees it, (4, y, x): semantic, h, v, and 1 on the edge of an instance."""
    return torch.from_numpy(np.concatenate([maps_of(instances), edges_of(instances)[None].astype(np.float32)]))


def half_free(free: Mask) -> Tensor:
    """Return (1, y/2, x/2): a cell is free if any of its pixels is."""
    return functional.max_pool2d(torch.from_numpy(free)[None].float(), 2)


def around(nuclei: Mask) -> Mask:
    """Return the nuclei and what is known round them."""
    return ndimage.binary_dilation(nuclei, iterations=AROUND_PX)


def draw_free(instances: npt.NDArray[np.integer], rng: np.random.Generator) -> Mask:
    """Return where (y, x) a structure is to be made: everywhere, all but round some nuclei, beyond a line, or in an ellipse."""
    way, shape = rng.random(), instances.shape
    there = np.unique(instances[instances > 0])
    if way < ALL_FREE or (way < ALL_FREE + SOME_NUCLEI and len(there) == 0):
        return np.ones(shape, bool)
    if way < ALL_FREE + SOME_NUCLEI:
        kept = rng.choice(there, size=int(rng.integers(1, max(2, len(there) // 2 + 1))), replace=False)
        return ~around(np.isin(instances, kept))
    return _part(shape, way < ALL_FREE + SOME_NUCLEI + ONE_SIDE, rng)


def _image_free(instances: npt.NDArray[np.integer], rng: np.random.Generator) -> Mask:
    return np.ones(instances.shape, bool) if rng.random() < 0.75 else _part(instances.shape, False, rng)


def _part(shape: tuple[int, ...], one_side: bool, rng: np.random.Generator) -> Mask:
    """Return one side of a line, or an ellipse."""
    y, x = np.indices(shape)
    cy, cx = rng.uniform(0.15, 0.85, 2) * shape
    angle = rng.uniform(0, 2 * np.pi)
    u, w = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle), (y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)
    if one_side:
        return u > 0
    a, b = rng.uniform(0.06, 0.4, 2) * min(shape)
    return (u / a) ** 2 + (w / b) ** 2 < 1


def _in_another_stain(piece: Tile, rng: np.random.Generator) -> Tile:
    if rng.random() > STAIN_CHANGED:
        return piece
    wanted: Stain = varied(piece.stain, rng)
    return Tile(piece.name, piece.group, restained(piece.image, piece.stain, wanted), piece.instances, wanted)
