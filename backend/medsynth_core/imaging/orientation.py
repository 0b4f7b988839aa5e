"""A volume turned so that its axes run as anatomy does: x to the patient's left, y to the back, z upwards (LPS)."""

from __future__ import annotations

import numpy as np
from nibabel import orientations

from medsynth_core.volume import Affine, Volume

CANONICAL = "LPS"


def axes_of(affine: Affine) -> str:
    """Return where the voxel axes x, y, z run to, each as the nearest of L R, P A and S I; canonical is "LPS"."""
    return "".join(orientations.aff2axcodes(affine))


def canonical(volume: Volume) -> Volume:
    """Return the same voxels with axes in canonical order and direction: turned in right angles, never resampled."""
    turn = orientations.ornt_transform(orientations.io_orientation(volume.affine), orientations.axcodes2ornt(CANONICAL))
    spatial = volume.array.transpose(3, 2, 1, 0)  # (x, y, z, c)
    turned = orientations.apply_orientation(spatial, turn)
    affine = volume.affine @ orientations.inv_ornt_aff(turn, spatial.shape[:3])
    return Volume(np.ascontiguousarray(turned.transpose(3, 2, 1, 0)), affine)
