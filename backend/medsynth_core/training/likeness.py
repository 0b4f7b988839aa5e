"""What an image is known by: a checksum of its pixels, a hash of its look, and a small picture to compare with others.

checksum     equal for equal decoded pixels of one shape, whatever the file format
look         64 bits that hardly change with size, compression, noise, brightness and contrast; says nothing about the picture
mirrored     the look of the image with left and right exchanged
thumbnail    mean 0 and length 1, so that the product of two is their correlation

Images are compared as they are and with left and right exchanged, as exports in the two conventions of radiology are: of 1499
slices of BRISC 153 are another one mirrored. In the six other ways to turn or mirror a square, no two images of seven public sets
are alike, so these are not tried.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.fft import dctn
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

THUMBNAIL = 24
SAME_ABOVE = 0.97
"""Correlation of thumbnails from which two images count as one scene, mirrored or not.

Of BRISC, 85 pairs of slices are above it as they are and 228 mirrored, most of these one head, too. No chain of them holds more
than eight slices.
"""
MIRROR_IMAGE_ABOVE = 0.995
"""Correlation from which two images are one, mirrored: of BRISC, 153 pairs are above 0.9996, all others below 0.9895."""
LOOK_SIDE = 32
KEPT = {2: 8, 3: 4}
"""By the number of axes: frequencies kept along each; both make 64."""
ROWS, ROUNDING = 512, 1e-4

Thumbnails = npt.NDArray[np.float32]
"""Rows of mean 0 and length 1."""
PairsAlike = Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float32]]]
Way = Callable[[Thumbnails, float], PairsAlike]


@dataclass(frozen=True, eq=False)
class Likeness:
    """What an image is known by; `checksum` is a sha256 in hexadecimal digits, `look` and `mirrored` are 64 bits."""

    checksum: str
    look: int
    mirrored: int
    thumbnail: npt.NDArray[np.float32]


def checksum_of(array: npt.NDArray[np.generic]) -> str:
    """Return the sha256 of an array's shape and bytes."""
    return hashlib.sha256(f"{array.shape}".encode() + np.ascontiguousarray(array).tobytes()).hexdigest()


def likeness_of(pixels: npt.NDArray[np.generic], picture: Image.Image) -> Likeness:
    """Return what an image is known by, from its decoded pixels and the same as a picture of 8 bits."""
    grey = picture.convert("L")
    small = np.asarray(grey.resize((LOOK_SIDE, LOOK_SIDE), Image.Resampling.BOX), np.float32)
    return Likeness(checksum_of(pixels), look_of(small), look_of(small[:, ::-1]), thumbnail_of(grey))


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


def alike(thumbnails: Thumbnails, above: float = SAME_ABOVE) -> PairsAlike:
    """Yield (i, j, correlation) of the pairs i < j of rows that are alike, block by block: never all against all at once."""
    yield from _alike(thumbnails, above, lambda rows: rows)


def alike_mirrored(thumbnails: Thumbnails, above: float = SAME_ABOVE) -> PairsAlike:
    """Yield (i, j, correlation) of the pairs i < j of rows that are alike when one is mirrored, and less so as they are."""
    for i, j, correlation in _alike(thumbnails, above, mirrored):
        more = correlation > np.einsum("nk,nk->n", thumbnails[i], thumbnails[j]) + ROUNDING
        yield i[more], j[more], correlation[more]


def mirrored(thumbnails: Thumbnails) -> Thumbnails:
    """Return thumbnails of images, or of volumes, with left and right exchanged: both have 24 values along x, the last axis."""
    return thumbnails.reshape(len(thumbnails), -1, THUMBNAIL)[:, :, ::-1].reshape(thumbnails.shape)


def leaders(
    thumbnails: Thumbnails, above: float = SAME_ABOVE, ways: Sequence[Way] = (alike, alike_mirrored)
) -> npt.NDArray[np.intp]:
    """Return for each row the first row it is joined with: being alike in one of the `ways` carries over."""
    count = len(thumbnails)
    leader = np.arange(count)
    for i, j, _ in chain.from_iterable(way(thumbnails, above) for way in ways):
        if len(i):
            links = coo_array((np.ones(len(i), np.int8), (leader[i], leader[j])), (count, count))
            _, part = connected_components(links, directed=False)
            first = np.full(part.max() + 1, count)
            np.minimum.at(first, part, np.arange(count))
            leader = first[part][leader]
    return leader


def _alike(thumbnails: Thumbnails, above: float, turned: Callable[[Thumbnails], Thumbnails]) -> PairsAlike:
    for start in range(0, len(thumbnails), ROWS):
        correlation = turned(thumbnails[start : start + ROWS]) @ thumbnails.T
        i, j = np.nonzero(correlation > above)
        kept = i + start < j
        yield i[kept] + start, j[kept], correlation[i[kept], j[kept]]
