"""Tiles that are learned from in pieces: how they are cut and shrunk for the search for copies.

A piece of 256² pixels may be learned from at any place of its tile. Both are shrunk four times, so that a piece is 64² and all of
500 tiles fit into memory; the search knows a piece every 32 pixels of the tile, and finds what lies between when it aligns.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from medsynth_core.evaluation.copies import SIDE, SLIGHT
from medsynth_core.evaluation.copies_search import Picture, starts
from medsynth_core.evaluation.generator import Images

SMALLER = 4
STRIDE, LEARNED_STRIDE = 8, 32
"""In shrunk pixels: between pieces that are searched, and between those that the network learns to know again."""
SHIFTED = replace(SLIGHT, shift=0.125)
"""What the network learns to bear: half of the way to the next piece, and more."""


def quartered(picture: Picture) -> Picture:
    """Return (c, y/4, x/4): means of 4×4 pixels; what is left over at the far edges is cut off."""
    c, y, x = (n // k for n, k in zip(picture.shape, (1, SMALLER, SMALLER), strict=True))
    blocks = picture[:, : y * SMALLER, : x * SMALLER].reshape(c, y, SMALLER, x, SMALLER)
    return blocks.mean(axis=(2, 4), dtype=np.float32).round().astype(np.uint8)


def pieces_of(small: Picture, stride: int) -> Images:
    """Return the pieces (n, c, 64, 64) of a shrunk tile, the last ones at its far edges."""
    rows, columns = (starts(n, stride) for n in small.shape[1:])
    return np.stack([small[:, y : y + SIDE, x : x + SIDE] for y in rows for x in columns])
