"""What the segmenters of the downstream study learn from: real items, classic augmentation, synthetic pairs, and how many.

real      the real items as they are          classic   with classic augmentation
x0.5 x1 x2   and so many synthetic pairs for each real item besides, both augmented
only      synthetic pairs alone, two for each real item, augmented

Where synthetic pairs outnumber the real items, these are drawn more often, so that a batch is half real: what is known to be true
is not crowded out, and an arm with more pairs differs from x1 in their variety alone.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from medsynth_core.errors import ParameterError

_TIMES = re.compile(r"x(\d+(?:\.\d+)?)")
MOST_TIMES = 20.0


@dataclass(frozen=True)
class Arm:
    """One arm: with the real items or not, with classic augmentation or not, and synthetic pairs for each real item."""

    key: str
    real: bool
    classic: bool
    times: float = 0.0

    @property
    def title(self) -> str:
        """As the tables call it."""
        made = f"synthetic ×{self.times:g}"
        if not self.real:
            return f"{made} only"
        return " + ".join(["real", *["classic"] * self.classic, *[made] * bool(self.times)])

    @property
    def repeats(self) -> int:
        """How often each real item stands among what is drawn from, so that half of it is real."""
        return max(1, round(self.times)) if self.real else 1

    def made(self, real: int) -> int:
        """Return how many synthetic pairs it takes beside `real` items; at least one where it takes any."""
        return max(1, math.ceil(self.times * real)) if self.times else 0


REAL, CLASSIC = Arm("real", True, False), Arm("classic", True, True)
ONLY = Arm("only", False, True, 2.0)
ARMS = (REAL, CLASSIC, Arm("x0.5", True, True, 0.5), Arm("x1", True, True, 1.0), Arm("x2", True, True, 2.0), ONLY)
"""Those of the protocol."""


def arm_of(key: str) -> Arm:
    """Return the arm of a key: real, classic, only, or x and a number such as x0.5. Raises ParameterError for another."""
    if there := [arm for arm in ARMS if arm.key == key]:
        return there[0]
    found = _TIMES.fullmatch(key)
    if found is None or not 0 < float(found.group(1)) <= MOST_TIMES:
        known = ", ".join(arm.key for arm in ARMS)
        raise ParameterError(f"arm is {key!r}: it must be one of {known}, or x and a number up to {MOST_TIMES:g}")
    return Arm(key, True, True, float(found.group(1)))
