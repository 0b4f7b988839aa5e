"""The masks of a data set: where they come from, and what becomes of each: a lesion swapped, then flipped, scaled, moved, bent.

    sample number i    mask i mod n of the n sources, changed by what is drawn with (seed, i)

So it follows from the sources, the seed and the number alone, whatever was made before.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from medsynth_core.cli_journal import digest
from medsynth_core.errors import InputError, MedSynthError, ParameterError, ShapeError
from medsynth_core.file_pairs import search
from medsynth_core.protocol import ModelCard
from medsynth_core.vocabulary import foreground, understand, whole_numbers

if TYPE_CHECKING:
    from medsynth_core.imaging.mask_variants import MaskJitter

Labels = npt.NDArray[np.integer]
SWAPPED_SHARE = 0.5
SAMPLES = {"polyp": ("polyp-1", "polyp-2"), "tumor": ("brain-slice-1", "brain-slice-2")}
"""Masks that ship with the viewer, by the name of the label they hold; all are held out from all training."""
KEPT_READY = 128


class Change(enum.StrEnum):
    """What may be done to a mask."""

    FLIP = "flip"
    SCALE = "scale"
    SHIFT = "shift"
    TURN = "turn"
    ELASTIC = "elastic"
    SWAP = "swap"


@dataclass(frozen=True)
class Source:
    """A mask that is handed in, and the digest of its file: names of files may be names of people."""

    path: Path
    sha256: str


@dataclass(frozen=True, eq=False)
class Derived:
    """A mask (y, x) made of a source, and how."""

    labels: Labels
    recipe: dict[str, Any]


class Masks:
    """All sources, checked, and what is done to them. `read` gives the labels (y, x) of a file, in the model's own values."""

    def __init__(
        self, sources: Sequence[Source], changes: Sequence[Change], lesion_values: Sequence[int], read: Callable[[Path], Labels]
    ) -> None:
        self.sources, self.changes = tuple(sources), tuple(changes)
        self._values = tuple(lesion_values)
        self._read = lru_cache(KEPT_READY)(read)

    @property
    def values(self) -> tuple[int, ...]:
        """All label values there are, without background."""
        return tuple(sorted({int(v) for source in self.sources for v in np.unique(self._read(source.path)) if v}))

    def recipe(self, number: int, seed: int) -> dict[str, Any]:
        """Return how mask `number` is made, without making it."""
        rng = np.random.default_rng((seed, number))
        source = number % len(self.sources)
        told: dict[str, Any] = {"source": source + 1, "source_sha256": self.sources[source].sha256[:16]}
        swaps, other, swap_seed, jitter_seed = rng.random(), int(rng.integers(1 << 31)), *map(int, rng.integers(1 << 31, size=2))
        if Change.SWAP in self.changes and len(self.sources) > 1 and swaps < SWAPPED_SHARE:
            donor = (source + 1 + other % (len(self.sources) - 1)) % len(self.sources)
            told |= {"lesion_of": donor + 1, "lesion_sha256": self.sources[donor].sha256[:16], "swap_seed": swap_seed}
        if moves := [change.value for change in self.changes if change is not Change.SWAP]:
            told |= {"changes": moves, "change_seed": jitter_seed}
        return told

    def derived(self, number: int, seed: int) -> Derived:
        """Return mask `number`."""
        from medsynth_core.imaging.lesion_swap import swapped
        from medsynth_core.imaging.mask_variants import mask_variant

        told = self.recipe(number, seed)
        labels = self._read(self.sources[told["source"] - 1].path)
        if "lesion_of" in told:
            donor = self._read(self.sources[told["lesion_of"] - 1].path)
            labels = swapped(labels, donor, np.random.default_rng(told["swap_seed"]), self._values)
        if "changes" in told:
            labels = mask_variant(labels, told["change_seed"], jitter_of(self.changes))
        return Derived(labels, told)


def jitter_of(changes: Sequence[Change]) -> MaskJitter:
    """Return what may be drawn where only these changes are wanted."""
    from medsynth_core.imaging.mask_variants import USUAL, MaskJitter

    return MaskJitter(
        mirror=USUAL.mirror if Change.FLIP in changes else (False, False),
        zoom=USUAL.zoom if Change.SCALE in changes else (1.0, 1.0),
        shift=USUAL.shift if Change.SHIFT in changes else 0.0,
        turn=USUAL.turn if Change.TURN in changes else 0.0,
        bend=USUAL.bend if Change.ELASTIC in changes else 0.0,
    )


def find_sources(text: str, output: Path) -> tuple[Source, ...]:
    """Return the masks of a file, folder or quoted pattern, sorted. Raises InputError where there is none."""
    path = Path(text)
    if not path.exists() and not any(sign in text for sign in "*?["):
        raise InputError(f"--masks is {text}, which does not exist: name a folder, a file or a quoted pattern")
    paths = [path] if path.is_file() else [found.path for found in search(text, output).found]
    return tuple(Source(one, digest(one)) for one in paths)


def sample_sources(card: ModelCard | None) -> tuple[Source, ...]:
    """Return the masks that ship for a model's labels. Raises ParameterError where none do."""
    import importlib.util

    names = [label.name for label in foreground(card.labels)] if card else []
    stems = SAMPLES.get(names[0], ()) if len(names) == 1 else ()
    # by name: the core knows no viewer, it only finds the files that ship beside it
    viewer = importlib.util.find_spec("napari_medsynth")
    if not stems or viewer is None or viewer.origin is None:
        labels = ", ".join(names) or "any number"
        raise ParameterError(f"--sample has no masks for a model that knows {labels}: hand some in with --masks DIR")
    folder = Path(viewer.origin).parent / "samples"
    return tuple(Source(path, digest(path)) for path in (folder / f"{stem}-mask.png" for stem in stems))


def reader(card: ModelCard | None, instances: bool) -> Callable[[Path], Labels]:
    """Return what reads a mask for a model, and refuses one it cannot paint, by the name of its file."""

    def read(path: Path) -> Labels:
        from medsynth_core import formats

        try:
            volume = formats.read_mask(path)
            if volume.size[0] != 1:
                raise ShapeError(f"mask has {volume.size[0]} slices: save those you want as masks of their own")
            plane = volume.array[0, 0]
            if card is not None and card.labels and not instances:
                return understand(plane, card.labels)
            return _numbers(plane, instances)
        except MedSynthError as problem:
            raise type(problem)(f"{path.name}: {problem}") from None

    return read


def _numbers(plane: npt.NDArray[np.generic], instances: bool) -> Labels:
    whole = whole_numbers(plane)
    most = 65535 if instances else 255
    if whole.min() < 0 or whole.max() > most:
        raise InputError(f"mask holds values from {whole.min()} to {whole.max()}: they must lie between 0 and {most}")
    if not whole.any():
        raise InputError("mask is empty: leave it out")
    return whole.astype(np.uint16 if instances else np.uint8)
