"""Which models there are: those that ship in `starter/`, then those the user trained or added."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from medsynth_core.errors import InputError, ModelError, ModelNotFoundError, StorageFullError
from medsynth_core.models.card import read_card
from medsynth_core.models.folder import fingerprint, verify
from medsynth_core.places import models_folder
from medsynth_core.protocol import ModelCard, ModelInfo

STARTER = Path(__file__).parent.parent / "starter"
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,63}")


def list_models() -> tuple[ModelInfo, ...]:
    """Return every model folder, usable or not: one that cannot be used says why. A user's model hides a starter of its name."""
    folders = {folder.name: folder for root in (STARTER, models_folder()) for folder in _folders(root)}
    return tuple(_describe(folder) for _, folder in sorted(folders.items()))


def find(name: str) -> Path:
    """Return the folder of a model. Raises ModelNotFoundError listing what there is."""
    for root in (models_folder(), STARTER):
        for folder in _folders(root):
            if folder.name == name:
                return folder
    there = ", ".join(info.id for info in list_models()) or "none"
    raise ModelNotFoundError(f"model is {name!r}: it must be one of {there}; add one with msynth models add FOLDER")


def add(folder: Path) -> ModelCard:
    """Copy the files of a verified model folder to the user's models, under the id on its card, and return the card.

    Raises InputError, ModelError, or StorageFullError when they could not be copied; then nothing is left behind.
    """
    if not folder.is_dir():
        raise InputError(f"{folder.name} is not a folder: give a model folder with a card.json")
    card = verify(folder)
    if not is_plain_name(card.id):
        raise ModelError(f"the card's id is {card.id!r}: it must be a plain name of letters, digits, dots, - and _")
    target = models_folder() / card.id
    if target.exists():
        raise ModelError(f"a model {card.id} is there already: remove it first, or give the new one another id")
    partial = target.with_name(f".{card.id}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _copy(folder, partial, ("card.json", *card.sha256))
        partial.rename(target)
    except OSError as problem:
        shutil.rmtree(partial, ignore_errors=True)
        raise StorageFullError(
            f"model {card.id} could not be copied: {problem.strerror}; free some space and try again"
        ) from None
    return card


def install(folder: Path) -> ModelCard:
    """Do as `add` does, and nothing when this very model is there already: a caller that was cut short may ask again."""
    card = read_card(folder)
    target = models_folder() / card.id
    if target.is_dir() and fingerprint(read_card(target)) == fingerprint(card):
        return card
    return add(folder)


def is_plain_name(text: str) -> bool:
    """Return whether a text may be the id of a model, and so the name of its folder."""
    return _PLAIN_NAME.fullmatch(text) is not None


def _copy(folder: Path, target: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, target / name)


def _folders(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    return [f for f in sorted(root.iterdir()) if f.is_dir() and not f.name.startswith((".", "_"))]


def _describe(folder: Path) -> ModelInfo:
    try:
        card = read_card(folder)
    except ModelError as problem:
        return ModelInfo(folder.name, "", problem=str(problem))
    return ModelInfo(folder.name, card.engine, card)
