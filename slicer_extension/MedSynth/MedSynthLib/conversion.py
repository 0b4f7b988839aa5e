"""MRML nodes ↔ Volume: the one file that knows Slicer's axes, transforms and label maps.

Slicer's arrays are (k, j, i), of colors (k, j, i, color), and a node's matrix leads from (i, j, k) to RAS millimeters: those are
the (z, y, x) and (x, y, z) of `Volume`. What stands under a linear transform is sent from where it is seen, and the result is
placed there by its own matrix, so the node that was sent is never touched. A transform that bends space cannot be said by a
matrix: such a node is refused.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import slicer
import vtk

from medsynth_core.errors import InputError, ShapeError
from medsynth_core.protocol import OutputInfo
from medsynth_core.volume import Volume
from MedSynthLib import images, layers

BINARY = "Binary labelmap"  # vtkSegmentationConverter's own name for it
VOXEL_TYPES = {np.dtype(name) for name in ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")}
"""What a volume node can hold and every module of Slicer can show; int64 is none of them."""


def volume_of(node: Any) -> Volume:
    """Return a scalar, label or color volume node with its place in the world; the array is a view, not a copy.

    Raises InputError for a node without voxels or under a transform that is not linear.
    """
    if node is not None and not node.IsA("vtkMRMLVolumeNode"):
        raise InputError(f"{_name(node)} is no volume: choose one")
    if node is None or node.GetImageData() is None or not node.GetImageData().GetNumberOfPoints():
        raise InputError(f"{_name(node)} holds no voxels: choose a volume that is loaded")
    voxels = slicer.util.arrayFromVolume(node)
    array = voxels[None] if voxels.ndim == 3 else np.moveaxis(voxels, -1, 0)
    return Volume(array, affine_of(node))


def affine_of(node: Any) -> np.ndarray:
    """Return the (4, 4) matrix from voxel (i, j, k) to world RAS mm, parent transforms included. Raises InputError."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return parent_of(node) @ slicer.util.arrayFromVTKMatrix(matrix)


def one_slice(volume: Volume, k: int) -> Volume:
    """Return slice k of a volume as a volume of one slice, in its place. Raises InputError when there is no such slice."""
    if not 0 <= k < volume.size[0]:
        raise InputError(f"slice is {k}: the volume has the slices 0 to {volume.size[0] - 1}")
    return Volume(volume.array[:, k : k + 1], slice_affine(volume.affine, k))


def slice_affine(affine: np.ndarray, k: int) -> np.ndarray:
    """Return the matrix of slice k of a grid."""
    moved = affine.copy()
    moved[:3, 3] += k * moved[:3, 2]
    return moved


def shown_slice(node: Any, view: str = "Red") -> int:
    """Return which slice k of a volume node a slice view shows, the nearest to the view's middle. Raises InputError.

    Only the volume's own slices can be sent: a view along another of its axes has none.
    """
    if across(node, view) != 2:
        raise InputError(f"the {view} view does not lie along the volume's slices: turn it (Rotate to volume plane)")
    volume = volume_of(node)
    k = round(float((np.linalg.inv(volume.affine) @ _to_ras(view)[:, 3])[2]))
    if not 0 <= k < volume.size[0]:
        raise InputError(f"the {view} view shows a place outside of {_name(node)}: move it to one of its slices")
    return k


def across(node: Any, view: str) -> int:
    """Return the axis of a volume, 0 for i to 2 for k, that runs across a slice view. Raises InputError without such a view."""
    volume = volume_of(node)
    direction = np.linalg.inv(volume.affine)[:3, :3] @ _to_ras(view)[:3, 2]
    return int(np.argmax(np.abs(direction) * volume.spacing_mm[::-1]))


def _to_ras(view: str) -> np.ndarray:
    """Return the (4, 4) matrix of a slice view: right, up, across and middle in world RAS mm."""
    slice_node = slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceNode{view}")
    if slice_node is None:
        raise InputError(f"there is no {view} slice view: send the whole volume")
    return np.array(slicer.util.arrayFromVTKMatrix(slice_node.GetSliceToRAS()))


def middle_of(node: Any) -> tuple[float, float, float]:
    """Return the middle of a volume node (x, y, z) in world RAS mm. Raises as `volume_of` does."""
    volume = volume_of(node)
    z, y, x = ((n - 1) / 2 for n in volume.size)
    right, anterior, superior = (volume.affine @ [x, y, z, 1])[:3].tolist()
    return right, anterior, superior


