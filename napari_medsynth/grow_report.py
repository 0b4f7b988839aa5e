"""What a growth gave beside what was asked, in one line. No Qt."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from medsynth_core.lamp import Lamp
from medsynth_core.sentences import sentence

ASKED, GOT, FLAG = "asked_", "got_", "flag_"
"""How the keys of the engine's notes begin."""
FAR_SHARE, FAR_MM = 0.3, 10.0
"""From this share of the volume, or this far from the center, the tumor is not the one asked for."""
NARROW = "\N{NO-BREAK SPACE}"
TIMES = f"{NARROW}×{NARROW}"
"""A size is not broken over two lines."""


def report(recipe: Mapping[str, Any]) -> tuple[Lamp, str, str]:
    """Return lamp, line and sentence for the recipe of a finished growth."""
    asked, got, flags = (_noted(recipe, prefix) for prefix in (ASKED, GOT, FLAG))
    if not got.get("volume_ml"):
        return Lamp.AMBER, "No tumor came out: try another seed.", _long(asked, got, flags)
    parts = [f"{got['volume_ml']:.1f} ml"]
    off = _share(asked, got)
    if off is not None:
        parts[0] += f" of {asked['volume_ml']:.1f} asked"
    away = _away(asked, got)
    if away is not None:
        parts.append(f"{away:.0f} mm off")
    if size := _size(got):
        parts.append(size)
    lines = [" · ".join(parts), *(f"{sentence(flag)}." for flag in flags.values())]
    far = abs(off or 0.0) > FAR_SHARE or (away or 0.0) > FAR_MM
    return Lamp.AMBER if far or flags else Lamp.GREEN, "\n".join(lines), _long(asked, got, flags)


def _share(asked: Mapping[str, Any], got: Mapping[str, Any]) -> float | None:
    wanted = asked.get("volume_ml")
    return got["volume_ml"] / wanted - 1 if wanted else None


def _away(asked: Mapping[str, Any], got: Mapping[str, Any]) -> float | None:
    names = [f"center_{axis}_mm" for axis in "xyz"]
    if not all(name in numbers for name in names for numbers in (asked, got)):
        return None
    return math.dist([asked[name] for name in names], [got[name] for name in names])


def _size(numbers: Mapping[str, Any]) -> str:
    extents = [numbers.get(f"extent_{axis}_mm") for axis in "xyz"]
    return "" if None in extents else f"{TIMES.join(f'{extent:.0f}' for extent in extents)}{NARROW}mm"


def _long(asked: Mapping[str, Any], got: Mapping[str, Any], flags: Mapping[str, Any]) -> str:
    """Return every number that was asked for or drawn beside the one that came."""
    lines = [f"{name}: asked {_told(asked.get(name))}, got {_told(got.get(name))}" for name in dict.fromkeys([*asked, *got])]
    return "\n".join([*lines, *map(str, flags.values())])


def _told(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, (int, float)) else "–" if value is None else str(value)


def _noted(recipe: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {key.removeprefix(prefix): value for key, value in recipe.items() if key.startswith(prefix)}
