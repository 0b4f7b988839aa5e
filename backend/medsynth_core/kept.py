"""What a refinement left as it was, because the result would have left its input: read from the notes in its recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PREFIX = "kept "
"""A note's key is this and the place, such as `kept z 3`; its value says which label."""


def kept_places(recipe: Mapping[str, Any]) -> dict[str, str]:
    """Return place → what was kept there, in the order of the recipe; empty where everything was refined."""
    return {key.removeprefix(PREFIX): str(value) for key, value in recipe.items() if key.startswith(PREFIX)}
