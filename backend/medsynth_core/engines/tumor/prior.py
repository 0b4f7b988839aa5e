"""What the training patients were like: plausible tumors and heads are drawn from it, and what was asked is compared with it.

Only means, covariances and ranges are kept, no patient's row. Eight numbers describe a tumor in its head:

    log V · |x| y z of the center in half axes of the head · log of the three extents · logit of the sphericity

Left or right is a coin: tumors lie on one side, so a Gaussian of signed x would put most of them in the middle, where few are.
Linear relations such as extent over V^(1/3) are within the Gaussian's reach, so any of the eight may be asked and the rest
follows from it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from medsynth_core.engines.tumor.consistent import Candidates, Flags, Numbers, rules
from medsynth_core.engines.tumor.gaussian import Gaussian
from medsynth_core.engines.tumor.shape import Asked, Triple, TumorShape, surface_of
from medsynth_core.engines.tumor.style import LEVELS, Head, Style
from medsynth_core.errors import InputError, ModelError, ParameterError
from medsynth_core.protocol import from_json, to_json

DRAWS = 400
"""Tumors drawn at once to find one that is possible; most are, where nothing odd was asked."""
SMALLER = 4
"""Volumes from the typical to the least that are tried where no drawn tumor fits, as in a flat stack or at the head's rim."""
PLAINNESS = (0.0, 0.5, 1.0)
"""How far the open sizes are drawn towards an ellipsoid's where no drawn body is possible, as for a sphericity of 1."""
PLAIN_FILL = np.pi / 6
LEAST_REACH = 1.0
LOGIT_LIMIT = 0.999
AXES = ("x", "y", "z")