def parent_of(node: Any) -> np.ndarray:
    """Return the (4, 4) matrix from a node's own millimeters to the world's. Raises InputError when it is no matrix."""
    transform = node.GetParentTransformNode()
    if transform is None:
        return np.eye(4)
    if not transform.IsTransformToWorldLinear():
        raise InputError(
            f"{_name(node)} is under {_name(transform)}, which bends space: harden it first (Transforms module, or right click)"
        )
    matrix = vtk.vtkMatrix4x4()
    transform.GetMatrixTransformToWorld(matrix)
    return np.array(slicer.util.arrayFromVTKMatrix(matrix))


def labels_of(segmentation: Any, grid: Any, values: Mapping[str, int], k: int | None = None) -> Volume:
    """Return the segments on the grid of a volume node, uint8: `values` says segment id → label, later ones lie on top.

    With `k` on that slice of the grid alone, which is as much quicker as the volume has slices.
    Raises InputError for a value beyond 1 to 255, a segment that is gone, or a transform that is not linear.
    """
    if wrong := [value for value in values.values() if not 1 <= value <= 255]:
        raise InputError(f"a segment has the label {wrong[0]}: it must be 1 to 255")
    reference = volume_of(grid) if k is None else one_slice(volume_of(grid), k)
    return Volume(gathered(segmentation, values, reference.affine, reference.size)[None], reference.affine)


def painted(segmentation: Any, values: Mapping[str, int]) -> np.ndarray:
    """Return the labels that have at least one voxel, sorted, looked up where they were painted: no grid, no resampling.

    A segment that is not kept as voxels (a surface) counts as painted.
    """
    parts = {value: segmentation.GetSegmentation().GetSegment(segment) for segment, value in values.items()}
    return np.array(sorted({value for value, part in parts.items() if part is not None and _has_voxels(part)}), np.int64)


def instances_of(labels: Volume) -> Volume:
    """Return labels, each of which may be many objects, as instances: one number a connected part of a slice, uint16.

    Objects that touch are one, unless they have different labels. Raises InputError for more than 65535.
    """
    numbers = np.zeros(labels.array.shape, np.uint16)
    for z in range(labels.size[0]):
        count = 0
        for value in (int(v) for v in np.unique(labels.array[0, z]) if v):
            parts = _connected(labels.array[0, z] == value)
            if count + int(parts.max()) > np.iinfo(np.uint16).max:
                raise InputError(f"slice {z} has more than {np.iinfo(np.uint16).max} objects: send a smaller region")
            numbers[0, z][parts > 0] = parts[parts > 0] + count
            count += int(parts.max())
    return Volume(numbers, labels.affine)


def _connected(inside: np.ndarray) -> np.ndarray:
    """Return the 4-connected parts of a plane (y, x), numbered from 1."""
    filter_ = vtk.vtkImageConnectivityFilter()
    filter_.SetInputData(images.oriented(inside[None].astype(np.uint8), np.eye(4)))
    filter_.SetScalarRange(1, 1)
    filter_.SetExtractionModeToAllRegions()
    filter_.SetLabelModeToSizeRank()
    filter_.SetLabelScalarTypeToInt()
    filter_.GenerateRegionExtentsOff()
    filter_.Update()
    return images.voxels(filter_.GetOutput())[0]


def empty_node(output: OutputInfo, name: str) -> Any:
    """Return a new volume node of zeros for an announced output, in its place; grey, color or label by kind and channels.

    Raises ShapeError when it has neither 1 nor 3 channels, InputError for a type of voxels that Slicer does not hold.
    """
    array = np.broadcast_to(np.zeros((), np.dtype(output.dtype)), _node_shape(output.shape))  # zeros that take no memory
    return _new_node(array, np.array(output.affine, float), name, output.kind == "labels", fitted=False)


def node_from(volume: Volume, name: str, labels: bool = False) -> Any:
    """Return a new volume node that holds a copy of the volume, in its place. Raises as `empty_node` does."""
    channels = volume.array.shape[0]
    _node_shape(volume.array.shape)
    array = volume.array[0] if channels == 1 else np.moveaxis(volume.array, 0, -1)
    return _new_node(np.ascontiguousarray(array), volume.affine, name, labels)


