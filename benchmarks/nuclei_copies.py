"""Row 4: is a made pair a copy of a piece of a training tile? Image and field are each looked for.

A piece may be learned from at any place of its tile and in all eight orientations (mirrored, turned by quarters), so that is how
it is looked for: pieces every 32 pixels, and each made tile is shown in eight orientations. Real held-out patches get the same
chances. Planted copies, training pieces from anywhere, turned, restained and slightly warped, say what share is found.

Pictures are shrunk to 64² at once: the search sees no more, and all pieces of 500 tiles fit into memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.verdicts import Row, at_most
from medsynth_core.engines.nuclei.batches import draw_piece
from medsynth_core.engines.nuclei.stain import restained, varied
from medsynth_core.engines.nuclei.tiles import Tile
from medsynth_core.evaluation.copies import CopyCheck, CopyNetwork
from medsynth_core.evaluation.copies_search import ALL_WAYS, Library, check_copies
from medsynth_core.evaluation.copies_tiles import LEARNED_STRIDE, STRIDE, pieces_of
from medsynth_core.evaluation.copies_tiles import quartered as shrunk
from medsynth_core.evaluation.generator import Images
from medsynth_core.evaluation.planting import warped
from medsynth_core.imaging.nuclei_maps import edges_of

ABOVE_REAL_PERCENT = 1.0


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
    """All pieces that a generator could learn from."""

    images: Library
    fields: Library

    @classmethod
    def of(cls, knowing: Knowing, tiles: Sequence[Tile]) -> Learned:
        """Return those of the pieces of tiles, cut every 32 pixels."""
        return cls(
            Library(knowing.images, [shrunk(tile.image) for tile in tiles], STRIDE, ALL_WAYS),
            Library(knowing.fields, [shrunk(drawn(tile.instances)) for tile in tiles], STRIDE, ALL_WAYS),
        )


def copy_rows(learned: Learned, made: Pictures, held_out: Pictures, planted: Pictures, who: str) -> list[Row]:
    """Row 4 for one generator: the share of images and of fields more like a training piece than real held-out ones are."""
    rows = []
    for what in ("images", "fields"):
        library, real = getattr(learned, what), getattr(held_out, what)
        found = check_copies(library, np.concatenate([getattr(made, what), getattr(planted, what)]), real)
        count = len(getattr(made, what))
        rows.append(_row(f"copies{who}: {what} flagged", found, count, len(real), len(library.pieces)))
    return rows


def _row(what: str, found: CopyCheck, made: int, real: int, pieces: int) -> Row:
    """Return the row of a check of the first `made` samples; those after them are planted."""
    rate, likeness = 100 * found.held_out_share, found.nearest.likeness[:made]
    note = f"of {made} made; real held-out {rate:.1f} % of {real}; {pieces} training pieces in 8 orientations; "
    note += f"threshold {found.threshold:.3f}, most alike {likeness.max():.3f}, median {np.median(likeness):.3f}; "
    note += f"of {len(found.flags) - made} planted copies found {100 * found.flags[made:].mean():.0f} %"
    return at_most(4, what, 100 * found.flags[:made].mean(), round(rate + ABOVE_REAL_PERCENT, 1), "%", note)


def planted_copies(tiles: Sequence[Tile], count: int, seed: int = 0) -> Pictures:
    """Return pieces of training tiles from anywhere, in any orientation and another stain, each side slightly warped."""
    rng = np.random.default_rng(seed)
    images, fields = [], []
    for _ in range(count):
        piece = draw_piece(tiles, rng)
        images.append(shrunk(warped(restained(piece.image, piece.stain, varied(piece.stain, rng)), rng)))
        fields.append(shrunk(warped(drawn(piece.instances), rng)))
    return Pictures(np.stack(images), np.stack(fields))


def image_crops(tiles: Sequence[Tile], stride: int = LEARNED_STRIDE) -> Images:
    """Return shrunk pieces (n, 3, 64, 64) of the tiles' images."""
    return np.concatenate([pieces_of(shrunk(tile.image), stride) for tile in tiles])


def field_crops(tiles: Sequence[Tile], stride: int = LEARNED_STRIDE) -> Images:
    """Return shrunk pieces (n, 1, 64, 64) of the tiles' fields."""
    return np.concatenate([pieces_of(shrunk(drawn(tile.instances)), stride) for tile in tiles])


def drawn(instances: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
    """Return a field as a picture (1, y, x): nuclei white, parted by their edges."""
    return ((instances > 0) & ~edges_of(instances))[None].astype(np.uint8) * 255
