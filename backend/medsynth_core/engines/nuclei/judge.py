"""What a judge sees of a tile with its instances, and what it learns from: pieces of 256², at half their resolution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from medsynth_core.engines.nuclei.batches import draw_piece
from medsynth_core.engines.nuclei.tiles import PIXELS, Tile, patches
from medsynth_core.evaluation.copies import SIDE, CopySettings
from medsynth_core.evaluation.copies_search import ALL_WAYS
from medsynth_core.evaluation.copies_tiles import LEARNED_STRIDE, SHIFTED, pieces_of, quartered
from medsynth_core.evaluation.generator import Images
from medsynth_core.evaluation.looks import Look, at_most, labels_at_most, small_of
from medsynth_core.evaluation.teaching import PLANTED, Lessons, every, lent, pairs_of

MOST_PIECES = 16
"""So many pieces of a large tile are looked at, evenly spread."""


def look_of(image: npt.NDArray[np.uint8], instances: npt.NDArray[np.integer]) -> Look:
    """Return what is seen of an image (3, y, x) with its instances (y, x), of any size; a smaller one is mirrored."""
    beyond = [(0, max(0, PIXELS - n)) for n in instances.shape]
    image, inside = np.pad(image, ((0, 0), *beyond), mode="symmetric"), np.pad(instances > 0, beyond, mode="symmetric")
    rows, columns = (sorted({*range(0, n - PIXELS, PIXELS), n - PIXELS}) for n in inside.shape)
    corners = [(y, x) for y in rows for x in columns]
    here = [(slice(y, y + PIXELS), slice(x, x + PIXELS)) for y, x in (corners[i] for i in every(len(corners), MOST_PIECES))]
    pieces = np.stack([image[:, *place] for place in here])
    nuclei = np.stack([inside[place] for place in here]).astype(np.uint8)
    return Look(at_most(pieces), labels_at_most(nuclei), small_of(pieces))


def lessons_of(training: Sequence[Tile], tuning: Sequence[Tile], seed: int) -> Lessons:
    """Return what a judge learns from. A training may have used any place of a tile, turned: so are copies looked for."""
    training, also = lent(training, tuning)
    learned, chosen_by, lent_ones = (
        tuple(look_of(patch.image, patch.instances) for tile in tiles for patch in patches(tile))
        for tiles in (training, tuning, also)
    )
    rng = np.random.default_rng(seed)
    known = _pieces(training)
    plants = np.stack([quartered(draw_piece(training, rng).image) for _ in range(PLANTED)])
    moved = CopySettings(jitter=SHIFTED)
    return Lessons(pairs_of(learned, labels=2), known, plants, learned, chosen_by, lent_ones, _pieces(also), ALL_WAYS, moved)


def _pieces(tiles: Sequence[Tile]) -> Images:
    nothing: Images = np.zeros((0, 3, SIDE, SIDE), np.uint8)
    return np.concatenate([nothing, *(pieces_of(quartered(tile.image), LEARNED_STRIDE) for tile in tiles)])
