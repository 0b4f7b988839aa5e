"""A tumor's box follows the numbers and the numbers follow the box; Slicer itself says where its corners are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import slicer
import vtk
from MedSynthLib import tumor_roi
from MedSynthLib.tumor_roi import BoxWatch

from medsynth_core.errors import InputError
from tests.slicer_extension.test_slicer_conversion import put_under

CENTER, EXTENT = (-30.0, 10.0, 5.5), (20.0, 30.0, 12.0)


def bounds(box: Any) -> np.ndarray:
    """Where Slicer says the box reaches in the world: low and high along x, y, z."""
    found = np.zeros(6)
    box.GetRASBounds(found)
    return found.reshape(3, 2)


def moved_by(box: Any, x: float) -> None:
    """Drag the box as a user does."""
    center = np.add(box.GetCenterWorld(), (x, 0, 0))
    box.SetCenterWorld(*center)


def test_numbers_put_the_box_where_they_say() -> None:
    box = tumor_roi.new_box(CENTER, EXTENT)
    low, high = np.array(CENTER) - np.array(EXTENT) / 2, np.array(CENTER) + np.array(EXTENT) / 2
    assert np.allclose(bounds(box), np.stack([low, high], 1), atol=1e-3)
    assert np.allclose(tumor_roi.read(box), (CENTER, EXTENT), atol=1e-3)


def test_a_box_under_a_transform_still_lies_where_the_numbers_say() -> None:
    box = tumor_roi.new_box((0, 0, 0), (1, 1, 1))
    put_under(box)
    tumor_roi.write(box, CENTER, EXTENT)
    assert np.allclose(box.GetCenterWorld(), CENTER, atol=1e-3)
    assert np.allclose(tumor_roi.read(box), (CENTER, EXTENT), atol=1e-3)


def test_of_a_turned_box_the_upright_hull_counts() -> None:
    box = tumor_roi.new_box(CENTER, (20, 20, 10))
    turn = vtk.vtkTransform()
    turn.Translate(*CENTER)
    turn.RotateZ(45)
    box.SetAndObserveObjectToNodeMatrix(turn.GetMatrix())
    center, extent = tumor_roi.read(box)
    assert np.allclose(center, CENTER, atol=1e-3)
    assert np.allclose(extent, (20 * np.sqrt(2), 20 * np.sqrt(2), 10), atol=1e-3)


def test_a_box_that_is_dragged_tells_its_numbers_and_one_that_is_placed_does_not() -> None:
    heard: list[Any] = []
    watch = BoxWatch(tumor_roi.new_box(CENTER, EXTENT), lambda center, extent: heard.append((center, extent)))
    watch.place((1, 2, 3), (4, 5, 6))
    assert heard == []
    moved_by(watch.box, 7.0)
    assert np.allclose(heard[-1], ((8, 2, 3), (4, 5, 6)), atol=1e-3)
    watch.place(*heard[-1])
    assert np.allclose(tumor_roi.read(watch.box), heard[-1], atol=1e-3)
    count = len(heard)
    watch.close()
    moved_by(watch.box, 1.0)
    assert len(heard) == count


def test_moving_the_transform_above_a_box_tells_its_numbers() -> None:
    heard: list[Any] = []
    box = tumor_roi.new_box(CENTER, EXTENT)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "patient")
    box.SetAndObserveTransformNodeID(transform.GetID())
    watch = BoxWatch(box, lambda center, extent: heard.append(center))
    move = vtk.vtkTransform()
    move.Translate(0, 0, 9)
    transform.SetMatrixTransformToParent(move.GetMatrix())
    assert np.allclose(heard[-1], (-30, 10, 14.5), atol=1e-3)
    watch.close()


def test_a_box_that_is_deleted_is_silent() -> None:
    heard: list[Any] = []
    watch = BoxWatch(tumor_roi.new_box(CENTER, EXTENT), lambda *news: heard.append(news))
    slicer.mrmlScene.RemoveNode(watch.box)
    moved_by(watch.box, 3.0)
    watch.close()
    assert heard == []


def test_a_flat_box_is_refused() -> None:
    with pytest.raises(InputError, match="must be above 0 mm"):
        tumor_roi.new_box(CENTER, (10, 0, 10))