@dataclass(frozen=True)
class Range:
    """The least and the greatest of a number among the training patients."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Any) -> Range:
        """Return the range of some numbers."""
        return cls(float(np.min(values)), float(np.max(values)))

    def holds(self, value: Any) -> Any:
        """Return whether a number, or each of an array, lies within."""
        return (value >= self.low) & (value <= self.high)


@dataclass(frozen=True)
class Prior:
    """Distributions and trained ranges; volume in ml, extents (x, y, z) and slice distances in mm.

    `reach` is how far out of the head's middle a training tumor came, 1 is the surface of the head's ellipsoid; `off_center`
    the same for the centers. `stack_mm` is the mean height of a stack.
    """

    shapes: Gaussian
    styles: Gaussian
    volume_ml: Range
    extent_mm: tuple[Range, Range, Range]
    sphericity: Range
    off_center: Range
    reach: float
    style: tuple[Range, ...]
    slice_mm: Range
    slices: Range
    slice_mm_mean: float
    stack_mm: float

    @classmethod
    def fit(
        cls, shapes: Sequence[TumorShape], styles: Sequence[Style], slice_mm: Sequence[float], slices: Sequence[int]
    ) -> Prior:
        """Return what patients are like: shape, style, slice distance and number of slices of each, in one order.

        Raises InputError when there is none or the lists differ in length.
        """
        if not shapes or len({len(shapes), len(styles), len(slice_mm), len(slices)}) > 1:
            raise InputError(
                f"{len(shapes)} shapes and {len(styles)} styles: a prior needs at least one patient, and all of each"
            )
        tumors = Candidates.of(list(shapes))
        middle, half = _heads(styles)
        places = (tumors.center_mm - middle) / half
        vectors = np.array([style.vector() for style in styles], float)
        reach = [Candidates.of([s]).reach(style.head)[0] for s, style in zip(shapes, styles, strict=True)]
        extents = [Range.of(column) for column in tumors.extent_mm.T]
        return cls(
            shapes=Gaussian.fit(_features(tumors, places)),
            styles=Gaussian.fit(vectors, least_spread=0.005),
            volume_ml=Range.of(tumors.volume_ml),
            extent_mm=(extents[0], extents[1], extents[2]),
            sphericity=Range.of(tumors.sphericity),
            off_center=Range.of(np.linalg.norm(places, axis=1)),
            reach=max(LEAST_REACH, float(np.max(reach))),
            style=tuple(Range.of(column) for column in vectors.T),
            slice_mm=Range.of(slice_mm),
            slices=Range.of(slices),
            slice_mm_mean=float(np.mean(slice_mm)),
            stack_mm=float(np.mean(np.multiply(slice_mm, slices))),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the prior as plain JSON values."""
        return dict(to_json(self))

    @classmethod
    def from_json(cls, value: Any) -> Prior:
        """Return the prior of a model folder. Raises ModelError naming the key that is missing, unknown or wrong."""
        try:
            return from_json(cls, value, "prior")
        except InputError as problem:
            raise ModelError(f"the model's prior cannot be read: {problem}; install the model again") from problem

    def draw_style(self, rng: np.random.Generator) -> Style:
        """Return a plausible look of a head, each number within the trained range."""
        drawn = self.styles.draw(rng, 1)[0]
        drawn = np.clip(drawn, [r.low for r in self.style], [r.high for r in self.style])
        drawn[: len(LEVELS)] = np.maximum.accumulate(drawn[: len(LEVELS)])  # percentiles rise
        return Style.from_vector(drawn)

    def complete(self, asked: Asked, head: Head, rng: np.random.Generator, half_mm: Triple | None = None) -> TumorShape:
        """Return a tumor with all that was asked, exactly; the rest is drawn to go with it.

        `half_mm`: half of the size (x, y, z) of the volume to be made, in which the tumor must lie; None: anywhere in the head.
        Of the possible tumors the first with most numbers in the trained range is taken. Where none is possible, plainer and
        then smaller ones are tried, as far as what was asked leaves that open. Raises ParameterError when none is possible.
        """
        blamed = ""
        for tried, plainness in self._attempts(asked):
            drawn = _plainer(self._candidates(tried, head, rng), tried, plainness)
            kept = rules(drawn, head, self.reach, half_mm)
            possible = np.logical_and.reduce(list(kept.values()))
            if possible.any():
                return self._first(drawn, possible, head)
            blamed = blamed or min(kept, key=lambda rule: int(kept[rule].sum()))
        raise ParameterError(_conflict(asked, blamed))

    def figures(self) -> dict[str, float]:
        """Return the trained ranges, and the typical head and stack, by name: what a model's card tells a viewer."""
        ranges = {"volume_ml": self.volume_ml, "sphericity": self.sphericity, "slice_mm": self.slice_mm, "slices": self.slices}
        ranges |= {f"extent_{axis}_mm": r for axis, r in zip(AXES, self.extent_mm, strict=True)}
        found = {f"{name}_{end}": getattr(r, word) for name, r in ranges.items() for end, word in _ENDS}
        found |= {"slice_mm": self.slice_mm_mean, "stack_mm": self.stack_mm, "volume_ml": float(np.exp(self.shapes.mean[0]))}
        head = Style.from_vector(self.styles.mean).head
        for i, axis in enumerate(AXES):
            found[f"extent_{axis}_mm"] = float(np.exp(self.shapes.mean[4 + i]))
            found[f"head_center_{axis}_mm"], found[f"head_half_{axis}_mm"] = head.center_mm[i], head.half_mm[i]
        return {name: float(f"{value:.4g}") for name, value in sorted(found.items())}

    def _attempts(self, asked: Asked) -> Iterator[tuple[Asked, float]]:
        """Give what to look for, and how plain its body: as asked, then plainer, then with smaller and smaller volumes."""
        smaller = np.geomspace(np.exp(self.shapes.mean[0]), self.volume_ml.low, SMALLER).tolist()
        for volume_ml in [None, *smaller] if asked.volume_ml is None else [asked.volume_ml]:
            yield from ((dataclasses.replace(asked, volume_ml=volume_ml), plainness) for plainness in PLAINNESS)

    def _first(self, drawn: Candidates, possible: Flags, head: Head) -> TumorShape:
        """Return the first possible candidate among those with most numbers in the trained range."""
        pick = int(np.argmax(np.where(possible, self._typical(drawn, head), -1)))
        volume, sphericity = float(drawn.volume_ml[pick]), float(drawn.sphericity[pick])
        center, extent = _triple(drawn.center_mm[pick]), _triple(drawn.extent_mm[pick])
        return TumorShape(volume, surface_of(volume, sphericity), sphericity, center, extent)

    def _candidates(self, asked: Asked, head: Head, rng: np.random.Generator) -> Candidates:
        """Return `DRAWS` tumors that have what was asked, to the last bit."""
        rows = self.shapes.draw(rng, DRAWS, _known(asked, head))
        sides = rng.choice((-1.0, 1.0), DRAWS)
        places = np.column_stack([np.abs(rows[:, 1]) * sides, rows[:, 2:4]])
        volume, extent = np.exp(rows[:, 0]), np.exp(rows[:, 4:7])
        center = np.array(head.center_mm) + places * np.array(head.half_mm)
        sphericity = 1 / (1 + np.exp(-rows[:, 7]))
        if asked.volume_ml is not None:
            volume[:] = asked.volume_ml
        if asked.center_mm is not None:
            center[:] = asked.center_mm
        if asked.sphericity is not None:
            sphericity[:] = asked.sphericity
        for i, wanted in enumerate(asked.extent_mm):
            if wanted is not None:
                extent[:, i] = wanted
        return Candidates(volume, center, extent, sphericity)

    def _typical(self, drawn: Candidates, head: Head) -> Numbers:
        """Return how many numbers of each candidate lie in their trained range."""
        away = np.linalg.norm((drawn.center_mm - head.center_mm) / np.array(head.half_mm), axis=1)
        checks = [self.volume_ml.holds(drawn.volume_ml), self.sphericity.holds(drawn.sphericity), self.off_center.holds(away)]
        checks += [r.holds(drawn.extent_mm[:, i]) for i, r in enumerate(self.extent_mm)]
        return np.sum(checks, axis=0)


