"""An array with its place in the world: the one file that knows axes and world coordinates.

Array axes are (channel, z, y, x). The affine maps the voxel index (x, y, z, 1), in that order, to world millimeters in RAS,
as NIfTI does. A 2-D image is a volume of one slice. Viewers convert at their own border, once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from medsynth_core.errors import InputError, ShapeError

Affine = npt.NDArray[np.float64]


def affine_from_spacing(spacing_mm: tuple[float, float, float], origin_mm: tuple[float, float, float] = (0, 0, 0)) -> Affine:
    """Return the (4, 4) affine of an unrotated grid with spacing (z, y, x) in mm and origin (x, y, z) in world mm."""
    z, y, x = spacing_mm
    affine = np.diag([x, y, z, 1.0])
    affine[:3, 3] = origin_mm
    return affine


@dataclass(frozen=True, eq=False)
class Volume:
    """An array (channel, z, y, x) and the affine (4, 4) that places it in world RAS millimeters.

    Raises ShapeError when the array has not four axes or an empty one, InputError when the affine is not invertible.
    """

    array: npt.NDArray[np.generic]
    affine: Affine = field(default_factory=lambda: np.eye(4))

    def __post_init__(self) -> None:
        if self.array.ndim != 4 or 0 in self.array.shape:
            raise ShapeError(f"array is {self.array.shape}: it must be (channel, z, y, x) with no empty axis")
        affine = np.asarray(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-12:
            raise InputError("affine must be a finite, invertible (4, 4) matrix from voxel (x, y, z) to world mm")
        object.__setattr__(self, "affine", affine)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """The distance between voxel centers along (z, y, x) in mm."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(z), float(y), float(x)

    @property
    def size(self) -> tuple[int, int, int]:
        """The grid (z, y, x) in voxels."""
        _, z, y, x = self.array.shape
        return z, y, x

    def with_array(self, array: npt.NDArray[np.generic]) -> Volume:
        """Return another array on the same grid. Raises ShapeError when its grid differs."""
        if array.shape[1:] != self.array.shape[1:]:
            raise ShapeError(f"array is {array.shape[1:]}, the grid {self.array.shape[1:]}: they must match (z, y, x)")
        return Volume(array, self.affine)

    @classmethod
    def from_image(cls, image: npt.ArrayLike, spacing_mm: tuple[float, float] = (1.0, 1.0)) -> Volume:
        """Return a 2-D image (y, x) or (y, x, 3) as a volume of one slice, spacing (y, x) in mm."""
        pixels = np.asarray(image)
        if pixels.ndim == 2:
            array = pixels[None, None]
        elif pixels.ndim == 3 and pixels.shape[2] in (1, 3):
            array = np.moveaxis(pixels, 2, 0)[:, None]
        else:
            raise ShapeError(f"image is {pixels.shape}: it must be (y, x), (y, x, 1) or (y, x, 3)")
        return cls(array, affine_from_spacing((1.0, *spacing_mm)))

    def to_image(self) -> npt.NDArray[np.generic]:
        """Return the single slice as (y, x) or (y, x, channel). Raises ShapeError when there are several slices."""
        if self.array.shape[1] != 1:
            raise ShapeError(f"volume has {self.array.shape[1]} slices: only a single slice is an image")
        pixels = np.moveaxis(self.array[:, 0], 0, -1)
        return pixels[..., 0] if pixels.shape[-1] == 1 else pixels
