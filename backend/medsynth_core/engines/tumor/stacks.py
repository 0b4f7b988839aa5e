"""A volume as the model sees it: 128² pixels over 240 mm, intensities from 0 to 1, the mask as a signed distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor
from torch.nn import functional

from medsynth_core.engines.tumor.body import REACH_MM
from medsynth_core.errors import InputError

PIXELS = 128
FIELD_MM = 240.0
PIXEL_MM = FIELD_MM / PIXELS
FULL = 0.9
"""Where the 99.5th percentile of the head comes to lie."""
GROUND = 0.08
"""Share of the maximum below which a voxel is ground, not head."""


@dataclass(frozen=True)
class Stack:
    """image (z, 128, 128) in [0, 1]; mask (z, 128, 128) shares of tumor in [0, 1]; slice distance in mm."""

    image: npt.NDArray[np.float32]
    mask: npt.NDArray[np.float32]
    slice_mm: float

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distances (z, y, x)."""
        return self.slice_mm, PIXEL_MM, PIXEL_MM

    @property
    def z_mm(self) -> npt.NDArray[np.float32]:
        """Positions of the slices in frame mm."""
        n = len(self.image)
        return ((np.arange(n) - (n - 1) / 2) * self.slice_mm).astype(np.float32)


def make_stack(image: npt.NDArray[np.generic], mask: npt.NDArray[np.generic], spacing_mm: tuple[float, float, float]) -> Stack:
    """Return the stack of a volume and its mask, (z, y, x) along canonical axes. Raises InputError for an empty image."""
    slice_mm, *plane = spacing_mm
    scaled = scale_intensities(np.asarray(image, np.float32))
    return Stack(
        to_field(torch.from_numpy(scaled), (plane[0], plane[1])).clamp(0, 1).numpy(),
        to_field(torch.from_numpy(np.asarray(mask, np.float32)), (plane[0], plane[1])).numpy(),
        float(slice_mm),
    )


def intensity_scale(image: npt.NDArray[np.float32]) -> float:
    """Return the intensity that is shown as 0.9. Raises InputError when no voxel is above 0."""
    top = float(np.percentile(image, 99.9))
    inside = image[image > GROUND * top] if top > 0 else image[:0]
    if inside.size == 0:
        raise InputError("the image is empty: hardly a voxel is above 0")
    return float(np.percentile(inside, 99.5))


def scale_intensities(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return intensities in [0, 1]: the head's 99.5th percentile becomes 0.9, 0 stays 0."""
    return np.clip(image * (FULL / intensity_scale(image)), 0, 1).astype(np.float32)


def to_field(planes: Tensor, spacing_mm: tuple[float, float]) -> Tensor:
    """Return slices (z, y, x) of spacing (y, x) in mm on the model's grid (z, 128, 128), the middle kept, black around."""
    y, x = planes.shape[1:]
    size = [max(1, round(n * mm / PIXEL_MM)) for n, mm in zip((y, x), spacing_mm, strict=True)]
    resized = functional.interpolate(planes[:, None].float(), size=size, mode="bilinear", antialias=True, align_corners=False)
    rows, columns = PIXELS - size[0], PIXELS - size[1]
    pads = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
    return functional.pad(resized, pads)[:, 0]


def distance_of(mask: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
    """Return the signed distance in the plane of masks (z, y, x), over 15 mm, in [−1, 1], positive inside."""
    inside = np.asarray(mask) > 0.5
    return np.stack([_plane_distance(plane) for plane in inside]).astype(np.float32)


def _plane_distance(plane: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    if not plane.any():
        return np.full(plane.shape, -1, np.float32)
    pixels = distance_transform_edt(plane) - distance_transform_edt(~plane)
    pixels -= np.sign(pixels) / 2  # the border runs between the pixels
    return np.clip(pixels * (PIXEL_MM / REACH_MM), -1, 1).astype(np.float32)
