"""What an image is known by: a checksum of its pixels, a hash of its look, and a small picture to compare with others.

checksum     equal for equal decoded pixels of one shape, whatever the file format
look         64 bits that hardly change with size, compression, noise, brightness and contrast; says nothing about the picture
thumbnail    mean 0 and length 1, so that the product of two is their correlation
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.fft import dctn
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

THUMBNAIL = 24
SAME_ABOVE = 0.97
"""Correlation of thumbnails from which two images count as one scene."""
LOOK_SIDE = 32
KEPT = {2: 8, 3: 4}
"""By the number of axes: frequencies kept along each; both make 64."""
ROWS = 512


@dataclass(frozen=True, eq=False)
class Likeness:
    """What an image is known by; `checksum` is a sha256 in hexadecimal digits."""

    checksum: str
    look: int
    thumbnail: npt.NDArray[np.float32]


def checksum_of(array: npt.NDArray[np.generic]) -> str:
    """Return the sha256 of an array's shape and bytes."""
    return hashlib.sha256(f"{array.shape}".encode() + np.ascontiguousarray(array).tobytes()).hexdigest()


def likeness_of(pixels: npt.NDArray[np.generic], picture: Image.Image) -> Likeness:
    """Return what an image is known by, from its decoded pixels and the same as a picture of 8 bits."""
    grey = picture.convert("L")
    small = np.asarray(grey.resize((LOOK_SIDE, LOOK_SIDE), Image.Resampling.BOX), np.float32)
    return Likeness(checksum_of(pixels), look_of(small), thumbnail_of(grey))


def thumbnail_of(picture: Image.Image) -> npt.NDArray[np.float32]:
    """Return the small grey picture (24 · 24,) of mean 0 and length 1."""
    small = picture.convert("L").resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    pixels = np.asarray(small, dtype=np.float32).ravel()
    centered = pixels - pixels.mean()
    return centered / max(float(np.linalg.norm(centered)), 1e-6)


def look_of(small: npt.NDArray[np.float32]) -> int:
    """Return 64 bits of a small picture (y, x) or volume (z, y, x): which low frequencies lie above their median.

    Source: Zauner, Implementation and benchmarking of perceptual image hash functions (2010), section 3.2.1.
    """
    kept = KEPT[small.ndim]
    low = dctn(small.astype(np.float64))[(slice(kept),) * small.ndim].ravel()
    bits = low > np.median(low[1:])
    bits[0] = False  # the mean brightness does not count
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def alike(
    thumbnails: npt.NDArray[np.float32], above: float = SAME_ABOVE
) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float32]]]:
    """Yield (i, j, correlation) of the pairs i < j of rows that are alike, block by block: never all against all at once."""
    for start in range(0, len(thumbnails), ROWS):
        correlation = thumbnails[start : start + ROWS] @ thumbnails.T
        i, j = np.nonzero(correlation > above)
        kept = i + start < j
        yield i[kept] + start, j[kept], correlation[i[kept], j[kept]]


def leaders(thumbnails: npt.NDArray[np.float32], above: float = SAME_ABOVE) -> npt.NDArray[np.intp]:
    """Return for each row the first row it is joined with: being alike carries over."""
    count = len(thumbnails)
    leader = np.arange(count)
    for i, j, _ in alike(thumbnails, above):
        if len(i):
            links = coo_array((np.ones(len(i), np.int8), (leader[i], leader[j])), (count, count))
            _, part = connected_components(links, directed=False)
            first = np.full(part.max() + 1, count)
            np.minimum.at(first, part, np.arange(count))
            leader = first[part][leader]
    return leader
