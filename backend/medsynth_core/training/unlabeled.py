"""Images without masks that teach a generator how images look: where labels are scarce, images seldom are.

The folder may be that of the labeled images themselves: masks are never opened here. An image that the split keeps for choosing
or for figures is left out, as is one that looks like such a one, so that nothing is measured on what was learned from.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from medsynth_core.errors import InputError, TrainingDataError
from medsynth_core.formats import read
from medsynth_core.training.guard import known_cases
from medsynth_core.training.ledger import Mark, ledger_of, mark_of
from medsynth_core.training.likeness import likeness_of
from medsynth_core.training.pairs import SUFFIXES, Pair, as_picture, unfit_image


@dataclass(frozen=True)
class Unlabeled:
    """The images that are learned from without masks, with what each is known by, and how many of the folder were left out."""

    paths: tuple[Path, ...] = ()
    marks: tuple[Mark, ...] = ()
    left_out: int = 0

    @property
    def counted(self) -> str:
        """How many there are, as a model's card says it."""
        return f"{len(self.paths)} images without their masks"


def read_unlabeled(folder: Path, labeled: Iterable[Mark], apart: Iterable[Mark]) -> Unlabeled:
    """Return the images of a folder but for those `labeled` already (by their pixels) and those known from `apart`.

    Raises TrainingDataError with every file that cannot be learned from, and when no image is left.
    """
    if not folder.is_dir():
        raise TrainingDataError(f"unlabeled is {folder.name}: it must be a folder of images")
    files = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES]
    looked_at = [_mark(path) for path in files]
    if offenders := tuple(problem for problem in looked_at if isinstance(problem, str)):
        raise TrainingDataError(f"{folder.name} has {len(offenders)} images that nothing can be learned from", offenders)
    marks = [mark for mark in looked_at if isinstance(mark, Mark)]
    known = {mark.checksum for mark in labeled}
    met = known_cases(ledger_of(apart), marks)
    new = {mark.checksum: (path, mark) for path, mark in zip(files, marks, strict=True) if mark.name not in met}  # each once
    kept = [pair for checksum, pair in new.items() if checksum not in known]
    if not kept:
        raise TrainingDataError(
            f"{folder.name} holds no image to learn from beside the {len(marks)} that have masks or are held out: "
            "give a folder with others, or leave --unlabeled out"
        )
    return Unlabeled(tuple(path for path, _ in kept), tuple(mark for _, mark in kept), len(files) - len(kept))


def _mark(path: Path) -> Mark | str:
    """Return what an image is known by, or the sentence that says why it is none."""
    try:
        pixels = read(path).array
    except InputError as problem:
        return f"{path.name}: {problem}"
    if wrong := unfit_image(Pair(path.name, path, path, ""), pixels):
        return wrong.says
    return mark_of(path.name, "", likeness_of(pixels, as_picture(pixels)))
