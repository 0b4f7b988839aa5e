"""Training folders of generated volumes, for tests alone: a shaded ball of a head with a bright ball of a tumor in it."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np

LPS = np.diag([-2.0, -2.0, 10.0, 1.0])
"""Voxel (x, y, z) to RAS mm: 2 mm pixels, slices 10 mm apart, axes to the left, the back and up."""
SIZE = (24, 20, 10)  # (x, y, z)


def head(seed: int, size: tuple[int, int, int] = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """A head (x, y, z) float32 and the mask uint8 of the tumor in it, each seed another."""
    rng = np.random.default_rng(seed)
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in size), indexing="ij")
    radius = np.sqrt(sum(axis**2 for axis in axes))
    center = rng.uniform(-0.3, 0.3, 3)
    tumor = np.sqrt(sum((axis - c) ** 2 for axis, c in zip(axes, center, strict=True))) < 0.35
    ground = rng.normal(100, 60, tuple(-(-n // 4) for n in size))
    for axis in range(3):
        ground = ground.repeat(4, axis)
    ground = ground[: size[0], : size[1], : size[2]]
    image = np.where(radius < 0.95, np.clip(ground, 20, 200) + 150 * tumor, 0)
    return image.astype(np.float32), tumor.astype(np.uint8)


def save_volume(array: np.ndarray, path: Path, affine: np.ndarray = LPS, placed: bool = True) -> Path:
    """Write (x, y, z) or (x, y, z, channel) as NIfTI; not `placed`: without position codes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(array, affine)
    for set_code in (image.set_sform, image.set_qform):
        set_code(affine, code=1 if placed else 0)
    nibabel.save(image, path)
    return path


def write_patients(folder: Path, count: int = 4, image: str = "flair.nii.gz", mask: str = "seg.nii.gz") -> Path:
    """Write a folder a patient; "{}" in a file's name becomes the patient's."""
    for i in range(count):
        name = f"P{i}"
        voxels, tumor = head(i)
        save_volume(voxels, folder / name / image.format(name))
        save_volume(tumor, folder / name / mask.format(name))
    return folder
