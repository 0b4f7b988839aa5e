"""Row 4: is a made pair a copy of a piece of a training tile? Image and field are each looked for.

A piece may be learned from at any place of its tile and in all eight orientations (mirrored, turned by quarters), so that is how
it is looked for: training tiles are cut every 64 pixels, the networks that know pieces again have learned them shifted by up to
an eighth of the side, and each made tile is shown in eight orientations, of which the most alike counts. Real held-out patches
get the same eight chances. Planted copies, training pieces from anywhere, turned and restained, say what share is found.

Pictures are shrunk to 64² at once: the networks see no more, and all pieces of 500 tiles fit into memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from benchmarks.verdicts import Row, at_most
from medsynth_core.engines.nuclei.batches import draw_piece
from medsynth_core.engines.nuclei.stain import restained, varied
from medsynth_core.engines.nuclei.tiles import PIXELS, Tile
from medsynth_core.evaluation.copies import SIDE, SLIGHT, CopyCheck, CopyNetwork, Nearest, Vectors, judged, vectors
from medsynth_core.evaluation.generator import Images
from medsynth_core.imaging.nuclei_maps import edges_of, turned

ABOVE_REAL_PERCENT = 1.0
SHIFTED = replace(SLIGHT, shift=0.125)
STRIDE_PX, LEARNED_STRIDE_PX = 64, 128
SMALLER = PIXELS // SIDE
ORIENTATIONS = tuple((mirrored, quarters) for mirrored in (False, True) for quarters in range(4))
PART = 2048
"""Pieces that are compared at a time."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """The two sides of a set of tiles, shrunk: images (n, 3, 64, 64) and fields (n, 1, 64, 64), uint8."""

    images: Images
    fields: Images

    @classmethod
    def of(cls, tiles: Iterable[tuple[npt.NDArray[np.uint8], npt.NDArray[np.integer]]]) -> Pictures:
        """Return those of (image (3, y, x), instances (y, x))."""
        both = [(shrunk(image), shrunk(drawn(field))) for image, field in tiles]
        return cls(np.stack([image for image, _ in both]), np.stack([field for _, field in both]))


@dataclass(frozen=True)
class Knowing:
    """The networks that know images and fields again."""

    images: CopyNetwork
    fields: CopyNetwork


@dataclass(frozen=True, eq=False)
class Learned:
    """Vectors (m, length) of all pieces that a generator could learn from."""

    images: Vectors
    fields: Vectors

    @classmethod
    def of(cls, knowing: Knowing, tiles: Sequence[Tile]) -> Learned:
        """Return those of the pieces of tiles, cut every 64 pixels."""
        return cls(
            in_parts(knowing.images, image_crops(tiles, STRIDE_PX)), in_parts(knowing.fields, field_crops(tiles, STRIDE_PX))
        )


def copy_rows(knowing: Knowing, learned: Learned, made: Pictures, held_out: Pictures, planted: Pictures, who: str) -> list[Row]:
    """Row 4 for one generator: the share of images and of fields more like a training piece than real held-out ones are."""
    rows = []
    for what in ("images", "fields"):
        network, pieces = getattr(knowing, what), getattr(learned, what)
        usual = nearest(network, getattr(held_out, what), pieces).likeness
        found = judged(nearest(network, getattr(made, what), pieces), usual)
        known = judged(nearest(network, getattr(planted, what), pieces), usual)
        rows.append(_row(f"copies{who}: {what} flagged", found, known, len(usual), len(pieces)))
    return rows


def _row(what: str, found: CopyCheck, known: CopyCheck, real: int, pieces: int) -> Row:
    rate = 100 * found.held_out_share
    note = f"of {len(found.flags)} made; real held-out {rate:.1f} % of {real}; {pieces} training pieces in 8 orientations; "
    note += f"threshold {found.threshold:.3f}, most alike {found.nearest.likeness.max():.3f}, "
    note += (
        f"median {np.median(found.nearest.likeness):.3f}; of {len(known.flags)} planted copies found {100 * known.share:.0f} %"
    )
    return at_most(4, what, 100 * found.share, round(rate + ABOVE_REAL_PERCENT, 1), "%", note)


def nearest(network: CopyNetwork, pictures: Images, pieces: Vectors) -> Nearest:
    """Return for each picture (n, c, 64, 64) the most alike piece, whichever way it is turned."""
    ways = [np.ascontiguousarray(turned(pictures, *way)) for way in ORIENTATIONS]
    alike = np.stack([in_parts(network, way) @ pieces.T for way in ways]).max(axis=0)  # (n, m)
    return Nearest(alike.argmax(axis=1), alike.max(axis=1).astype(np.float64))


def planted_copies(tiles: Sequence[Tile], count: int, seed: int = 0) -> Pictures:
    """Return pieces of training tiles from anywhere, in any orientation and another stain."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        piece = draw_piece(tiles, rng)
        found.append((restained(piece.image, piece.stain, varied(piece.stain, rng)), piece.instances))
    return Pictures.of(found)


def image_crops(tiles: Sequence[Tile], stride_px: int = LEARNED_STRIDE_PX) -> Images:
    """Return shrunk pieces (n, 3, 64, 64) of the tiles' images."""
    return np.concatenate([_crops(shrunk(tile.image), stride_px) for tile in tiles])


def field_crops(tiles: Sequence[Tile], stride_px: int = LEARNED_STRIDE_PX) -> Images:
    """Return shrunk pieces (n, 1, 64, 64) of the tiles' fields."""
    return np.concatenate([_crops(shrunk(drawn(tile.instances)), stride_px) for tile in tiles])


def drawn(instances: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
    """Return a field as a picture (1, y, x): nuclei white, parted by their edges."""
    return ((instances > 0) & ~edges_of(instances))[None].astype(np.uint8) * 255


def shrunk(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return (c, y/4, x/4): means of 4×4 pixels; what is left over at the far edges is cut off."""
    c, y, x = (n // k for n, k in zip(picture.shape, (1, SMALLER, SMALLER), strict=True))
    blocks = picture[:, : y * SMALLER, : x * SMALLER].reshape(c, y, SMALLER, x, SMALLER)
    return blocks.mean(axis=(2, 4), dtype=np.float32).round().astype(np.uint8)


def in_parts(network: CopyNetwork, pictures: Images) -> Vectors:
    """Return unit vectors (n, length), some thousand at a time."""
    return np.concatenate([vectors(network, pictures[i : i + PART]) for i in range(0, len(pictures), PART)])


def _crops(small: Images, stride_px: int) -> Images:
    """Return pieces (n, c, 64, 64) of a shrunk tile, the last ones at its far edges."""
    starts = [sorted({*range(0, n - SIDE, stride_px // SMALLER), n - SIDE}) for n in small.shape[1:]]
    return np.stack([small[:, y : y + SIDE, x : x + SIDE] for y in starts[0] for x in starts[1]])
