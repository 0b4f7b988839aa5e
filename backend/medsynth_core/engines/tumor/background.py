"""What a tumor grows on: nothing, or a real volume that is kept.

    background ── scaled as in training ──▶ on the model's grid (its own slices) ──encode──▶ latents
    lesion     ── free only where the ellipsoid of its extents, 5 mm wider, touches a latent's cell
    result     ── background + α · (made − background)     α: 1 inside that ellipsoid, falling to 0 over the 5 mm around

Where α is 0 every voxel is the background's, bit for bit; slices that α does not touch are not even decoded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from medsynth_core.engines.tumor.body import MARGIN, ellipsoid, hints, kept_free, outer_half_mm
from medsynth_core.engines.tumor.frame import Frame, frame_of, positions
from medsynth_core.engines.tumor.model import TumorModel
from medsynth_core.engines.tumor.shape import TumorShape
from medsynth_core.engines.tumor.stacks import FULL, PIXEL_MM, intensity_scale
from medsynth_core.engines.tumor.style import FOREGROUND, Head, Style, style_of
from medsynth_core.errors import InputError, ParameterError, ShapeError
from medsynth_core.volume import Volume

Plane = npt.NDArray[Any]
Planes = npt.NDArray[np.float32]
NO_TUMOR = -1.0
CUT = 0.5
"""A head goes on where the outermost slices show more than this share of its largest section."""
VISIBLE = 0.5
"""A voxel is tumor only where at least this share of it is seen."""


class Ground(Protocol):
    """What is there before the tumor. Slices are the frame's, tensors are on the model's grid."""

    @property
    def grown(self) -> range:
        """The slices that are made; the others stay as they are."""

    @property
    def dtype(self) -> str:
        """The type of the image."""

    def known(self, z: int) -> Tensor:
        """Return the latent (8, h, w) of what is there, 0 where nothing is."""

    def free(self, z: int) -> Tensor:
        """Return (1, h, w), 1 where the slice is to be made."""

    def joined(self, z: int, image: Tensor, distance: Tensor) -> tuple[Plane, Plane]:
        """Return (image, mask) on the frame's grid of a decoded slice: image (y, x) in [0, 1], signed distance (y, x)."""

    def untouched(self, z: int) -> Plane:
        """Return the image (y, x) of a slice that is not grown."""

    def shown(self, plane: Plane) -> Planes:
        """Return a slice (y, x) of the finished image as the model sees it, (128, 128) in [0, 1]."""


@dataclass(frozen=True, eq=False)
class Blank:
    """Nothing: every slice is new, and the image is uint8."""

    frame: Frame
    latent_shape: tuple[int, int, int]
    dtype: str = "uint8"

    @property
    def grown(self) -> range:
        """All slices."""
        return range(self.frame.shape[0])

    def known(self, z: int) -> Tensor:
        """Return zeros."""
        return torch.zeros(self.latent_shape)

    def free(self, z: int) -> Tensor:
        """Return ones."""
        return torch.ones(1, *self.latent_shape[1:])

    def joined(self, z: int, image: Tensor, distance: Tensor) -> tuple[Plane, Plane]:
        """Return the slice as it was made, on the frame's grid."""
        planes = self.frame.from_model(image[None].numpy())[0]
        mask = self.frame.from_model(distance[None].numpy(), outside=NO_TUMOR)[0] > 0
        return np.rint(planes.clip(0, 1) * 255).astype(np.uint8), mask.astype(np.uint8)

    def untouched(self, z: int) -> Plane:
        """Never asked for: all slices are grown."""
        raise AssertionError("a new volume has no slice that is not grown")

    def shown(self, plane: Plane) -> Planes:
        """Return a slice on the model's grid, as bright as it was made."""
        return self.frame.to_model(plane[None].astype(np.float32) / 255)[0]


@dataclass(frozen=True, eq=False)
class Background:
    """A real volume, read: voxels (z, y, x) along the frame's axes, and how its intensities become the model's.

    `ground` is the intensity shown as 0, `top` the one shown as 0.9.
    """

    frame: Frame
    voxels: Plane
    ground: float
    top: float

    @classmethod
    def read(cls, volume: Volume) -> Background:
        """Return a background. Raises ShapeError for colors, InputError for NaN, infinity and volumes without a head."""
        if len(volume.array) != 1:
            raise ShapeError(f"background has {len(volume.array)} channels: it must be grey; choose one channel of it")
        frame = frame_of(volume)
        voxels = frame.canonical(volume.array[0])
        if voxels.dtype.kind == "f" and not np.isfinite(voxels).all():
            raise InputError("the background holds NaN or infinite values: replace them first")
        # 0 stays 0; a volume that goes below it (Hounsfield units, z-scores) starts at its air
        ground = min(0.0, float(np.percentile(voxels.astype(np.float32), 1))) if voxels.min() < 0 else 0.0
        return cls(frame, voxels, ground, intensity_scale(voxels.astype(np.float32) - np.float32(ground)))

    @cached_property
    def stack(self) -> Planes:
        """The volume as the model sees it: (z, 128, 128) in [0, 1]."""
        return np.concatenate([self.frame.to_model(self.scaled(plane)[None]) for plane in self.voxels]).clip(0, 1)

    @cached_property
    def style(self) -> Style:
        """How it looks. Raises InputError when it has no head."""
        return style_of(self.stack, (self.frame.spacing_mm[0], PIXEL_MM, PIXEL_MM))

    @property
    def is_cut(self) -> bool:
        """Whether the head goes on above and below, so that its height cannot be seen."""
        area = (self.stack > FOREGROUND).sum(axis=(1, 2))
        return bool(min(area[0], area[-1]) > CUT * area.max())

    def scaled(self, plane: Plane) -> Planes:
        """Return intensities as the model has them, in [0, 1]."""
        return np.clip((plane.astype(np.float32) - self.ground) * (FULL / self.top), 0, 1).astype(np.float32)

    def unscaled(self, plane: Planes) -> npt.NDArray[np.float64]:
        """Return the model's intensities as the background has them."""
        return np.asarray(plane.astype(np.float64) * (self.top / FULL) + self.ground)


