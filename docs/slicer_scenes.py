"""What is drawn for the tutorial of 3D Slicer: nodes made by the extension's own code, service and models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk
from MedSynthLib import conversion, segments
from MedSynthLib.scripting import Engine
from slicer_drawing import EDGES, Look, Place

from medsynth_core.protocol import LabelInfo
from medsynth_core.volume import Volume

TUMOR = LabelInfo(1, "tumor", "#f28e2b")
PLANES = {
    "Red": ("axial", (-1, 0, 0), (0, -1, 0)),
    "Yellow": ("sagittal", (0, -1, 0), (0, 0, -1)),
    "Green": ("coronal", (-1, 0, 0), (0, 0, -1)),
}
"""The planes of the model brain-slice and, in RAS, where columns and rows of an image of that plane run to."""
VOXEL_MM, PIXELS = 1.7, 128
MARKER = (40.0, 25.0, 30.0)
"""A world point to the right, in front and above, mm."""


@dataclass(frozen=True)
class Scene:
    """What the three views show: a volume node each, segmentation nodes over all of them, and where they look."""

    volumes: Mapping[str, Any]
    segmentations: tuple[Any, ...]
    look: Look


def synthetic(engine: Engine) -> Scene:
    """One painted tumor, and an image of it in each of the three planes that brain-slice knows, made on that plane's own grid."""
    place = (32.0, 10.0, 22.0)
    tumor = ellipsoid(place, (17, 21, 15))
    results = {}
    for view, (plane, columns, rows) in PLANES.items():
        grid = empty_grid(place, columns, rows)
        results[view] = engine.synthesize(tumor, grid, "brain-slice", seed=7, tumor="meningioma", plane=plane)
    return Scene(results, (tumor,), Look(place, (0, 0, 0), 1.05 * VOXEL_MM * PIXELS))


def grown(engine: Engine) -> Scene:
    """A tumor volume of its own: voxels of 1.9 x 1.9 x 4.6 mm or so, as the training data had them."""
    center = (-30.0, 15.0, 10.0)
    image, mask = engine.grow_tumor(volume_ml=45, sphericity=0.9, center_mm=center, seed=4)
    return Scene(dict.fromkeys(EDGES, image), (mask,), Look(center, conversion.middle_of(image), 240))


def refined(engine: Engine, scene: Scene) -> Scene:
    """A rough mask of a grown volume and its refinement; the volume is mirrored in storage and lies under a turned transform."""
    image, mask = scene.volumes["Red"], scene.segmentations[0]
    turned = mirrored_and_turned(image)
    truth = conversion.labels_of(mask, image, segments.label_values(mask)).array[..., ::-1]
    rough = segments.new_segmentation(turned, (LabelInfo(1, "tumor", "#f7e463"),), "rough")
    ids = list(rough.GetSegmentation().GetSegmentIDs())
    conversion.fill_segments(rough, Volume(blocky(truth), conversion.affine_of(turned)), {1: ids[0]})
    better = engine.refine(turned, rough, seed=3, strength="redraw")
    better.GetSegmentation().GetNthSegment(0).SetColor(0.0, 0.75, 0.7)
    found = conversion.labels_of(better, turned, segments.label_values(better))
    look = Look(middle_of(found), conversion.middle_of(turned), scene.look.span_mm)
    return Scene(dict.fromkeys(EDGES, turned), (rough, better), look)


def grown_into(engine: Engine, scene: Scene) -> Scene:
    """A second tumor on the right of the turned head of `refined`, which is kept: the result lies where that is seen."""
    head = scene.volumes["Red"]
    right, anterior, superior = middle = conversion.middle_of(head)
    center = (right + 32, anterior - 5, superior + 8)
    image, mask = engine.grow_tumor(volume_ml=30, sphericity=0.9, center_mm=center, background=head, seed=7)
    return Scene(dict.fromkeys(EDGES, image), (mask,), Look(center, middle, scene.look.span_mm))


def far_from_asked(scene: Scene) -> float:
    """Return how far the middle of a scene's tumor lies from where its views cut, which is where it was asked for, mm."""
    image, mask = scene.volumes["Red"], scene.segmentations[0]
    found = middle_of(conversion.labels_of(mask, image, segments.label_values(mask)))
    return float(np.linalg.norm(np.array(found) - scene.look.point))