_ENDS = (("min", "low"), ("max", "high"))
_REASONS = {
    "box": "the box of the extents must hold the volume, and a tumor fills 10 to 85 % of it",
    "round": "the sphericity is more than a body of these extents and this volume can have",
    "head": "the tumor must lie within the head, and is too large for its place",
    "frame": "the tumor must lie within the volume that is made",
}


def _features(tumors: Candidates, places: Numbers) -> Numbers:
    """Return the eight numbers (n, 8) of tumors whose centers are at `places` (n, 3) in half axes of the head."""
    sphericity = np.minimum(tumors.sphericity, LOGIT_LIMIT)
    folded = np.column_stack([np.abs(places[:, 0]), places[:, 1:]])
    logs = np.log(tumors.volume_ml), np.log(tumors.extent_mm)
    return np.column_stack([logs[0], folded, logs[1], np.log(sphericity / (1 - sphericity))])


def _plainer(c: Candidates, asked: Asked, share: float) -> Candidates:
    """Return candidates whose open sizes are drawn towards an ellipsoid of their volume with the extents asked for."""
    free = [i for i in range(3) if asked.extent_mm[i] is None]
    if not free:
        plain = PLAIN_FILL * c.extent_mm.prod(axis=1) / 1e3
        volume = c.volume_ml if asked.volume_ml is not None else c.volume_ml ** (1 - share) * plain**share
        return dataclasses.replace(c, volume_ml=volume)
    extent = c.extent_mm.copy()
    others = extent.prod(axis=1) / extent[:, free].prod(axis=1)
    side = (c.volume_ml * 1e3 / PLAIN_FILL / others) ** (1 / len(free))
    extent[:, free] = extent[:, free] ** (1 - share) * side[:, None] ** share
    return dataclasses.replace(c, extent_mm=extent)


def _known(asked: Asked, head: Head) -> dict[int, float]:
    """Return the features that are asked, by their place."""
    known: dict[int, float] = {}
    if asked.volume_ml is not None:
        known[0] = float(np.log(asked.volume_ml))
    if asked.center_mm is not None:
        x, y, z = (np.array(asked.center_mm) - head.center_mm) / np.array(head.half_mm)
        known |= {1: abs(float(x)), 2: float(y), 3: float(z)}
    known |= {4 + i: float(np.log(wanted)) for i, wanted in enumerate(asked.extent_mm) if wanted is not None}
    if asked.sphericity is not None:
        sphericity = min(asked.sphericity, LOGIT_LIMIT)
        known[7] = float(np.log(sphericity / (1 - sphericity)))
    return known


def _conflict(asked: Asked, rule: str) -> str:
    listed = [f"{name} {value:g}" for name, value in asked.numbers().items()]
    listed += ["the center asked for"] if asked.center_mm is not None else []
    if not listed:
        return f"no tumor of the trained sizes is possible here: {_REASONS[rule]}; make the volume larger"
    way_out = "leave one of these open or change it" if len(listed) > 1 else "leave it open or change it"
    return f"no tumor is possible with {', '.join(listed)}: {_REASONS[rule]}; {way_out}"


def _heads(styles: Sequence[Style]) -> tuple[Numbers, Numbers]:
    return np.array([s.head.center_mm for s in styles]), np.array([s.head.half_mm for s in styles])


def _triple(values: Numbers) -> Triple:
    x, y, z = (float(v) for v in values)
    return x, y, z
