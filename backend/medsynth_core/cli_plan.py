"""From folders and patterns to cases: what is paired, where each result goes, and what cannot be refined and why."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from medsynth_core.cli_case import Case
from medsynth_core.errors import FormatError, InputError
from medsynth_core.file_pairs import Found, Pairing, is_many, pair, search

LISTED = 5


@dataclass(frozen=True)
class Plan:
    """The cases to be refined, those that cannot be with the reason, and what else there is to tell."""

    cases: tuple[Case, ...]
    refused: tuple[tuple[Case, str], ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Folders:
    """Where a batch reads and writes: folders or patterns, and folders. None where nothing was named."""

    image: str
    output: Path
    mask: str | None = None
    locked: str | None = None
    uncertainty: Path | None = None


def make_plan(folders: Folders) -> Plan:
    """Return what is to be done. Raises InputError when nothing fits, or where results would fall among the inputs."""
    _check_folders(folders)
    images = search(folders.image, folders.output)
    partners = {name: _partners(images.found, name, text, folders) for name, text in _belongings(folders)}
    every = [_case(found, partners, folders) for found in images.found]
    reasons = [_reason(case, every, partners) for case in every]
    cases = [case for case, reason in zip(every, reasons, strict=True) if not reason]
    refused = [(case, reason) for case, reason in zip(every, reasons, strict=True) if reason]
    if not cases:
        raise InputError(_no_pair(folders, images.found, partners) or f"{every[0].name}: {reasons[0]}")
    remarks = [_listed("left out, as no image", images.left_out)]
    remarks += [_listed(f"{name} without an image", pairing.alone) for name, pairing in partners.items()]
    return Plan(tuple(cases), tuple(refused), tuple(filter(None, remarks)))


def _belongings(folders: Folders) -> list[tuple[str, str]]:
    return [(name, text) for name, text in (("mask", folders.mask), ("locked", folders.locked)) if text is not None]


def _partners(images: Sequence[Found], name: str, text: str, folders: Folders) -> Pairing:
    if not is_many(text, series=False):
        raise InputError(f"{name} is {text}, one file or none, and {folders.image} are many: name a folder or a quoted pattern")
    return pair(images, search(text, folders.output).found)


def _case(found: Found, partners: dict[str, Pairing], folders: Folders) -> Case:
    """Return the case of an image; its result bears the name of the mask it was made from."""
    belongs = {name: pairing.partners[found.stem] for name, pairing in partners.items()}
    paths = {name: partner.path for name, partner in belongs.items() if partner is not None}
    model = belongs.get("mask") or found
    suffix = result_suffix(model.path)
    second = None if folders.uncertainty is None else folders.uncertainty / (model.stem + uncertainty_suffix(suffix))
    return Case(found.stem, found.path, folders.output / (model.stem + suffix), paths.get("mask"), paths.get("locked"), second)


def _reason(case: Case, every: Sequence[Case], partners: dict[str, Pairing]) -> str:
    """Return why an image cannot be refined, empty if it can."""
    for name, pairing in partners.items():
        if pairing.partners[case.name] is None:
            return f"no {name} has this name"
        if names := pairing.twice.get(case.name):
            return f"{' and '.join(names)} could both be its {name}: rename one"
    equals = [other.image.name for other in every if other.output == case.output or other.name == case.name]
    return f"{' and '.join(equals)} would give results of the same name: rename one" if len(equals) > 1 else ""


def result_suffix(path: Path) -> str:
    """Return the suffix of a mask made like a file: its own, .png for JPEG, which blurs label numbers, .dcm for DICOM."""
    from medsynth_core import formats

    try:
        own = formats.suffix(path)
    except FormatError:
        return ".dcm"
    return ".png" if own in (".jpg", ".jpeg") else own


def uncertainty_suffix(suffix: str) -> str:
    """Return the suffix of an uncertainty map beside a mask; a DICOM SEG holds masks only."""
    return ".nii.gz" if suffix == ".dcm" else suffix


def _check_folders(folders: Folders) -> None:
    outputs = [path for path in (folders.output, folders.uncertainty) if path is not None]
    if len(outputs) > 1 and _same(*outputs):
        raise InputError(f"{folders.output} would hold masks and uncertainties of equal names: give them two folders")
    for output in outputs:
        if output.exists() and not output.is_dir():
            raise InputError(f"{output} is a file, and the images are many: name a folder")
        if not output.parent.is_dir():
            raise InputError(f"the folder {output.parent} does not exist: make it first")
        if not os.access(output if output.exists() else output.parent, os.W_OK):
            raise InputError(f"the folder {output} cannot be written to: choose another")
        for text in (folders.image, folders.mask, folders.locked):
            if text is not None and _holds(output, text):
                raise InputError(f"{output} holds the inputs, which the results would replace: name another folder")


def _holds(output: Path, text: str) -> bool:
    """Return whether a folder, or the fixed beginning of a pattern, is the output folder."""
    path = Path(text)
    return _same(output, path if path.is_dir() else path.parent)


def _same(a: Path, b: Path) -> bool:
    return a.resolve() == b.resolve()


def _no_pair(folders: Folders, images: Sequence[Found], partners: dict[str, Pairing]) -> str:
    """Return that no image has a partner, with names that were meant to be equal; empty if some have one."""
    for name, pairing in partners.items():
        if not any(pairing.partners.values()):
            first = f"{images[0].place} and {pairing.alone[0]}"
            return f"no image of {folders.image} has its {name}: equal names pair, here they are {first}"
    return ""


def _listed(what: str, names: Sequence[str]) -> str:
    """Return "3 what: a, b, c", with the first few names; empty if there are none."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return f"{len(names)} {what}: {', '.join(names[:LISTED])}{more}" if names else ""