def put_slice(node: Any, z: int, pixels: np.ndarray) -> None:
    """Write slice z, (channel, y, x), into a node's own voxels; whoever wrote enough tells the node that it changed."""
    slicer.util.arrayFromVolume(node)[z] = pixels[0] if pixels.shape[0] == 1 else np.moveaxis(pixels, 0, -1)


def fill_segments(segmentation: Any, labels: Volume, segments: Mapping[int, str]) -> None:
    """Put each label of `labels` into the segment whose id `segments` names, in place of what that segment held.

    The segmentation keeps its transform: what is seen lies where the labels lie in the world.
    """
    matrix = np.linalg.inv(parent_of(segmentation)) @ labels.affine
    for value, segment in segments.items():
        part = images.oriented((labels.array[0] == value).astype(np.uint8), matrix)
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        if not logic.SetBinaryLabelmapToSegment(part, segmentation, segment, logic.MODE_REPLACE, part.GetExtent()):
            raise InputError(f"segment {segment!r} of {_name(segmentation)} cannot be written: it may have been removed")


def there(segmentation: Any, values: Mapping[str, int]) -> dict[str, int]:
    """Return the segments that are there, with their labels."""
    return {segment: value for segment, value in values.items() if segmentation.GetSegmentation().GetSegment(segment) is not None}


def fingerprint(segmentation: Any) -> int:
    """Return a number that changes when anything is painted, or a segment comes or goes; names and colors do not count.

    A label map that several segments share is read once, and only where it is painted: some milliseconds for 512 × 512 × 64.
    """
    inside, prints, found = segmentation.GetSegmentation(), dict[Any, int](), 0
    for segment in inside.GetSegmentIDs():
        part = inside.GetSegment(segment)
        image = part.GetRepresentation(BINARY)
        if image not in prints:
            prints[image] = _print_of(image)
        found = zlib.crc32(f"{segment} {part.GetLabelValue()} {prints[image]}".encode(), found)
    return found


def _print_of(image: Any) -> int:
    """Return a number that tells what is painted in a label map and where, however large the map around it is."""
    if image is None or images.is_empty(image):
        return 0
    voxels, first = images.voxels(image), images.first_voxel(image)
    if (box := images.painted_box(voxels)) is None:
        return 0
    voxels, first = voxels[box], first + [part.start for part in reversed(box)]
    place = images.place_of(image)
    corner = np.column_stack([place[:3, :3], place[:3, :3] @ first + place[:3, 3]]).astype(np.float32)
    return zlib.crc32(np.ascontiguousarray(voxels).data, zlib.crc32(f"{voxels.shape} {corner.tolist()}".encode()))


def label_map(output: OutputInfo) -> tuple[Any, np.ndarray]:
    """Return an empty label map for an announced output, and its voxels (z, y, x) to be written in place."""
    image = images.oriented(np.zeros(output.shape[1:], np.dtype(output.dtype)), np.array(output.affine, float))
    return image, images.voxels(image)


def share_label_map(segmentation: Any, image: Any, value: int, name: str, color: tuple[float, float, float] | None) -> None:
    """Add a segment that is the label `value` in a label map which several segments share."""
    segment = slicer.vtkSegment()
    segment.SetName(name)
    segment.SetLabelValue(value)
    if color is not None:
        segment.SetColor(*color)
    segment.AddRepresentation(BINARY, image)
    segmentation.GetSegmentation().SetSourceRepresentationName(BINARY)
    segmentation.GetSegmentation().AddSegment(segment)


def tell_changed(segmentation: Any, image: Any) -> None:
    """Tell Slicer that a label map of a segmentation was written in place."""
    segmentation.GetSegmentation().InvalidateNonSourceRepresentations()
    image.GetPointData().GetScalars().Modified()
    image.Modified()  # the segmentation hears of it and tells its watchers


def set_grid(segmentation: Any, grid: Any) -> None:
    """Let a segmentation be painted on the grid of a volume node."""
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(grid)


def fix_window(node: Any, low: float, high: float) -> None:
    """Show a grey volume from `low` to `high` from now on, whatever comes into it."""
    display = node.GetDisplayNode()
    if display is not None and node.IsA("vtkMRMLScalarVolumeNode") and not node.IsA("vtkMRMLLabelMapVolumeNode"):
        display.SetAutoWindowLevel(0)
        display.SetWindowLevelMinMax(low, high)


