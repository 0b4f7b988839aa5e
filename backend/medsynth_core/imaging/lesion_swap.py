"""A lesion of another mask put in the place of one of a mask's own: new combinations of shape and place that both exist.

A lesion is a piece of foreground whose pixels touch, corners counted. What is taken out becomes what borders on it most, so an
organ closes behind its lesion; what is put in has its middle where the other had its own, its size in shares of the picture.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Labels = npt.NDArray[np.integer]
Region = npt.NDArray[np.bool_]
TOUCHING = np.ones((3, 3), int)
LEAST_INSIDE = 0.7
"""Share of the pixels of the new lesion that must lie in the picture; else the mask stays as it is."""


def lesions(labels: Labels, values: tuple[int, ...] = ()) -> tuple[Region, int]:
    """Return the lesions of a mask (y, x), numbered from 1, and how many there are; `values` are theirs, none means all."""
    there = np.isin(labels, values) if values else labels != 0
    numbers, count = ndimage.label(there, TOUCHING)
    return numbers, int(count)


def swapped(labels: Labels, donor: Labels, rng: np.random.Generator, values: tuple[int, ...] = ()) -> Labels:
    """Return `labels` (y, x) with one lesion replaced by one of `donor`, in the dtype of `labels`; both drawn by `rng`.

    The mask comes back as it is where one of both has no lesion, or where the new one would leave the picture.
    """
    (own, mine), (others, theirs) = lesions(labels, values), lesions(donor, values)
    if not (mine and theirs):
        return labels.copy()
    out = own == 1 + int(rng.integers(mine))
    new = _fitted(np.where(others == 1 + int(rng.integers(theirs)), donor, 0), labels.shape)
    there = np.argwhere(new)
    if not len(there):
        return labels.copy()  # so small in the other picture that nothing of it is left in this one
    places = there + np.rint(np.argwhere(out).mean(axis=0) - there.mean(axis=0)).astype(int)
    inside = ((places >= 0) & (places < labels.shape)).all(axis=1)
    if inside.mean() < LEAST_INSIDE:
        return labels.copy()
    made = np.where(out, _around(labels, out), labels).astype(labels.dtype)
    made[tuple(places[inside].T)] = new[tuple(there[inside].T)]
    return made


def _fitted(lesion: Labels, shape: tuple[int, ...]) -> Labels:
    """Return a mask brought to another grid, without new values."""
    if lesion.shape == shape:
        return lesion
    rows, columns = ((np.arange(n) + 0.5) * old / n for n, old in zip(shape, lesion.shape, strict=True))
    return lesion[np.ix_(rows.astype(int), columns.astype(int))]


def _around(labels: Labels, region: Region) -> int:
    """Return the value that most pixels around a region have; background where it has no border."""
    ring = ndimage.binary_dilation(region, TOUCHING) & ~region
    values, counts = np.unique(labels[ring], return_counts=True)
    return int(values[counts.argmax()]) if len(values) else 0