def marker() -> Any:
    """Return an oblique, anisotropic, left-handed volume that is black but for the voxel at MARKER."""
    voxels = np.zeros((1, 9, 21, 25), np.uint8)
    voxels[0, 2, 6, 17] = 255  # not in the middle: a mirrored array would pass there
    turn = vtk.vtkTransform()
    turn.RotateWXYZ(33, 0.3, -0.5, 0.8)
    turn.Scale(-0.9, 1.4, 3.1)
    affine = np.array(slicer.util.arrayFromVTKMatrix(turn.GetMatrix()))
    affine[:3, 3] = np.array(MARKER) - affine[:3, :3] @ [17, 6, 2]
    node = conversion.node_from(Volume(voxels, affine), "marker")
    conversion.fix_window(node, 0, 255)
    return node


def ellipsoid(center: Place, radii_mm: Place) -> Any:
    """Return a segmentation of one ellipsoid, on a grid of 1 mm in RAS around it."""
    reach = np.array(radii_mm) + 4
    corner = np.array(center) - reach
    affine = np.eye(4)
    affine[:3, 3] = corner
    x, y, z = (int(2 * r) + 1 for r in reach)
    k, j, i = np.ogrid[:z, :y, :x]
    away = sum(((n - r) / s) ** 2 for n, r, s in zip((i, j, k), reach, radii_mm, strict=True))
    labels = Volume((away <= 1).astype(np.uint8)[None], affine)
    node = segments.new_segmentation(conversion.node_from(labels, "grid"), (TUMOR,), "painted")
    conversion.fill_segments(node, labels, {1: node.GetSegmentation().GetNthSegmentID(0)})
    return node


def empty_grid(through: Place, columns: tuple[int, ...], rows: tuple[int, ...]) -> Any:
    """Return a volume of one empty slice through a world point; its middle is the world's in both of its directions."""
    right, down = np.array(columns, float), np.array(rows, float)
    across = np.cross(right, down)
    affine = np.eye(4)
    affine[:3, :3] = np.stack([right, down, across], axis=1) * VOXEL_MM
    affine[:3, 3] = across * (across @ through) - VOXEL_MM * (PIXELS - 1) / 2 * (right + down)
    return conversion.node_from(Volume(np.zeros((1, 1, PIXELS, PIXELS), np.uint8), affine), "slice")


def mirrored_and_turned(node: Any) -> Any:
    """Return a copy of a volume node with a left-handed matrix, under a transform that turns and shifts."""
    volume = conversion.volume_of(node)
    x = volume.size[2]
    mirror = np.diag([-1.0, 1, 1, 1])
    mirror[0, 3] = x - 1
    copy = conversion.node_from(Volume(np.ascontiguousarray(volume.array[..., ::-1]), volume.affine @ mirror), "head, turned")
    window = node.GetDisplayNode()
    conversion.fix_window(copy, window.GetWindowLevelMin(), window.GetWindowLevelMax())
    turn = vtk.vtkTransform()
    turn.Translate(6, -4, 9)
    turn.RotateWXYZ(18, 0.5, 0.3, 0.8)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "turned")
    transform.SetMatrixTransformToParent(turn.GetMatrix())
    copy.SetAndObserveTransformNodeID(transform.GetID())
    return copy


def blocky(labels: np.ndarray, side: int = 8) -> np.ndarray:
    """Return labels (1, z, y, x) as a coarse hand would paint them: blocks of `side` pixels, on where half of a block is."""
    _, z, y, x = labels.shape
    tall, wide = y // side * side, x // side * side
    shares = (labels[0, :, :tall, :wide] > 0).reshape(z, tall // side, side, wide // side, side).mean((2, 4))
    rough = np.zeros_like(labels)
    rough[0, :, :tall, :wide] = (shares >= 0.5).repeat(side, 1).repeat(side, 2)
    return rough


def middle_of(labels: Volume) -> Place:
    """Return the middle of all that is labeled, in world RAS mm."""
    z, y, x = np.argwhere(labels.array[0] > 0).mean(0)
    right, anterior, superior = (labels.affine @ [x, y, z, 1])[:3].tolist()
    return right, anterior, superior
