"""What the names of files and folders say: whose they are, which modality, image or mask."""

from __future__ import annotations

import re
from pathlib import Path

from medsynth_core.file_pairs import stem_of

DEFAULT = "flair"
MASK_WORDS = frozenset({"seg", "segm", "segmentation", "mask", "label", "labels"})
FAMILIES = {
    "flair": ("flair", "t2f"),
    "t1": ("t1", "t1n", "t1w"),
    "t1ce": ("t1ce", "t1c", "t1gd"),
    "t2": ("t2", "t2w"),
}
"""BraTS renamed its modalities in 2023; both names mean one thing. https://www.synapse.org/brats"""
_VISIT = re.compile(r"(BraTS-[A-Za-z]+-\d+)-\d{3}")


def patient_of(name: str) -> str:
    """Return whose case it is: of a BraTS name (BraTS-GLI-00001-000) the part before the visit, of any other all of it."""
    visit = _VISIT.fullmatch(name)
    return visit[1] if visit else name


def last_word(path: Path) -> str:
    """Return the last word of a file's name in small letters: t2f of BraTS-GLI-00001-000-t2f.nii.gz."""
    return re.split(r"[-_. ]", stem_of(path.name))[-1].lower()


def family(word: str) -> str | None:
    """Return the modality a word stands for by its older BraTS name; None for a word that names none."""
    return next((name for name, words in FAMILIES.items() if word.lower() in words), None)


def same_modality(word: str, other: str) -> bool:
    """Return whether two words name one modality, such as FLAIR and t2f."""
    return word.lower() == other.lower() or (family(word) is not None and family(word) == family(other))
