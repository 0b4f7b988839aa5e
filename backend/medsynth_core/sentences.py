"""How an error's text is shown to a person: as a sentence."""

from __future__ import annotations


def sentence(text: object) -> str:
    """Return a text, or what an error says, with a capital first letter."""
    said = str(text)
    return f"{said[:1].upper()}{said[1:]}"
