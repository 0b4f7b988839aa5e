"""One thing a person can do, in the same words in every viewer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Deed:
    """The text of its button, and the tooltip."""

    text: str
    tip: str
