"""What somebody asks of a tumor, and whether it can be had: refused where none can be it, flagged where none was learned from.

Requests come in the user's world (RAS) and are answered in it; in between all is in frame mm. Which numbers go together is
decided where the open ones are drawn (`Prior.complete`); here each is looked at for itself, and the volume beside its box.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from medsynth_core.engines.tumor.consistent import FILL
from medsynth_core.engines.tumor.engine import DRAWN, GIVEN, Params
from medsynth_core.engines.tumor.prior import Prior, Range
from medsynth_core.engines.tumor.shape import Asked, Triple
from medsynth_core.engines.tumor.style import Head
from medsynth_core.errors import ParameterError

__all__ = ["Asked", "Concern", "asked_from", "check"]

Move = Callable[[Triple], Triple]

LEAST, MOST = 0.5, 1.5
"""Times the smallest and the largest that was trained: beyond that the network has nothing to go by."""
HEAD_SHARE = 0.5
"""Of the head's volume that a tumor may take up; 0.09 is the most among the LGG patients."""
AXES = ("x", "y", "z")


@dataclass(frozen=True)
class Concern:
    """A number that is allowed but was not learned from: its parameter, its value and a sentence for the user."""

    name: str
    value: float
    text: str

    @property
    def key(self) -> str:
        """The key of the note that tells it."""
        return f"flag_{self.name}"


def asked_from(params: Params, to_frame: Move) -> Asked:
    """Return what the parameters ask for, 0 being nothing; `to_frame` takes a world point to the frame, both (x, y, z) in mm.

    Raises ParameterError for a center that is named while the place is to be drawn.
    """
    center = (params.center_x_mm, params.center_y_mm, params.center_z_mm)
    if params.place == DRAWN and any(center):
        named = next(f"center_{axis}_mm is {c:g}" for axis, c in zip(AXES, center, strict=True) if c)
        raise ParameterError(f"{named} but place is {DRAWN!r}: set place to {GIVEN!r}, or leave the center at 0")
    return Asked(
        volume_ml=params.volume_ml or None,
        center_mm=to_frame(center) if params.place == GIVEN else None,
        extent_mm=(params.extent_x_mm or None, params.extent_y_mm or None, params.extent_z_mm or None),
        sphericity=params.sphericity or None,
    )


def check(asked: Asked, prior: Prior, head: Head, half_mm: Triple, to_world: Move) -> tuple[Concern, ...]:
    """Return what is allowed but beyond the training patients, as sentences with the trained range.

    `half_mm` is half of the size (x, y, z) of the volume that is made, `to_world` takes frame mm to the user's world. Raises
    ParameterError naming the parameter, its value, the rule and the way out.
    """
    if asked.center_mm is not None:
        _check_center(asked.center_mm, head, half_mm, to_world)
    for i, wanted in enumerate(asked.extent_mm):
        if wanted is not None:
            _check_extent(i, wanted, prior, head, half_mm)
    if asked.volume_ml is not None:
        _check_volume(asked.volume_ml, prior, head)
        _check_box(asked)
    return tuple(_concerns(asked, prior, head))


def _check_center(center: Triple, head: Head, half_mm: Triple, to_world: Move) -> None:
    told = f"center_mm is {_point(to_world(center))}"
    if (np.abs(center) > half_mm).any():
        raise ParameterError(f"{told}: it lies outside the volume, which is {_sides(half_mm)}; {_way_in(head, to_world)}")
    if _away(center, head) > 1:
        raise ParameterError(f"{told}: it lies outside the head, which is {_sides(head.half_mm)}; {_way_in(head, to_world)}")


def _check_extent(axis: int, wanted: float, prior: Prior, head: Head, half_mm: Triple) -> None:
    name = f"extent_{AXES[axis]}_mm"
    _check_range(name, wanted, prior.extent_mm[axis], "mm")
    for where, room in (("the volume", 2 * half_mm[axis]), ("the head", 2 * head.half_mm[axis])):
        if wanted > room:
            raise ParameterError(f"{name} is {wanted:g}: {where} measures {room:.0f} mm there; ask for less")


def _check_volume(wanted: float, prior: Prior, head: Head) -> None:
    _check_range("volume_ml", wanted, prior.volume_ml, "ml")
    room = HEAD_SHARE * 4 / 3 * np.pi * np.prod(head.half_mm) / 1e3
    if wanted > room:
        raise ParameterError(f"volume_ml is {wanted:g}: half of this head is {room:.0f} ml; ask for less")


def _check_range(name: str, wanted: float, trained: Range, unit: str) -> None:
    low, high = LEAST * trained.low, MOST * trained.high
    if not low <= wanted <= high:
        raise ParameterError(
            f"{name} is {wanted:g}: {_trained(trained, unit)}, so it must lie between {_short(low)} and {_short(high)} {unit}; "
            "ask for a number nearer to the trained ones, or 0 to have one drawn"
        )


def _check_box(asked: Asked) -> None:
    x, y, z = asked.extent_mm
    if asked.volume_ml is None or x is None or y is None or z is None:
        return
    least, most = (share * x * y * z / 1e3 for share in FILL)
    if not least <= asked.volume_ml <= most:
        raise ParameterError(
            f"volume_ml is {asked.volume_ml:g}: a tumor of {x:g} × {y:g} × {z:g} mm has {_short(least)} to {_short(most)} ml; "
            "change the volume or the extents, or leave one of them at 0"
        )


def _concerns(asked: Asked, prior: Prior, head: Head) -> Iterator[Concern]:
    trained = {"volume_ml": (prior.volume_ml, "ml"), "sphericity": (prior.sphericity, "")}
    trained |= {f"extent_{axis}_mm": (r, "mm") for axis, r in zip(AXES, prior.extent_mm, strict=True)}
    for name, value in asked.numbers().items():
        known, unit = trained[name]
        if not known.holds(value):
            yield Concern(name, value, f"{name} is {value:g}: {_trained(known, unit)}, so the tumor may come out otherwise")
    if asked.center_mm is not None and (away := _away(asked.center_mm, head)) > prior.off_center.high:
        text = (
            f"center_mm lies {away:.0%} of the way from the middle of the head to its surface: those of the training patients "
            f"lay at most {prior.off_center.high:.0%} out, so the tumor may come out otherwise"
        )
        yield Concern("center_mm", away, text)


def _away(center: Triple, head: Head) -> float:
    """Return how far out a point lies: 0 is the middle of the head, 1 its surface."""
    return float(np.linalg.norm((np.array(center) - head.center_mm) / np.array(head.half_mm)))


def _trained(trained: Range, unit: str) -> str:
    return f"the training patients had {_short(trained.low)} to {_short(trained.high)} {unit}".rstrip()


def _way_in(head: Head, to_world: Move) -> str:
    return f"choose a center nearer to the middle of the head, {_point(to_world(head.center_mm))}"


def _sides(half_mm: Triple) -> str:
    return " × ".join(f"{2 * h:.0f}" for h in half_mm) + " mm"


def _point(point: Triple) -> str:
    return "(" + ", ".join(f"{v:.4g}" for v in point) + ")"


def _short(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"
