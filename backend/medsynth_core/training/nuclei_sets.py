"""The public sets of nuclei with instance masks, and which of their tiles belong together: one reading for all engines."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from medsynth_core.training.duplicates import group_near_duplicates
from medsynth_core.training.pairs import Pair

NUINSSEG_BLOCK = 7
"""Tiles are numbered slide by slide; so many in a row stay together."""

SAID = ("nuinsseg block ", "tnbc patient ")


@dataclass(frozen=True)
class NucleiSet:
    """One set: what its images are called, how its folder is read into pairs with their groups, its license."""

    name: str
    pairs: Callable[[Path], tuple[Pair, ...]]
    license: str


def by_stem(folder: Path) -> tuple[Pair, ...]:
    """Return images/ and masks/ of equal stem; each is a group of its own."""
    masks = {path.stem: path for path in sorted((folder / "masks").iterdir())}
    images = sorted(path for path in (folder / "images").iterdir() if path.stem in masks)
    return tuple(Pair(path.stem, path, masks[path.stem], path.stem) for path in images)


def said_group(pair: Pair) -> str:
    """Return whose a tile is, as its set says it; empty where tiles are only together by their look."""
    return pair.group if pair.group.startswith(SAID) else ""


def _nuinsseg(folder: Path) -> tuple[Pair, ...]:
    pairs = by_stem(folder / "train")
    return tuple(replace(pair, group=f"nuinsseg block {(int(pair.stem) - 1) // NUINSSEG_BLOCK}") for pair in pairs)


def _tnbc(folder: Path) -> tuple[Pair, ...]:
    patients = {Path(row["file"]).stem: row["patient"] for row in _rows(folder)}
    return tuple(replace(pair, group=f"tnbc patient {patients[pair.stem]}") for pair in by_stem(folder / "train"))


def _purple(folder: Path) -> tuple[Pair, ...]:
    purple = {Path(row["file"]).stem for row in _rows(folder) if row["modality"] == "purple_tissue"}
    return group_near_duplicates(tuple(pair for pair in by_stem(folder / "train") if pair.stem in purple))


NUCLEI = {
    "nuclei_nuinsseg": NucleiSet("H&E nuclei", _nuinsseg, "CC BY 4.0"),
    "nuclei_tnbc": NucleiSet("H&E nuclei", _tnbc, "CC BY 4.0"),
    "nuclei_dsb2018": NucleiSet("purple nuclei", _purple, "CC0"),
}
"""By the name of the folder."""


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