@dataclass(frozen=True, eq=False)
class Kept:
    """A background with a lesion asked for: it stays as it is but for the lesion's surroundings.

    Raises ParameterError when the lesion would lie outside the model's field or between two slices.
    """

    background: Background
    model: TumorModel
    shape: TumorShape
    head: Head
    _latents: dict[int, Tensor] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not bool(self._region.any()):
            raise ParameterError(
                f"the lesion asked for touches no slice of the background within the model's {self.model.field_mm:g} mm: "
                "ask for a larger one, or for another place"
            )

    @cached_property
    def _region(self) -> Tensor:
        """Where the lesion may grow, (z, 1, h, w)."""
        z_mm = torch.from_numpy(self.background.frame.z_mm)
        side = self.model.latent_shape[-1]
        return kept_free(hints(self.shape, self.head, z_mm, side, self.model.field_mm))

    @cached_property
    def grown(self) -> range:
        """The slices that the lesion touches."""
        touched = torch.nonzero(self._region.flatten(1).any(dim=1)).flatten().tolist()
        return range(touched[0], touched[-1] + 1)

    @property
    def dtype(self) -> str:
        """The background's type."""
        return str(self.background.voxels.dtype)

    def known(self, z: int) -> Tensor:
        """Return the background's latent; encoded alone, so that it never depends on what else is encoded."""
        if z not in self._latents:
            image = torch.from_numpy(self.background.stack[z : z + 1])
            self._latents[z] = self.model.encode(image, torch.full_like(image, NO_TUMOR))[0]
        return self._latents[z]

    def free(self, z: int) -> Tensor:
        """Return where this slice is to be made."""
        return self._region[z]

    def joined(self, z: int, image: Tensor, distance: Tensor) -> tuple[Plane, Plane]:
        """Return the background with the lesion blended in, in the background's type."""
        frame, before = self.background.frame, self.background.voxels[z]
        share = self._share(z)
        made = self.background.unscaled(frame.from_model(image[None].numpy())[0])
        mask = (frame.from_model(distance[None].numpy(), outside=NO_TUMOR)[0] > 0) & (share >= VISIBLE)
        blended = _as_type(before + share * (made - before), before.dtype)
        return np.where(share > 0, blended, before), mask.astype(np.uint8)

    def untouched(self, z: int) -> Plane:
        """Return the background's slice."""
        return self.background.voxels[z]

    def shown(self, plane: Plane) -> Planes:
        """Return a slice on the model's grid, its intensities scaled as the background's."""
        return self.background.frame.to_model(self.background.scaled(plane)[None])[0]

    def _share(self, z: int) -> npt.NDArray[np.float64]:
        """Return α (y, x) of a slice."""
        frame = self.background.frame
        distance = ellipsoid(_points(frame, z), self.shape.center_mm, outer_half_mm(self.shape)).numpy()
        return np.where(self._reached, np.clip(distance / MARGIN + 1, 0, 1), 0)

    @cached_property
    def _reached(self) -> npt.NDArray[np.bool_]:
        """Where on the background's plane (y, x) the model's field lies."""
        pixels = self.model.pixels
        return np.asarray(self.background.frame.from_model(np.ones((1, pixels, pixels), np.float32))[0] > 0.999)


def _points(frame: Frame, z: int) -> Tensor:
    """Return the places (3, y, x) in frame mm of the voxels of a slice."""
    _, rows, columns = frame.shape
    _, row_mm, column_mm = frame.spacing_mm
    y, x = np.meshgrid(positions(rows, row_mm), positions(columns, column_mm), indexing="ij")
    return torch.from_numpy(np.stack([x, y, np.full_like(x, frame.z_mm[z])]))


def _as_type(values: npt.NDArray[np.float64], dtype: np.dtype[Any]) -> Plane:
    if dtype.kind not in "iu":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return np.rint(values).clip(limits.min, limits.max).astype(dtype)
