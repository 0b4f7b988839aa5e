"""The card of a model folder, `card.json`."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

from medsynth_core.errors import InputError, ModelError, ModelTooNewError
from medsynth_core.protocol import ModelCard, from_json, to_json

FORMAT_VERSION = 1


def read_card(folder: Path) -> ModelCard:
    """Return the card. Raises ModelTooNewError for a newer format, ModelError if there is none or it cannot be read."""
    path = folder / "card.json"
    if not path.is_file():
        raise ModelError(f"{folder.name} is not a model folder: it has no card.json")
    try:
        fields = json.loads(path.read_text("utf-8"))
        version = fields.get("format_version", 0)
    except (ValueError, AttributeError):
        raise ModelError(f"the card of {folder.name} is damaged: it is not a JSON object; get the model again") from None
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise ModelTooNewError(
            f"model {folder.name} has format {version}, this MedSynth reads up to {FORMAT_VERSION}: update MedSynth"
        )
    try:
        return from_json(ModelCard, fields, "card")
    except InputError as problem:
        raise ModelError(f"the card of {folder.name} cannot be read: {problem}") from None


def write_card(folder: Path, card: ModelCard) -> None:
    """Write the card, whole or not at all."""
    partial = folder / "card.json.partial"
    partial.write_text(json.dumps(to_json(card), indent=2, ensure_ascii=False) + "\n", "utf-8")
    os.replace(partial, folder / "card.json")


def derived(card: ModelCard, base: ModelCard) -> ModelCard:
    """Return the card of a model whose training goes on from `base`: its steps and its terms are the new model's, too."""
    notes = f"{card.notes} Weights derived from {base.id} ({base.license}): its terms apply too."
    return replace(card, notes=notes, steps=base.steps, commercial_use=card.commercial_use and base.commercial_use)
