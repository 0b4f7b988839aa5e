"""What a field of nuclei is like, in four distributions, and how far two sets of fields are apart in each.

    count          nuclei per 256² pixels, one number a field
    area           pixels, one number a nucleus
    eccentricity   of the ellipse with its second moments: 0 a disk, 1 a line
    nearest        pixels from its centroid to the nearest other one of the field
    W1(a, b)       earth mover's distance of two such distributions, in their unit        (scipy's)

Its floor is what two halves of the real fields are apart. Fields of one slide or patient are alike, so honest halves keep each
group whole; halves of single fields are nearer than two samples of the tissue ever are. Slivers of nuclei that the cut of a patch
leaves (below 12 px) are left out on all sides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from scipy.stats import wasserstein_distance
from skimage.measure import regionprops_table

from medsynth_core.errors import InputError
from medsynth_core.imaging.nuclei_maps import LEAST_AREA_PX

Values = npt.NDArray[np.float64]
FIELD_PX = 256
REPEATS = 200
"""Halvings that a floor is the mean of."""


@dataclass(frozen=True, eq=False)
class FieldFigures:
    """One field: nuclei per 256² pixels (1,), and of its nuclei (n,) area in px, eccentricity, distance to the nearest in px.

    A nucleus alone in its field has no nearest one: `nearest_px` is empty then.
    """

    count: Values
    area_px: Values
    eccentricity: Values
    nearest_px: Values


FIGURES: dict[str, tuple[str, Callable[[FieldFigures], Values]]] = {
    "count per 256²": ("nuclei", lambda f: f.count),
    "area": ("px", lambda f: f.area_px),
    "eccentricity": ("", lambda f: f.eccentricity),
    "nearest-neighbor distance": ("px", lambda f: f.nearest_px),
}
"""Name → unit and values."""


def measure(instances: npt.NDArray[np.integer]) -> FieldFigures:
    """Return the figures of an instance map (y, x), 0 = background."""
    asked = ("area", "eccentricity", "centroid")
    table = regionprops_table(instances.astype(np.int32), properties=asked)
    whole = table["area"] >= LEAST_AREA_PX
    centers = np.stack([table["centroid-0"], table["centroid-1"]], axis=1)[whole]
    count = np.array([len(centers) * FIELD_PX**2 / instances.size])
    return FieldFigures(count, table["area"][whole].astype(np.float64), table["eccentricity"][whole], _nearest(centers))


def distance(figure: str, a: Sequence[FieldFigures], b: Sequence[FieldFigures]) -> float:
    """Return W1 between two sets of fields in one of `FIGURES`; NaN where one set has not a single value."""
    first, second = (_pooled(figure, part) for part in (a, b))
    return float(wasserstein_distance(first, second)) if len(first) and len(second) else float("nan")


def split_half(figure: str, fields: Sequence[FieldFigures], groups: Sequence[str], seed: int = 0) -> float:
    """Return W1 between random halves, mean of 200 halvings that keep the fields of a group together.

    Raises InputError for fewer than two groups. Give each field a group of its own for halves of single fields.
    """
    if len(set(groups)) < 2:
        raise InputError(f"{len(fields)} fields of {len(set(groups))} group have no halves to compare: give two groups at least")
    rng = np.random.default_rng(seed)
    halvings = [halves(groups, rng) for _ in range(REPEATS)]
    return float(np.nanmean([distance(figure, _at(fields, half), _at(fields, ~half)) for half in halvings]))


def halves(groups: Sequence[str], rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Return which fields (n,) are of the first half: groups in random order, each goes where fewer fields are so far."""
    names, group_of, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    first, ahead = np.zeros(len(names), bool), 0
    for group in rng.permutation(len(names)):
        first[group] = ahead <= 0
        ahead += int(sizes[group]) if first[group] else -int(sizes[group])
    return first[group_of]


def _nearest(centers: Values) -> Values:
    if len(centers) < 2:
        return np.zeros(0)
    return np.asarray(cKDTree(centers).query(centers, k=2)[0][:, 1], np.float64)  # the nearest of all is itself


def _pooled(figure: str, fields: Sequence[FieldFigures]) -> Values:
    values = FIGURES[figure][1]
    return np.concatenate([values(field) for field in fields]) if fields else np.zeros(0)


def _at(fields: Sequence[FieldFigures], chosen: npt.NDArray[np.bool_]) -> list[FieldFigures]:
    return [field for field, is_in in zip(fields, chosen, strict=True) if is_in]
