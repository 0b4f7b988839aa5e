"""What is measured: anything that makes an image for a mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from medsynth_core.errors import ShapeError

Images = npt.NDArray[np.uint8]
Masks = npt.NDArray[np.uint8]
Options = npt.NDArray[np.int64]


class Generator(Protocol):
    """Makes images: masks (n, y, x) uint8 labels, options (n, number of options) indices, one seed each → (n, c, y, x) uint8."""

    def __call__(self, masks: Masks, options: Options, seeds: Sequence[int]) -> Images: ...


@dataclass(frozen=True, eq=False)
class Pairs:
    """Images (n, c, y, x) with their masks (n, y, x), both uint8, and the options of each (n, number of options).

    `labels` counts the vocabulary with background, `option_sizes` the values of each option.
    """

    images: Images
    masks: Masks
    options: Options
    labels: int
    option_sizes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.images)
        fits = self.masks.shape == (n, *self.images.shape[2:]) and self.options.shape == (n, len(self.option_sizes))
        if self.images.ndim != 4 or not fits:
            shapes = f"{self.images.shape}, {self.masks.shape}, {self.options.shape}"
            raise ShapeError(f"pairs are {shapes}: images (n, c, y, x), masks (n, y, x) and options (n, k) must fit")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def channels(self) -> int:
        """1 for grey images, 3 for color."""
        return int(self.images.shape[1])
