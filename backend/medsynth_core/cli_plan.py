"""From folders and patterns to cases: what is paired, where each result goes, and what cannot be refined and why."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from medsynth_core.cli_case import Case
from medsynth_core.cli_pairs import Found, Pairing, is_many, pair, search
from medsynth_core.errors import FormatError, InputError

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
    cases, refused = [], []
    for found in images.found:
        case = _case(found, partners, folders)
        reason = _reason(found, images.found, partners)
        refused += [(case, reason)] if reason else []
        cases += [] if reason else [case]
    if not cases:
        raise InputError(_no_pair(folders, images.found, partners))
    remarks = [_listed("left out, as no image", images.left_out)]
    remarks += [_listed(f"{name} without an image", pairing.alone) for name, pairing in partners.items()]
    return Plan(tuple(cases), tuple(refused), tuple(filter(None, remarks)))


def _belongings(folders: Folders) -> list[tuple[str, str]]:
    return [(name, text) for name, text in (("mask", folders.mask), ("locked", folders.locked)) if text is not None]


def _partners(images: Sequence[Found], name: str, text: str, folders: Folders) -> Pairing:
    if not is_many(text):
        raise InputError(f"{name} is {text}, one file or none, and {folders.image} are many: name a folder or a quoted pattern")
    return pair(images, search(text, folders.output).found)


def _case(found: Found, partners: dict[str, Pairing], folders: Folders) -> Case:
    belongs = {name: pairing.partners[found.stem] for name, pairing in partners.items()}
    mask = belongs.get("mask")
    suffix = result_suffix(mask or found.path)
    second = None if folders.uncertainty is None else folders.uncertainty / (found.stem + uncertainty_suffix(suffix))
    return Case(found.stem, found.path, folders.output / (found.stem + suffix), mask, belongs.get("locked"), second)


def _reason(found: Found, images: Sequence[Found], partners: dict[str, Pairing]) -> str:
    """Return why an image cannot be refined, empty if it can."""
    equals = [other.path.name for other in images if other.stem == found.stem]
    if len(equals) > 1:
        return f"{' and '.join(equals)} have the same name: rename one"
    for name, pairing in partners.items():
        if pairing.partners[found.stem] is None:
            return f"no {name} has this name"
        if names := pairing.twice.get(found.stem):
            return f"{' and '.join(names)} could both be its {name}: rename one"
    return ""


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
    for name, pairing in partners.items():
        if pairing.alone and not any(pairing.partners.values()):
            first = f"{images[0].path.name} and {pairing.alone[0]}"
            return f"no image of {folders.image} has its {name}: equal names pair, and the first ones are {first}"
    return f"none of the {len(images)} images can be refined: {_reason(images[0], images, partners)}"


def _listed(what: str, names: Sequence[str]) -> str:
    """Return "3 what: a, b, c", with the first few names; empty if there are none."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return f"{len(names)} {what}: {', '.join(names[:LISTED])}{more}" if names else ""
