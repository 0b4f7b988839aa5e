"""Training arrays of the synthesize engine, held in memory as uint8 and handed out as batches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from medsynth_core.engines.synthesize.objective import Batch
from medsynth_core.errors import TrainingDataError
from medsynth_core.training.augment import Augmentation, apply
from medsynth_core.training.pairs import Pair, image_at, load_arrays


@dataclass(frozen=True)
class PairArrays:
    """images (n, C, y, x) and masks (n, y, x), uint8; options (n, number of options) indices into their sorted values."""

    images: npt.NDArray[np.uint8]
    masks: npt.NDArray[np.uint8]
    options: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, rows: Tensor, side: int, labels: int, augment: Augmentation | None, generator: torch.Generator) -> Batch:
        """Return the rows as a batch of `side`² pixels, augmented if asked."""
        images = torch.from_numpy(self.images[rows.numpy()]).float() / 127.5 - 1
        one_hot = functional.one_hot(torch.from_numpy(self.masks[rows.numpy()]).long(), labels).permute(0, 3, 1, 2).float()
        if augment is not None:
            images, one_hot = apply(augment.draw(len(rows), generator), images, one_hot)
        if images.shape[-1] != side:
            images, one_hot = (functional.adaptive_avg_pool2d(part, side) for part in (images, one_hot))
        return Batch(images, one_hot, torch.from_numpy(self.options[rows.numpy()]))


def load(pairs: tuple[Pair, ...], size: tuple[int, int], channels: int, option_values: dict[str, tuple[str, ...]]) -> PairArrays:
    """Return the arrays of `pairs`, resized to `size` (y, x)."""
    images, masks = load_arrays(pairs, size, channels)
    options = [[values.index(pair.options[name]) for name, values in option_values.items()] for pair in pairs]
    return PairArrays(images, masks, np.array(options, dtype=np.int64).reshape(len(pairs), len(option_values)))


def load_unlabeled(
    images: tuple[Path, ...], size: tuple[int, int], channels: int, option_values: dict[str, tuple[str, ...]]
) -> PairArrays:
    """Return images alone, resized to `size` (y, x): their masks are empty, their options the learned nulls."""
    nulls = np.array([len(values) for values in option_values.values()], dtype=np.int64)
    pixels = [image_at(path, size, channels) for path in images]
    stack = np.stack(pixels) if pixels else np.empty((0, channels, *size), np.uint8)
    return PairArrays(stack, np.zeros((len(images), *size), np.uint8), np.tile(nulls, (len(images), 1)))


def values_of_options(pairs: tuple[Pair, ...]) -> dict[str, tuple[str, ...]]:
    """Return each option's values in order, by the option's name."""
    names = dict.fromkeys(name for pair in pairs for name in pair.options)
    return {name: tuple(sorted({pair.options[name] for pair in pairs})) for name in names}


def check_labels(masks: npt.NDArray[np.uint8], known: set[int]) -> None:
    """Raise TrainingDataError when the masks hold a value outside the vocabulary."""
    if unknown := sorted(set(np.unique(masks).tolist()) - known):
        raise TrainingDataError(f"the masks hold the label {unknown[0]}, the vocabulary {sorted(known)}: name it with --label")
