"""A folder of pairs looked at as a whole: what stops a training, what may spoil it, the sides of the split, and the ledger.

The doctor reports what is found here and the training refuses by it, so both say the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from medsynth_core.formats import read
from medsynth_core.models.card import read_card
from medsynth_core.protocol_training import Facts, Finding
from medsynth_core.training import pair_doctor
from medsynth_core.training.findings import concerning, most_common, refuse, worst_first
from medsynth_core.training.guard import met_by_base
from medsynth_core.training.labels import HIGHEST, vocabulary_of
from medsynth_core.training.ledger import Ledger, Mark, going_on, ledger_of, mark_of
from medsynth_core.training.likeness import leaders, likeness_of
from medsynth_core.training.order import TrainingOrder
from medsynth_core.training.pair_looks import FaultOf, PairLook, look_at_all
from medsynth_core.training.pairs import Columns, Pair, as_picture, fault_of, list_pairs
from medsynth_core.training.sides import Sides, parted


@dataclass(frozen=True)
class PairRules:
    """What an engine asks of its pairs: folders of masks, what stops a training on one pair, and up to where masks hold label
    numbers; 0 where they hold one number an object."""

    mask_folders: tuple[str, ...] = ("masks",)
    fault_of: FaultOf = fault_of
    highest_label: int = HIGHEST


LABELED, ANY_LABEL = PairRules(), PairRules(highest_label=255)


@dataclass(frozen=True, eq=False)
class PairSurvey:
    """The pairs as a training takes them, no image twice, and all that was found. `looks` are of the sound pairs, by name."""

    name: str
    sides: Sides[Pair]
    looks: dict[str, PairLook]
    findings: tuple[Finding, ...]
    places: dict[str, tuple[Path | None, Path | None]]
    column: str

    def admit(self, items: Sequence[str] = (), recipe_drops: bool = False) -> PairSurvey:
        """Return itself. Raises TrainingDataError with all that stops the training.

        With `items`, only what these cases have counts; `recipe_drops`: what sound pairs have, such as a duplicate, does not.
        """
        drop = set(self.looks) if recipe_drops else set()
        findings = concerning(self.findings, items)
        refuse(self.name, (finding for finding in findings if not (finding.cases and set(finding.cases) <= drop)))
        return self

    def ledger(self, sides: Sides[Pair], base: Path | None = None, label_percent: int = 100) -> Ledger:
        """Return the record of a training on these sides of the folder, which goes on from `base`. Raises ModelError."""
        return _ledger(sides, self.marks, base, label_percent)

    def marks(self, pairs: Sequence[Pair]) -> tuple[Mark, ...]:
        """Return what pairs of the folder are known by; a group is said only where a column names it."""
        groups = (f"{self.column} {pair.group}" if self.column else "" for pair in pairs)
        return tuple(mark_of(p.stem, group, self.looks[p.stem].likeness) for p, group in zip(pairs, groups, strict=True))

    def facts(self) -> Facts:
        """Return the folder in numbers."""
        looks = tuple(self.looks.values())
        return facts_of(looks, self.sides) if looks else Facts(0, 0, 0, 0, 0)


def survey_order(folder: Path, order: TrainingOrder, columns: Columns | None = None, rules: PairRules = LABELED) -> PairSurvey:
    """Return all that is found in a folder for a training as ordered; `columns` where the order says none.

    Raises TrainingDataError for a folder that holds no pairs, ModelError for a base that is none, ParameterError.
    """
    survey = survey_pairs(folder, order.columns or columns, order.excluded, known_labels(order), rules)
    met = met_by_base(order.base, survey.marks(survey.sides.held_out))
    return replace(survey, findings=worst_first((*survey.findings, *met)))


def known_labels(order: TrainingOrder) -> frozenset[int] | None:
    """Return the foreground label values that an order names, itself or by its base; None where it names none.

    Raises ParameterError for names that no vocabulary can hold.
    """
    if order.label_names is not None:
        return frozenset(label.value for label in vocabulary_of(order.label_names, set())) - {0}
    if order.base is None or not (order.base / "card.json").is_file():
        return None
    return frozenset(label.value for label in read_card(order.base).labels) - {0} or None


def survey_pairs(
    folder: Path,
    columns: Columns | None = None,
    excluded: Sequence[str] = (),
    known: frozenset[int] | None = None,
    rules: PairRules = LABELED,
) -> PairSurvey:
    """Return all that is found in a folder of pairs; `known` are the foreground label values that were named.

    Raises TrainingDataError for a folder that holds no pairs, ParameterError.
    """
    columns = columns or Columns()
    there = list_pairs(folder, columns, excluded, rules.mask_folders)
    lost = {case for finding in there.findings for case in finding.cases}
    looks, faults = look_at_all([pair for pair in there.pairs if pair.stem not in lost], rules.fault_of)
    looks = looks if columns.group else grouped_by_look(looks)
    sides = parted((look.pair for look in without_twins(looks)), lambda pair: pair.group)
    compared = tuple(_compared(looks, bool(columns.group), known, rules, sides))
    findings = worst_first((*there.findings, *faults, *compared))
    return PairSurvey(folder.name, sides, {look.name: look for look in looks}, findings, there.places, columns.group)


def ledger_of_pairs(
    sides: Sides[Pair], group_of: Callable[[Pair], str], base: Path | None = None, label_percent: int = 100
) -> Ledger:
    """Return the record of a training on pairs that were read in a way of their own; `group_of` says whose they are, or nothing.

    Raises FormatError, InputError, and ModelError for a damaged base.
    """

    def marks(pairs: Sequence[Pair]) -> Iterator[Mark]:
        for pair in pairs:
            pixels = read(pair.image).array
            yield mark_of(pair.stem, group_of(pair), likeness_of(pixels, as_picture(pixels)))

    return _ledger(sides, marks, base, label_percent)


def _ledger(
    sides: Sides[Pair], marks: Callable[[Sequence[Pair]], Iterable[Mark]], base: Path | None, label_percent: int
) -> Ledger:
    ledger = ledger_of(marks(sides.training), marks(sides.tuning), marks(sides.held_out), label_percent)
    return ledger if base is None else going_on(ledger, base)


def grouped_by_look(looks: Sequence[PairLook]) -> tuple[PairLook, ...]:
    """Return the looks with look-alikes in one group, mirrored ones too, named after the first of them by name."""
    if not looks:
        return ()
    leader = leaders(np.stack([look.likeness.thumbnail for look in looks]))
    return tuple(replace(look, pair=replace(look.pair, group=looks[int(k)].name)) for look, k in zip(looks, leader, strict=True))


def without_twins(looks: Sequence[PairLook]) -> tuple[PairLook, ...]:
    """Return the looks with each distinct image once, the first by name."""
    seen: dict[str, PairLook] = {}
    for look in looks:
        seen.setdefault(look.likeness.checksum, look)
    return tuple(seen.values())


def facts_of(looks: Sequence[PairLook], sides: Sides[Pair]) -> Facts:
    """Return sound pairs in numbers; intensities from a sample of each image's pixels."""
    sizes = Counter(f"{look.size[1]}×{look.size[0]}" for look in looks)
    spacings = Counter(f"{look.spacing_mm[0]:.3g}×{look.spacing_mm[1]:.3g} mm" for look in looks if look.spacing_mm != (1.0, 1.0))
    pixels: Counter[int] = Counter()
    for look in looks:
        pixels.update(look.labels)
    low, high = np.percentile(np.concatenate([look.sample for look in looks]), (1, 99))
    return Facts(
        cases=len(looks),
        groups=len({look.pair.group for look in looks}),
        training=len(sides.training),
        tuning=len(sides.tuning),
        held_out=len(sides.held_out),
        sizes=most_common(sizes),
        spacings=most_common(spacings),
        labels=shares(pixels),
        intensity=(float(low), float(high)),
        channels=max(look.channels for look in looks),
    )


def shares(pixels: Counter[int]) -> dict[str, float]:
    """Return the share of each label value; of more than 32 values, background and the rest."""
    total = max(1, sum(pixels.values()))
    if len(pixels) > HIGHEST + 1:
        return {"0": pixels[0] / total, "objects": 1 - pixels[0] / total}
    return {str(value): count / total for value, count in sorted(pixels.items())}


def _compared(
    looks: Sequence[PairLook], grouped: bool, known: frozenset[int] | None, rules: PairRules, sides: Sides[Pair]
) -> Iterator[Finding]:
    yield from pair_doctor.depths(looks)
    if rules.highest_label:
        yield from pair_doctor.label_values(looks, known, rules.highest_label)
    else:
        yield from pair_doctor.instances(looks)
    yield from pair_doctor.duplicates(looks)
    yield from pair_doctor.mirror_images(looks)
    yield from pair_doctor.look_alikes(looks, grouped)
    if grouped:
        yield from pair_doctor.spellings(looks)
    else:
        yield from pair_doctor.shared_names(looks)
    yield from pair_doctor.shapes(looks)
    yield from pair_doctor.intensities(looks)
    yield from pair_doctor.amounts(looks, len(sides.training), len(sides.tuning), len(sides.held_out))
