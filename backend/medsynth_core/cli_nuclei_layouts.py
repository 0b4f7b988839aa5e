"""The pairs of `msynth nuclei` once more, in the form that a tool learns from.

stardist    stardist/images/*.tif, stardist/masks/*.tif                 as in the examples of StarDist
coco        coco/annotations.json: one category, run-length masks        image files are those of images/
hovernet    hovernet/Images/*.png, hovernet/Labels/*.mat: inst_map, inst_type, inst_centroid     as CoNSeP
"""

from __future__ import annotations

import enum
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from medsynth_core.cli_nuclei_order import Piece

Field = npt.NDArray[np.integer]


class Layout(enum.StrEnum):
    """The forms there are."""

    STARDIST = "stardist"
    COCO = "coco"
    HOVERNET = "hovernet"


def lay_out(layout: Layout, folder: Path, pieces: Sequence[Piece]) -> None:
    """Write the pairs that are there in one more form, in a folder named after it; files are replaced, each as a whole."""
    target = folder / layout.value
    target.mkdir(exist_ok=True)
    _WRITERS[layout](target, pieces)


def run_lengths(mask: npt.NDArray[np.bool_]) -> list[int]:
    """Return COCO's uncompressed run lengths of a mask (y, x): column by column, beginning with a run of zeros."""
    flat = mask.ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(np.concatenate([[0], changes, [flat.size]])).tolist()
    return [0, *runs] if flat[0] else runs


def _stardist(target: Path, pieces: Sequence[Piece]) -> None:
    import tifffile

    for name in ("images", "masks"):
        (target / name).mkdir(exist_ok=True)
    for piece in pieces:
        pixels = np.ascontiguousarray(np.moveaxis(_image(piece), 0, -1))
        for name, array in (("images", pixels), ("masks", _instances(piece).astype(np.uint16))):
            content = io.BytesIO()
            tifffile.imwrite(content, array, compression="zlib", photometric="rgb" if array.ndim == 3 else "minisblack")
            _write(target / name / f"{piece.name}.tif", content.getvalue())


def _coco(target: Path, pieces: Sequence[Piece]) -> None:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, piece in enumerate(pieces, 1):
        field = _instances(piece)
        y, x = field.shape
        images.append({"id": number, "file_name": f"../images/{piece.image.name}", "height": y, "width": x})
        annotations += [
            {"id": len(annotations) + i, "image_id": number, "category_id": 1, "iscrowd": 0, **shape}
            for i, shape in enumerate(_shapes(field), 1)
        ]
    about = {"description": "Synthetic histology made by MedSynth: not a patient"}
    categories = [{"id": 1, "name": "nucleus"}]
    content = {"info": about, "images": images, "annotations": annotations, "categories": categories}
    _write(target / "annotations.json", json.dumps(content).encode())


def _shapes(field: Field) -> list[dict[str, Any]]:
    from skimage.measure import regionprops

    shapes = []
    for region in regionprops(field):
        top, left, bottom, right = region.bbox
        mask = {"size": list(field.shape), "counts": run_lengths(field == region.label)}
        shapes.append({"segmentation": mask, "area": int(region.area), "bbox": [left, top, right - left, bottom - top]})
    return shapes


def _hovernet(target: Path, pieces: Sequence[Piece]) -> None:
    from scipy.io import savemat
    from skimage.measure import regionprops

    for name in ("Images", "Labels"):
        (target / name).mkdir(exist_ok=True)
    for piece in pieces:
        _write(target / "Images" / piece.image.name, piece.image.read_bytes())
        field = _instances(piece)
        _, dense = np.unique(field, return_inverse=True)  # inst_type and inst_centroid go by rows, so numbers have no gaps
        numbers = dense.reshape(field.shape).astype(np.int32)
        centers = [region.centroid[::-1] for region in regionprops(numbers)]
        content = io.BytesIO()
        labels = {"inst_map": numbers, "inst_type": np.ones((len(centers), 1)), "inst_centroid": np.array(centers).reshape(-1, 2)}
        savemat(content, labels, do_compression=True)
        _write(target / "Labels" / f"{piece.name}.mat", content.getvalue())


def _image(piece: Piece) -> npt.NDArray[np.generic]:
    from medsynth_core import formats

    return formats.read(piece.image).array[:, 0]


def _instances(piece: Piece) -> Field:
    from medsynth_core import formats

    return formats.read_mask(piece.instances).array[0, 0].astype(np.int32)


def _write(path: Path, content: bytes) -> None:
    from medsynth_core.formats.limits import write_file

    write_file(path, content)


_WRITERS: dict[Layout, Callable[[Path, Sequence[Piece]], None]] = {
    Layout.STARDIST: _stardist,
    Layout.COCO: _coco,
    Layout.HOVERNET: _hovernet,
}
