"""The public data sets that the models that ship have learned from: whose they are, on what terms, and how they are split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from medsynth_core.training.pairs import Columns


@dataclass(frozen=True)
class Source:
    """One data set as a card cites it. `group` is the column of metadata.csv whose values never part; empty: look-alikes."""

    data: str
    attribution: str
    license: str
    split: str
    group: str = ""

    def columns(self, folder: Path, options: dict[str, str] | None = None) -> Columns:
        """Return the columns to read, from the metadata.csv beside the training folder."""
        return Columns(folder.resolve().parent / "metadata.csv", self.group, options or {})


POLYPGEN = Source(
    data="PolypGen single frames (Synapse syn26376615), CC BY 4.0",
    attribution="Ali S, Jha D, Ghatwary N et al., Scientific Data 10:75 (2023), doi:10.1038/s41597-023-01981-y",
    license="Apache-2.0 (weights); trained on CC BY 4.0 data",
    split="by dup_group of metadata.csv; groups whose sha256 is below 15 % are held out",
    group="dup_group",
)

BRISC = Source(
    data="BRISC 2025 contrast-enhanced T1 slices, subset of the official training split, CC BY 4.0",
    attribution="Fateh A, Rezvani Y, Moayedi S et al., BRISC, arXiv:2506.14318 (2025)",
    license="Apache-2.0 (weights); trained on CC BY 4.0 data",
    split="exact duplicates removed, look-alikes (thumbnail correlation > 0.97, mirrored or not) kept together; by sha256, "
    "15 % held out",
)
