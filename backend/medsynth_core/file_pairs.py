"""Which mask belongs to which image: folders and patterns in, pairs and what has no partner out.

A folder stands for everything in it, FOLDER/*. Masks are paired by equal names. Where not one name is equal, by the parts of
the path that hold wildcards, as in data/p*/flair.nii.gz with masks/*/seg.nii.gz; where these are not, by what the wildcards
stand for, as in images/*_0000.nii.gz with masks/*.nii.gz.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from medsynth_core.errors import FormatError, InputError

WILDCARDS = re.compile(r"[*?\[]")
_SIGNS = re.compile(r"(?P<deep>\*\*/)|(?P<star>\*+)|(?P<one>\?)|\[(?P<no>!?)(?P<set>[^\]]+)\]|(?P<plain>.)", re.DOTALL)


@dataclass(frozen=True)
class Found:
    """A file, or a folder that is one image. `place` is its path below the searched folder, `stem` that without suffix.

    `keys` are what it may be paired by, the first one first: its stem, the parts that hold wildcards, what these stand for.
    """

    path: Path
    place: str
    keys: tuple[str, str, str]

    @property
    def stem(self) -> str:
        """Its place without suffix."""
        return self.keys[0]


@dataclass(frozen=True)
class Search:
    """What a folder or pattern gave, by name; `left_out` holds the names of files in a folder that are no images."""

    found: tuple[Found, ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pairing:
    """Partner by stem of an image, None where it has none.

    `twice` holds the places of several that could be its partner, `alone` those of what has no image.
    """

    partners: dict[str, Found | None]
    twice: dict[str, tuple[str, ...]]
    alone: tuple[str, ...]


def is_many(text: str, series: bool = True) -> bool:
    """Return whether an argument stands for many files: a pattern, or a folder that is not itself an image.

    `series` says that the DICOM files of a folder are slices of one image; masks are whole files each.
    """
    path = Path(text)
    if path.is_dir():
        return not (is_one_image(path) if series else _is_zarr(path))
    return not path.exists() and WILDCARDS.search(text) is not None


def is_one_image(folder: Path) -> bool:
    """Return whether a folder is one image: OME-Zarr, or a DICOM series."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    return _is_zarr(folder) or (bool(files) and _is_dicom(files[0]))


def _is_zarr(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("zarr.json", ".zattrs", ".zgroup"))


def search(text: str, spare: Path) -> Search:
    """Return what a folder or pattern stands for, sorted. Raises InputError when there is nothing.

    Hidden files, linked folders (they may lead in a circle) and the folder `spare` are not looked into.
    """
    folder = Path(text).is_dir()
    root, pattern = (Path(text), "*") if folder else _split(text)
    if not root.is_dir():
        raise InputError(f"{text} matches nothing: the folder {root} does not exist")
    rule, depth = _rule(pattern), 99 if "**" in pattern else pattern.count("/")
    places = {path: path.relative_to(root).as_posix() for path in _walk(root, depth, spare)}
    matches = [(path, place, rule.fullmatch(place)) for path, place in places.items()]
    met = [_found(path, place, pattern, match.groups()) for path, place, match in matches if match]
    images = [found for found in met if not folder or _is_image(found.path)]
    if not images:
        raise InputError(f"{text} holds no image" if folder else f"{text} matches nothing: try it with ls, and quote the pattern")
    return Search(tuple(images), tuple(found.path.name for found in met if found not in images))


def pair(images: Sequence[Found], others: Sequence[Found]) -> Pairing:
    """Return the partner of each image among the others, by the first kind of key that any of them share."""
    kinds = range(len(others[0].keys))
    kind = next((k for k in kinds if not {i.keys[k] for i in images}.isdisjoint(o.keys[k] for o in others)), 0)
    groups: dict[str, list[Found]] = {}
    for other in others:
        groups.setdefault(other.keys[kind], []).append(other)
    keys = {image.stem: image.keys[kind] for image in images}
    partners = {stem: groups[key][0] if key in groups else None for stem, key in keys.items()}
    twice = {stem: tuple(o.place for o in groups[key]) for stem, key in keys.items() if len(groups.get(key, ())) > 1}
    wanted = set(keys.values())
    return Pairing(partners, twice, tuple(o.place for key, group in groups.items() if key not in wanted for o in group))


def stem_of(name: str) -> str:
    """Return a name or place without its suffix, also a double one such as .nii.gz."""
    from medsynth_core import formats

    try:
        return name[: -len(formats.suffix(Path(name)))]
    except FormatError:
        return name


def _split(text: str) -> tuple[Path, str]:
    parts = Path(text).parts
    first = next(i for i, part in enumerate(parts) if WILDCARDS.search(part))
    return Path(*parts[:first]) if first else Path(), "/".join(parts[first:])


def _rule(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile("".join(_meaning(sign) for sign in _SIGNS.finditer(pattern)))
    except re.error:
        raise InputError(f"{pattern} is not a pattern: use *, ?, **/ or [abc]") from None


def _meaning(sign: re.Match[str]) -> str:
    """Return one sign of a pattern as a regular expression; what a wildcard stands for is a group."""
    if sign["deep"]:
        return "((?:[^/]+/)*)"
    if sign["star"]:
        return "([^/]*)"
    if sign["one"]:
        return "([^/])"
    if sign["set"]:
        inside = sign["set"].replace("\\", r"\\")
        return f"([{'^' if sign['no'] else ''}{inside}])"
    return re.escape(sign["plain"])


def _walk(root: Path, depth: int, spare: Path) -> Iterator[Path]:
    """Yield files and image folders down to a depth; os.walk does not follow links to folders, so no circle has no end."""
    for place, folders, files in os.walk(root):
        here = Path(place)
        level = len(here.relative_to(root).parts)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not _is_same(here / name, spare))
        ones = [name for name in folders if is_one_image(here / name)]
        yield from (here / name for name in sorted([*files, *ones]) if not name.startswith("."))
        folders[:] = [name for name in folders if name not in ones and level < depth]


def _is_same(path: Path, other: Path) -> bool:
    return path.resolve() == other.resolve()


def _found(path: Path, place: str, pattern: str, stars: Sequence[str]) -> Found:
    parts, signs = place.split("/"), pattern.split("/")
    varied = parts if "**" in signs else [part for part, sign in zip(parts, signs, strict=True) if WILDCARDS.search(sign)]
    return Found(path, place, (stem_of(place), stem_of("/".join(varied)), stem_of("|".join(stars))))


def _is_image(path: Path) -> bool:
    return path.is_dir() or stem_of(path.name) != path.name or _is_dicom(path)


def _is_dicom(path: Path) -> bool:
    from medsynth_core.formats.files import kind_of

    try:
        return kind_of(path) == "DICOM"
    except InputError:
        return False
