"""Refuses to call a figure honest whose test cases the model has met: by their pixels, by whose they are, by their look."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from medsynth_core.errors import TrainingDataError
from medsynth_core.protocol_training import Defect, Finding
from medsynth_core.training.findings import counted, named, warns
from medsynth_core.training.ledger import Entry, Ledger, Mark, ledger_of, read_ledger, sealed
from medsynth_core.training.sides import CaseT

LOOKS_ALIKE_BITS = 4
"""Bits of 64 in which two looks may differ and still be one scene.

On PolypGen, 17 of 637 000 pairs of frames are as close, 16 of them of one scene; on BRISC, 114 of 1 120 000 pairs of slices. Of
changed copies 85 % are: nearly all that were compressed, halved, lit otherwise or made noisy, fewer that were turned by 2° or
cropped by 2 % on each side. Mirrored, too: of BRISC's 153 mirror images all are, and 92 other pairs, most of them of one head.
"""
ROWS = 256


def check_apart(ledger: Ledger, tested: Iterable[Mark], what: str = "the test set") -> None:
    """Raise TrainingDataError naming every test case that the model has learned from or was chosen by, and how it is known.

    What its own split held out may be tested on, also where it looks like a case learned from: the split compared them on more
    than 64 bits. `tested` are the cases with their groups as the ledger has them ("patient 17").
    """
    cases = tuple(tested)
    offenders = tuple(f"{mark.name}: {how}" for mark, how, _ in _met(ledger, cases))
    if offenders:
        raise TrainingDataError(
            f"{len(offenders)} of {len(cases)} cases of {what} are known to the model: leave them out (--exclude NAME), test on "
            "cases that it held out, or train it again without them",
            tuple(offenders),
        )


def check_split(learned: Iterable[Mark], tested: Iterable[Mark]) -> None:
    """Raise TrainingDataError naming every test case that is among those learned from too: two folders, or two sides of one."""
    known, cases = tuple(learned), tuple(tested)
    met = _met(ledger_of(known), cases)
    offenders = tuple(f"{mark.name}: {how} ({known[row].name})" for mark, how, row in met)
    if offenders:
        raise TrainingDataError(
            f"{len(offenders)} of {len(cases)} test cases are also among those to learn from: leave them out on one side "
            "(--exclude NAME), or name patients with --metadata and --group-by so that whole patients stay on one side",
            offenders,
        )


def unmet(ledger: Ledger, cases: Sequence[CaseT], marks: Sequence[Mark], group_of: Callable[[CaseT], str]) -> tuple[CaseT, ...]:
    """Return the cases of groups of which the model has met none: who knows one slice of a head has as good as met the others."""
    known = known_cases(ledger, marks)
    met = {group_of(case) for case, mark in zip(cases, marks, strict=True) if mark.name in known}
    return tuple(case for case in cases if group_of(case) not in met)


def known_cases(ledger: Ledger, tested: Iterable[Mark]) -> frozenset[str]:
    """Return the names of the cases that the model has met, for who leaves them out instead of being refused."""
    return frozenset(mark.name for mark, _, _ in _met(ledger, tuple(tested)))


def met_by_base(base: Path | None, held_out: Iterable[Mark]) -> Iterator[Finding]:
    """Yield that a base, None for none, has learned from cases which are held out here. Raises ModelError for a damaged one."""
    ledger = None if base is None else read_ledger(base)
    if ledger is not None and (met := sorted(known_cases(ledger, held_out))):
        says = f"{counted(len(met), 'held-out case')} taught the base model: {named(met)}; figures on them would flatter"
        yield warns(Defect.LEAKAGE, met, says, "Choose another base, or exclude the cases.")


def _met(ledger: Ledger, tested: Sequence[Mark]) -> Iterator[tuple[Mark, str, int]]:
    """Yield (test case, how it is known, row of what was seen), each test case once."""
    seen, held_out = ledger.seen, {entry.pixels for entry in ledger.held_out}
    if not seen:
        return
    pixels, groups = _rows(seen, lambda entry: entry.pixels), _rows(seen, lambda entry: entry.group)
    looks = [entry.look for entry in seen]
    as_is, turned = (_nearest(ours, looks) for ours in ([mark.look for mark in tested], [mark.mirrored for mark in tested]))
    for mark, (near, bits), (near_turned, bits_turned) in zip(tested, as_is, turned, strict=True):
        entry = sealed(mark)
        if entry.pixels in pixels:
            yield mark, "the same pixels were learned from", pixels[entry.pixels]
        elif entry.group and entry.group in groups:
            yield mark, f"others of {mark.group} were learned from", groups[entry.group]
        elif entry.pixels in held_out:
            continue
        elif bits <= min(bits_turned, LOOKS_ALIKE_BITS):
            yield mark, f"an image of the same look was learned from ({bits} of 64 bits differ)", near
        elif bits_turned <= LOOKS_ALIKE_BITS:
            yield mark, f"its mirror image was learned from, by its look ({bits_turned} of 64 bits differ)", near_turned


def _rows(seen: Sequence[Entry], key: Callable[[Entry], str]) -> dict[str, int]:
    rows: dict[str, int] = {}
    for row, entry in enumerate(seen):
        rows.setdefault(key(entry), row)
    return rows


def _nearest(looks: Sequence[int], known: Sequence[int]) -> list[tuple[int, int]]:
    """Return for each look the row of the known one that differs least, and in how many bits; block by block."""
    ours, theirs = (_bits(part) for part in (looks, known))
    nearest, bits = np.zeros(len(ours), np.intp), np.full(len(ours), 64, np.intp)
    for start in range(0, len(ours), ROWS):
        part = ours[start : start + ROWS]
        differing = part.sum(axis=1)[:, None] + theirs.sum(axis=1)[None] - 2 * part @ theirs.T
        rows = differing.argmin(axis=1)
        nearest[start : start + ROWS] = rows
        bits[start : start + ROWS] = np.rint(differing[np.arange(len(part)), rows])
    return list(zip(nearest.tolist(), bits.tolist(), strict=True))


def _bits(looks: Sequence[int]) -> npt.NDArray[np.float32]:
    words = np.array(looks, np.uint64).byteswap().view(np.uint8).reshape(-1, 8)
    return np.unpackbits(words, axis=1).astype(np.float32)
