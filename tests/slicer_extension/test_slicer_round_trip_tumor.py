"""A tumor grown into a real background lies in it: the model that ships, a volume anywhere under transforms, SimpleITK's word."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
from MedSynthLib.scripting import Engine

from tests.running import RunningService
from tests.slicer_extension import landmarks

SHAPE = (10, 64, 64)  # k, j, i
CENTER = (5, 30, 36)


@pytest.mark.timeout(300)
def test_a_tumor_grown_into_a_background_lies_where_it_was_asked_for(service: RunningService, tmp_path: Path) -> None:
    """The background's grid and its other voxels stay; what is new lies around the point that VTK says is the one asked for."""
    random, engine = np.random.default_rng(61), Engine()
    matrix = np.eye(4)
    matrix[:3, :3] = landmarks.turned(random) @ np.diag([-2.6, 3.0, 5.0])
    matrix[:3, 3] = random.uniform(-90, 90, 3)
    z, y, x = np.indices(SHAPE)
    head = ((y - 31.5) / 28) ** 2 + ((x - 31.5) / 26) ** 2 + ((z - 4.5) / 12) ** 2 < 1
    voxels = np.where(head, random.integers(80, 100, SHAPE), 0).astype(np.int16)
    background = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "background")
    background.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
    slicer.util.updateVolumeFromArray(background, voxels)
    landmarks.put_under_any(random, background)
    k, j, i = CENTER
    center = landmarks.to_world(background, (matrix @ [i, j, k, 1])[None, :3])[0]
    image, _ = engine.grow_tumor(
        background=background, seed=3, place="given", center_mm=tuple(center.tolist()), extent_mm=(30.0, 30.0, 30.0)
    )
    engine.close()

    made = sitk.ReadImage(written(image, slicer.vtkMRMLNRRDStorageNode(), tmp_path / "image.nrrd"))
    lps = center * [-1, -1, 1]
    assert np.abs(np.array(made.TransformPhysicalPointToContinuousIndex(lps.tolist())) - [i, j, k]).max() < 1e-3
    changed = sitk.GetArrayFromImage(made) != voxels
    assert 0.001 < changed.mean() < 0.1
    parts = sitk.GetImageFromArray(changed.astype(np.uint8))
    parts.CopyInformation(made)
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.Execute(parts)
    assert np.linalg.norm(np.array(shape.GetCentroid(1)) - lps) < 3


def written(node: object, storage: object, path: Path) -> str:
    """Write a node by Slicer's own storage; return the path."""
    storage.SetFileName(str(path))  # type: ignore[attr-defined]
    assert storage.WriteData(node)  # type: ignore[attr-defined]
    return str(path)