def gathered(segmentation: Any, values: Mapping[str, int], affine: np.ndarray, size: tuple[int, int, int]) -> np.ndarray:
    """Return segments on a grid, uint8 (z, y, x), later ones on top; only label maps off its voxels are resampled."""
    labels = np.zeros(size, np.uint8)
    to_grid, place = np.linalg.inv(affine) @ parent_of(segmentation), None
    for image, group in layers.layers_of(segmentation.GetSegmentation(), values, BINARY):
        if layers.lay(labels, image, to_grid, group):
            continue
        if layers.is_read_by(group, image) and _lay_resampled(labels, image, to_grid, group):
            continue
        place = place or images.oriented(np.zeros(size, np.uint8), affine)
        for segment in group.segments:
            labels[_segment_on(segmentation, segment, place) != 0] = values[segment]
    return labels


def _segment_on(segmentation: Any, segment: str, grid: Any) -> np.ndarray:
    """Return one segment on a grid, (k, j, i), nonzero inside; the segmentation's transform is heeded."""
    image = slicer.vtkOrientedImageData()
    if segmentation.GetSegmentation().GetSegment(segment) is None:
        raise InputError(f"segment {segment!r} is not in {_name(segmentation)}: it may have been removed")
    if not segmentation.GetBinaryLabelmapRepresentation(segment, image):
        raise InputError(f"{_name(segmentation)} has no binary labelmap: make one in the Segmentations module (Representations)")
    on_grid = _on_grid(image, parent_of(segmentation) @ images.place_of(image), grid)
    if on_grid is None:
        raise InputError(f"segment {segment!r} of {_name(segmentation)} cannot be brought onto the volume's grid")
    return images.voxels(on_grid)


def _lay_resampled(labels: np.ndarray, image: Any, to_grid: np.ndarray, group: layers.Group) -> bool:
    """Do as `layers.lay` for a label map off the grid's voxels, resampled once, and only where it is painted."""
    matrix = to_grid @ images.place_of(image)
    if (box := images.painted_box(images.voxels(image))) is None:
        return True
    low, high = images.reach(box, images.first_voxel(image), matrix, labels.shape)
    if (high <= low).any():
        return True
    place = np.eye(4)
    place[:3, 3] = low[::-1]
    shared = _on_grid(image, matrix, images.oriented(np.zeros(tuple(high - low), np.uint8), place))
    return shared is not None and layers.lay(labels, shared, np.eye(4), group)


def _on_grid(image: Any, matrix: np.ndarray, grid: Any) -> Any:
    """Return a label map, seen where `matrix` puts it, on the voxels of another image; None where Slicer cannot."""
    placed, on_grid = slicer.vtkOrientedImageData(), slicer.vtkOrientedImageData()
    placed.ShallowCopy(image)
    images.place(placed, matrix)
    resample = slicer.vtkOrientedImageDataResample
    return on_grid if resample.ResampleOrientedImageToReferenceOrientedImage(placed, grid, on_grid, False, False) else None


def _has_voxels(part: Any) -> bool:
    image = part.GetRepresentation(BINARY)
    if image is None:
        return part.GetNumberOfRepresentations() > 0
    return not images.is_empty(image) and bool((images.voxels(image) == part.GetLabelValue()).any())


def _node_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    channels, *grid = shape
    if channels not in (1, 3):
        raise ShapeError(f"the result has {channels} channels: an image has 1 or 3")
    return (*grid,) if channels == 1 else (*grid, channels)


def _new_node(array: np.ndarray, affine: np.ndarray, name: str, labels: bool, fitted: bool = True) -> Any:
    """Return a node of these voxels; to fit a window to them takes Slicer 0.1 s and more for 16 bits: for whole images only."""
    if array.dtype not in VOXEL_TYPES:
        raise InputError(f"voxels are {array.dtype}: Slicer holds {', '.join(sorted(str(t) for t in VOXEL_TYPES))}")
    kind = "LabelMap" if labels else "Scalar" if array.ndim == 3 else "Vector"
    node = slicer.mrmlScene.AddNewNodeByClass(f"vtkMRML{kind}VolumeNode", slicer.mrmlScene.GenerateUniqueName(name))
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(affine))
    if not fitted:
        node.CreateDefaultDisplayNodes()  # before there are voxels
        fix_window(node, 0, 255)
    slicer.util.updateVolumeFromArray(node, array)
    node.CreateDefaultDisplayNodes()
    return node


def _name(node: Any) -> str:
    return node.GetName() or node.GetClassName() if node is not None else "no node"
