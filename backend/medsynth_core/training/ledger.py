"""What a model has learned from: `ledger.json` in its folder, among the files with checksums on the card.

It holds no picture and no name, only what tells a known image when it is seen again (names of files may be names of people):

    {"format": 1, "label_percent": 100, "unlisted": [],
     "training": {"<group>": ["<pixels><look><name>", …]}, "tuning": {…}, "held out": {…}, "images only": {…}}

    group    8 signs: of the sha256 of "column value", such as "patient 17"; empty where nobody said whose an image is
    pixels   8 signs: of the sha256 of the decoded pixels, as `likeness.checksum_of` takes it
    look    11 signs: the 64 bits of `likeness.look_of`
    name     6 signs: of the sha256 of the case's name

Signs are base64url without padding: 8 are 48 bits, 11 are 64, 6 are 36. Training: learned from. Tuning: chosen by. Images only:
their masks were not looked at (left out where there are none). A model that goes on from a base carries the base's entries too;
`unlisted` names bases whose data no ledger lists.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from medsynth_core.errors import ModelError
from medsynth_core.models.folder import write_json
from medsynth_core.training.likeness import Likeness

FILE = "ledger.json"
FORMAT = 1
SIDES = ("training", "tuning", "held out")
IMAGES_ONLY = "images only"
GROUP_SIGNS, PIXEL_SIGNS, LOOK_SIGNS, NAME_SIGNS = 8, 8, 11, 6
ROW_SIGNS = PIXEL_SIGNS + LOOK_SIGNS + NAME_SIGNS


@dataclass(frozen=True)
class Mark:
    """What one case is known by at home, where names may be said.

    `group` is qualified, such as "patient 17"; empty where nobody said whose the case is. `checksum` is a sha256 in hexadecimal
    digits, `look` 64 bits, `mirrored` the same of the image with left and right exchanged, which no ledger needs to keep.
    """

    name: str
    group: str
    checksum: str
    look: int
    mirrored: int


@dataclass(frozen=True)
class Entry:
    """What one case is known by in a ledger: digests of its group (empty for none), pixels and name, and its look."""

    group: str
    pixels: str
    look: int
    name: str


@dataclass(frozen=True)
class Ledger:
    """What a model has learned from (`training`; `images_only` without masks), was chosen by (`tuning`), and what it held out."""

    training: tuple[Entry, ...] = ()
    tuning: tuple[Entry, ...] = ()
    held_out: tuple[Entry, ...] = ()
    label_percent: int = 100
    unlisted: tuple[str, ...] = ()
    images_only: tuple[Entry, ...] = ()

    @property
    def seen(self) -> tuple[Entry, ...]:
        """What has had a say in the weights."""
        return self.training + self.tuning + self.images_only

    @property
    def counted(self) -> str:
        """How many cases there are on each side."""
        return f"{len(self.training)} learned from, {len(self.tuning)} chosen by, {len(self.held_out)} held out"


def mark_of(name: str, group: str, likeness: Likeness) -> Mark:
    """Return what a case is known by."""
    return Mark(name, group, likeness.checksum, likeness.look, likeness.mirrored)


def sealed(mark: Mark) -> Entry:
    """Return a mark as a ledger keeps it."""
    group = _digest(mark.group, GROUP_SIGNS) if mark.group else ""
    return Entry(group, _signs(bytes.fromhex(mark.checksum), PIXEL_SIGNS), mark.look, _digest(mark.name, NAME_SIGNS))


def ledger_of(
    training: Iterable[Mark], tuning: Iterable[Mark] = (), held_out: Iterable[Mark] = (), label_percent: int = 100
) -> Ledger:
    """Return the ledger of a training on these cases."""
    learned, chosen_by, kept = (tuple(map(sealed, side)) for side in (training, tuning, held_out))
    return Ledger(learned, chosen_by, kept, label_percent)


def going_on(ledger: Ledger, base: Path) -> Ledger:
    """Return the ledger of a training that goes on from a base: what taught the base has taught the model too.

    What the base held out is not carried. A base without a ledger is named as unlisted. Raises ModelError for a damaged ledger.
    """
    older = read_ledger(base)
    if older is None:
        return replace(ledger, unlisted=(*ledger.unlisted, base.resolve().name))
    return replace(
        ledger,
        training=_once(older.training + ledger.training),
        tuning=_once(older.tuning + ledger.tuning),
        images_only=_once(older.images_only + ledger.images_only),
        unlisted=tuple(dict.fromkeys(older.unlisted + ledger.unlisted)),
    )


def begun(ledger: Ledger, folder: Path, anew: bool) -> Ledger:
    """Return the record of a training whose state lies in `folder`, and write it there before the first step is taken.

    What earlier runs of this training have learned from counts too, whatever the folder of cases holds by now; not if it starts
    `anew`. Raises ModelError for a damaged record.
    """
    older = None if anew else read_ledger(folder)
    if older is not None:
        ledger = replace(
            ledger,
            training=_once(older.training + ledger.training),
            tuning=_once(older.tuning + ledger.tuning),
            images_only=_once(older.images_only + ledger.images_only),
        )
    write_ledger(ledger, folder)
    return ledger


def write_ledger(ledger: Ledger, folder: Path) -> None:
    """Write the ledger as a part of a model folder; the card's checksums must be taken afterwards."""
    sides = zip(SIDES, (ledger.training, ledger.tuning, ledger.held_out), strict=True)
    content = {"format": FORMAT, "label_percent": ledger.label_percent, "unlisted": list(ledger.unlisted)}
    content |= {side: _by_group(entries) for side, entries in sides}
    if ledger.images_only:
        content[IMAGES_ONLY] = _by_group(ledger.images_only)
    write_json(folder / FILE, content, indent=0)


def read_ledger(folder: Path) -> Ledger | None:
    """Return the ledger of a model folder, None where it has none. Raises ModelError when it is damaged or newer."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text("utf-8"))
        if content["format"] != FORMAT:
            raise ModelError(f"{FILE} of {folder.name} has format {content['format']}, this MedSynth reads {FORMAT}: update it")
        training, tuning, held_out = (tuple(_entries(content[side])) for side in SIDES)
        percent, unlisted = int(content["label_percent"]), tuple(map(str, content["unlisted"]))
        return Ledger(training, tuning, held_out, percent, unlisted, tuple(_entries(content.get(IMAGES_ONLY, {}))))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ModelError(f"{FILE} of {folder.name} is damaged: get the model again") from None


def _once(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    return tuple(dict.fromkeys(entries))


def _by_group(entries: Iterable[Entry]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for entry in entries:
        look = _signs(entry.look.to_bytes(8, "big"), LOOK_SIGNS)
        groups.setdefault(entry.group, []).append(entry.pixels + look + entry.name)
    return groups


def _entries(groups: Mapping[str, Any]) -> Iterator[Entry]:
    for group, rows in groups.items():
        for row in rows:
            if len(row) != ROW_SIGNS or len(group) not in (0, GROUP_SIGNS):
                raise ValueError("a row of another length")
            look = row[PIXEL_SIGNS : PIXEL_SIGNS + LOOK_SIGNS]
            bits = int.from_bytes(base64.b64decode(look + "=", altchars=b"-_", validate=True), "big")
            yield Entry(group, row[:PIXEL_SIGNS], bits, row[-NAME_SIGNS:])


def _digest(text: str, signs: int) -> str:
    return _signs(hashlib.sha256(text.encode()).digest(), signs)


def _signs(content: bytes, count: int) -> str:
    return base64.urlsafe_b64encode(content).decode()[:count]
