"""Coarse masks of a true one, as people and programs make them: what the refiner learns from decides what it can mend.

Most kinds move the zero level of the signed distance d of the true mask by a field f, as far as makes the wanted IoU:

    coarse = d + s·f > 0,   s ≥ 0 found by bisection

so that kind and severity are drawn apart. Two kinds may be stacked; one mask in eight stays as it is: do no harm.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.draw import polygon2mask
from skimage.measure import approximate_polygon, find_contours

Mask = npt.NDArray[np.bool_]
Field = npt.NDArray[np.float32]

IDENTITY_SHARE = 0.12
STACKED_SHARE = 0.3
IOU_RANGE = (0.5, 0.98)
BISECTIONS = 7


def coarsen(mask: Mask, rng: np.random.Generator, iou: float | None = None) -> Mask:
    """Return a coarse version of a mask (y, x) at about the IoU asked for; None draws it, and now and then the mask itself.

    An empty mask stays empty. Coarse masks are never empty where the mask is not.
    """
    if not mask.any() or (iou is None and rng.random() < IDENTITY_SHARE):
        return mask.copy()
    target = float(rng.uniform(*IOU_RANGE)) if iou is None else iou
    names = list(KINDS)
    kinds = rng.choice(len(names), size=2 if rng.random() < STACKED_SHARE else 1, replace=False, p=_CHANCES)
    coarse, part = mask, target ** (1 / len(kinds))
    for i in kinds:
        made = KINDS[names[i]](coarse, rng, part)
        coarse = made if made.any() else coarse
    return coarse


def signed_distance(mask: Mask) -> Field:
    """Return the distance to the boundary of a mask (y, x) in pixels, positive inside, ±0.5 at the pixels beside it."""
    if not mask.any():
        return np.full(mask.shape, -float(max(mask.shape)), np.float32)
    if mask.all():
        return np.full(mask.shape, float(max(mask.shape)), np.float32)
    inside = ndimage.distance_transform_edt(mask)
    outside = ndimage.distance_transform_edt(~mask)
    return np.where(mask, inside - 0.5, 0.5 - outside).astype(np.float32)


def overlap(a: Mask, b: Mask) -> float:
    """Return the IoU of two masks, 1 for two empty ones."""
    either = int((a | b).sum())
    return int((a & b).sum()) / either if either else 1.0


def jitter(mask: Mask, rng: np.random.Generator, iou: float) -> Mask:
    """A wavering hand: the boundary moved by smooth noise."""
    return _moved(mask, _smooth_noise(mask.shape, float(rng.uniform(1.5, 14)), rng), iou)


def grown(mask: Mask, rng: np.random.Generator, iou: float) -> Mask:
    """A careless outline: everything too large or too small."""
    sign = 1.0 if rng.random() < 0.5 else -1.0
    return _moved(mask, np.full(mask.shape, sign, np.float32), iou)


def spill(mask: Mask, rng: np.random.Generator, iou: float) -> Mask:
    """Leaks and bites: a few places of the boundary pushed far out or in."""
    edge = np.argwhere(np.abs(signed_distance(mask)) < 1)
    if not len(edge):  # the object fills the frame
        return grown(mask, rng, iou)
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]].astype(np.float32)
    f = np.zeros(mask.shape, np.float32)
    for cy, cx in edge[rng.integers(len(edge), size=rng.integers(1, 4))]:
        size = float(rng.uniform(0.04, 0.16)) * max(mask.shape)
        f += (1 if rng.random() < 0.6 else -1) * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * size**2))
    return _moved(mask, f, iou)


def displaced(mask: Mask, rng: np.random.Generator, iou: float) -> Mask:
    """The right shape at the wrong place, as after a bad registration or a mask of the neighboring slice."""
    angle = rng.uniform(0, 2 * np.pi)
    step = np.array([np.sin(angle), np.cos(angle)])
    source = mask.astype(np.float32)

    def at(s: float) -> Mask:
        return ndimage.shift(source, s * step, order=1, mode="nearest") > 0.5

    return _bisected(mask, at, iou, float(max(mask.shape)) / 3)


def polygon(mask: Mask, rng: np.random.Generator, iou: float) -> Mask:
    """Clicked corners joined by straight lines."""
    contours = find_contours(np.pad(mask, 1).astype(np.float32), 0.5)

    def at(s: float) -> Mask:
        drawn = np.zeros(mask.shape, bool)
        for contour in contours:
            corners = approximate_polygon(contour - 1, s)
            if len(corners) > 3:
                drawn ^= polygon2mask(mask.shape, corners)  # a hole's contour lies within another
        return drawn

    return _bisected(mask, at, iou, float(max(mask.shape)) / 4)


def brush(mask: Mask, rng: np.random.Generator, iou: float) -> Mask:
    """A thick round brush drawn through the object: it misses corners and passes over the rim."""
    d = signed_distance(mask)
    inner = np.argwhere(d > 0.45 * d.max())
    points = inner[rng.integers(len(inner), size=rng.integers(3, 9))].astype(np.float64)
    path = np.concatenate([np.linspace(a, b, 24) for a, b in itertools.pairwise(points)])
    rows, columns = np.clip(path.round().astype(int), 0, np.array(mask.shape) - 1).T
    missed = np.ones(mask.shape, bool)
    missed[rows, columns] = False
    distance = ndimage.distance_transform_edt(missed)
    radii = np.linspace(1.0, 2.2 * float(d.max()) + 2, 24)
    scores = [overlap(distance <= r, mask) for r in radii]
    return distance <= radii[int(np.argmin(np.abs(np.array(scores) - iou)))]


def rounded(mask: Mask, rng: np.random.Generator, iou: float) -> Mask:
    """On the way to an ellipse: the quick oval that a person draws round a lesion."""
    rows, columns = np.nonzero(mask)
    center = np.array([rows.mean(), columns.mean()])
    cov = np.cov(np.stack([rows, columns])) + np.eye(2) if len(rows) > 1 else np.eye(2)
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]].astype(np.float32)
    offset = np.stack([y - center[0], x - center[1]], axis=-1)
    radius = np.sqrt(np.einsum("yxi,ij,yxj->yx", offset, np.linalg.inv(cov), offset))
    size = float(np.sqrt(mask.sum() / np.pi))
    oval = (2.0 * float(rng.uniform(0.85, 1.25)) - radius) * size / 2
    d = signed_distance(mask)

    def at(s: float) -> Mask:
        return (1 - s) * d + s * oval > 0

    return _bisected(mask, at, iou, 1.0)


def blocky(mask: Mask, rng: np.random.Generator, iou: float) -> Mask:
    """A prediction on a coarser grid, brought up by nearest or linear interpolation."""
    order = int(rng.integers(0, 2))
    source = mask.astype(np.float32)
    best, score = mask, 2.0
    for factor in (2, 3, 4, 6, 8, 12, 16):
        small = ndimage.zoom(source, 1 / factor, order=1, grid_mode=True, mode="nearest")
        zoom = (mask.shape[0] / small.shape[0], mask.shape[1] / small.shape[1])
        big = ndimage.zoom(small, zoom, order=order, grid_mode=True, mode="nearest") > 0.5
        if big.shape == mask.shape and abs(overlap(big, mask) - iou) < score:
            best, score = big, abs(overlap(big, mask) - iou)
    return best


def thresholded(mask: Mask, rng: np.random.Generator, iou: float) -> Mask:
    """A soft mask cut at the wrong level: corners go, gaps close or thin parts break."""
    blurred = ndimage.gaussian_filter(mask.astype(np.float32), float(rng.uniform(1, 6)))
    level = 0.5 if rng.random() < 0.5 else float(rng.uniform(0.1, 0.9))
    noise = _smooth_noise(mask.shape, float(rng.uniform(2, 8)), rng)
    return _moved_field(mask, (blurred - 0.5) * 8, (0.5 - level) * 8 + 0.5 * noise, iou)


def holed(mask: Mask, rng: np.random.Generator, iou: float) -> Mask:
    """Holes in it and specks beside it, as a threshold or a weak network leaves them; the boundary wavers, too."""
    noise = _smooth_noise(mask.shape, float(rng.uniform(2, 6)), rng)
    near = np.abs(signed_distance(mask)) < 0.25 * max(mask.shape)
    share = 1 - iou
    cut = np.quantile(noise, 1 - 0.5 * share * float(rng.uniform(0.3, 1)))
    return jitter(mask ^ ((noise > cut) & near), rng, min(0.97, iou + 0.1))


def split_or_merged(mask: Mask, rng: np.random.Generator, iou: float) -> Mask:
    """Parts cut asunder by a line, or grown together across a gap."""
    if rng.random() < 0.5:
        radius = int(rng.integers(2, 8))
        joined = signed_distance(signed_distance(mask) > -radius) > radius
        return jitter(joined | mask, rng, iou)
    d, angle = signed_distance(mask), rng.uniform(0, np.pi)
    rows, columns = np.nonzero(mask)
    pick = rng.integers(len(rows))
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]].astype(np.float32)
    line = np.abs((y - rows[pick]) * np.cos(angle) - (x - columns[pick]) * np.sin(angle))
    cut = mask & (line > float(rng.uniform(0.5, max(1.0, 0.15 * float(d.max())))))
    return jitter(cut, rng, min(0.97, iou + 0.05))


Kind = Callable[[Mask, np.random.Generator, float], Mask]
KINDS: dict[str, Kind] = {
    "jitter": jitter,
    "grown": grown,
    "spill": spill,
    "displaced": displaced,
    "polygon": polygon,
    "brush": brush,
    "rounded": rounded,
    "blocky": blocky,
    "thresholded": thresholded,
    "holed": holed,
    "split or merged": split_or_merged,
}
_CHANCES = np.array([3, 1.5, 1.5, 1, 1.5, 1.5, 1, 1, 1, 1, 0.5]) / 14.5


def _moved(mask: Mask, f: Field, iou: float) -> Mask:
    return _moved_field(mask, signed_distance(mask), f, iou)


def _moved_field(mask: Mask, d: Field, f: Field, iou: float) -> Mask:
    limit = float(max(mask.shape)) / max(float(np.abs(f).max()), 1e-6) / 2
    return _bisected(mask, lambda s: d + s * f > 0, iou, limit)


def _bisected(mask: Mask, at: Callable[[float], Mask], iou: float, limit: float) -> Mask:
    """Return `at(s)` with s in (0, limit) such that its IoU with the mask is about `iou`, assuming that it falls with s."""
    low, high = 0.0, limit
    for _ in range(BISECTIONS + 3):
        middle = (low + high) / 2
        if overlap(at(middle), mask) > iou:
            low = middle
        else:
            high = middle
    return at(low)


def _smooth_noise(shape: tuple[int, ...], sigma: float, rng: np.random.Generator) -> Field:
    """Return noise of unit deviation, alike over `sigma` pixels: coarse noise brought up, which is quicker than a blur."""
    step = max(1, round(sigma))
    small = rng.standard_normal([n // step + 3 for n in shape]).astype(np.float32)
    zoomed = ndimage.zoom(small, step, order=3 if step > 1 else 0)[: shape[0], : shape[1]]
    return (zoomed / max(float(zoomed.std()), 1e-6)).astype(np.float32)
