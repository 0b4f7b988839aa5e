"""Which generator makes the synthetic pairs of a fraction, and whether it may: it must know labels of that fraction alone.

What counts is the record in its folder (training/ledger.py), not its card. Images that it learned without their masks are no
labels, so they may be of any training item, but never measured on. A model that has none, such as one trained by an
older version, is taken only where all training items may be known to it, and the report says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medsynth_core.errors import ModelError, ParameterError
from medsynth_core.models.card import read_card
from medsynth_core.protocol import ModelCard
from medsynth_core.studies.fractions import ALL_PERCENT
from medsynth_core.training.guard import check_apart
from medsynth_core.training.ledger import Ledger, Mark, read_ledger, sealed


@dataclass(frozen=True)
class Generator:
    """A model folder with its card, and what there is to say about what it has seen."""

    folder: Path
    card: ModelCard
    note: str


@dataclass(frozen=True)
class Known:
    """What a generator may be held against: marks by name of all items to learn from, of those measured on, and of those that are
    neither: the tuning side, and what is not measured on since a model has met it."""

    pool: Mapping[str, Mark]
    test: Sequence[Mark]
    spare: Sequence[Mark] = ()


def checked(folder: Path, engine: str, percent: int, items: Sequence[str], known: Known, way_out: str) -> Generator:
    """Return the generator of a fraction that holds `items`.

    Raises ParameterError for a model of another engine, ModelError for one that has learned labels of other items or of nobody
    knows which, TrainingDataError naming the test cases that it has met.
    """
    card = read_card(folder)
    if card.engine != engine:
        raise ParameterError(f"generator {folder.name} is a model of {card.engine}: this study needs one of {engine}")
    ledger = read_ledger(folder)
    if ledger is None:
        return Generator(folder, card, _unrecorded(folder, card, percent, way_out))
    if ledger.unlisted:
        raise ModelError(f"generator {folder.name} goes on from {ledger.unlisted[0]}, which has no record: {way_out}")
    check_apart(ledger, known.test)
    allowed = {sealed(known.pool[name]).pixels for name in items}
    spare = {sealed(mark).pixels for mark in known.spare} - allowed if percent == ALL_PERCENT else set()
    foreign = sum(entry.pixels not in allowed | spare for entry in ledger.training)
    if foreign:
        raise ModelError(
            f"generator {folder.name} has learned from {foreign} cases that are not among the {len(items)} of the {percent} %: "
            f"its labels would count as real ones; {way_out}"
        )
    return Generator(folder, card, _recorded(folder, ledger, percent, spare, way_out))


def training_words(data: Path, engine: str, out: Path, percent: int, options: Sequence[str]) -> list[str]:
    """Return the words of the `msynth` command that trains the generator of a fraction on its items alone."""
    words = ["train", engine, str(data), "-o", str(generator_folder(out, percent))]
    return [*words, "--items", str(items_file(out, percent)), *options]


def generator_folder(out: Path, percent: int) -> Path:
    """Return where the generator of a fraction is trained to, and looked for unless another is named."""
    return out / f"generator-{percent}"


def items_file(out: Path, percent: int) -> Path:
    """Return where the names of a fraction's items stand."""
    return out / f"items-{percent}.txt"


def _unrecorded(folder: Path, card: ModelCard, percent: int, way_out: str) -> str:
    if percent != ALL_PERCENT:
        raise ModelError(
            f"generator {folder.name} has no record of its data: it may know labels beyond the {percent} %; {way_out}"
        )
    return f"It has no record of what it learned from; its card says: {card.trained_on or 'nothing'}; split: {card.split or '–'}."


def _recorded(folder: Path, ledger: Ledger, percent: int, spare: set[str], way_out: str) -> str:
    if ledger.tuning and percent != ALL_PERCENT:
        raise ModelError(
            f"generator {folder.name} was chosen by {len(ledger.tuning)} cases that are not among the {percent} %: {way_out}"
        )
    chosen = f"; its best state was chosen by {len(ledger.tuning)} cases of the tuning side" if ledger.tuning else ""
    besides = sum(entry.pixels in spare for entry in ledger.training)
    more = f" but {besides} that no arm learns from or is measured on" if besides else ""
    bare = f"; it knows {len(ledger.images_only)} images without their masks" if ledger.images_only else ""
    return f"By its record it has learned from {len(ledger.training)} cases, all of this fraction{more}{chosen}{bare}."
