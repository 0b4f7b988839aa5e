"""From a user's grid to a model's and back, 2-D."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional


def labels_to_grid(labels: npt.NDArray[np.uint8], count: int, size: tuple[int, int]) -> Tensor:
    """Return a label map (y, x) as (count, *size): the share of each label in each pixel of the model's grid.

    Shares rather than the nearest label: a lesion smaller than a pixel of the grid is then faint, not lost.
    """
    one_hot = functional.one_hot(torch.from_numpy(labels).long(), count).permute(2, 0, 1).float()
    return functional.interpolate(one_hot[None], size=size, mode="area")[0]


def image_from_grid(image: Tensor, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Return an image (channels, y, x) in [−1, 1] as uint8 (channels, *size)."""
    if tuple(image.shape[-2:]) != tuple(size):
        image = functional.interpolate(image[None].float(), size=size, mode="bicubic", antialias=True)[0]
    return ((image.clamp(-1, 1) + 1) * 127.5).round().byte().cpu().numpy()
