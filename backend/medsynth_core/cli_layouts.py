"""Pairs of image and labels once more, in the form that a tool learns from.

nnunet      nnunet/Dataset900_NAME/imagesTr/*_0000.png, labelsTr/*.png, dataset.json     volumes: .nii.gz
coco        coco/annotations.json: run-length masks of objects          image files are those of images/
stardist    stardist/images/*.tif, stardist/masks/*.tif                 as in the examples of StarDist
hovernet    hovernet/Images/*.png, hovernet/Labels/*.mat: inst_map, inst_type, inst_centroid     as CoNSeP

An object is what has a number of its own, or where labels have a meaning, pixels of one label that touch.
"""

from __future__ import annotations

import enum
import io
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from medsynth_core.errors import ParameterError

if TYPE_CHECKING:
    from medsynth_core.volume import Volume

Field = npt.NDArray[np.integer]
NNUNET_NUMBER = 900
"""nnU-Net knows data sets by number; low ones are taken by those of the Decathlon."""


class Layout(enum.StrEnum):
    """The forms there are."""

    NNUNET = "nnunet"
    STARDIST = "stardist"
    COCO = "coco"
    HOVERNET = "hovernet"


FOR_VOLUMES = (Layout.NNUNET,)


@dataclass(frozen=True)
class Pair:
    """One image and its labels, as files, and the recipe that marks files made of them."""

    name: str
    image: Path
    labels: Path
    recipe: Mapping[str, Any]


@dataclass(frozen=True)
class Subject:
    """What is shown. `names` holds the label values with their names, without background.

    With `instances` each number in the labels is an object of the only name there is.
    """

    title: str
    names: dict[int, str]
    instances: bool = False
    license: str = ""
    about: str = field(default="Synthetic images made by MedSynth: not patients")


def check_layouts(layouts: Sequence[Layout], volumes: bool) -> None:
    """Raise ParameterError for a form that cannot hold what is made."""
    if volumes and (flat := [layout for layout in layouts if layout not in FOR_VOLUMES]):
        raise ParameterError(f"--layout is {flat[0]}, which holds flat images; for volumes use {', '.join(FOR_VOLUMES)}")


def lay_out(layout: Layout, folder: Path, subject: Subject, pairs: Sequence[Pair]) -> None:
    """Write the pairs in one more form, in a folder named after it; files are replaced, each as a whole."""
    target = folder / layout.value
    target.mkdir(exist_ok=True)
    _WRITERS[layout](target, subject, pairs)


def run_lengths(mask: npt.NDArray[np.bool_]) -> list[int]:
    """Return COCO's uncompressed run lengths of a mask (y, x): column by column, beginning with a run of zeros."""
    flat = mask.ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(np.concatenate([[0], changes, [flat.size]])).tolist()
    return [0, *runs] if flat[0] else runs


def numbered(labels: Field, subject: Subject) -> tuple[Field, dict[int, int]]:
    """Return labels (y, x) with a number for each object, and the label value of each number (1 for instances)."""
    if subject.instances:
        numbers = labels.astype(np.int32)
        return numbers, {int(number): 1 for number in np.unique(numbers) if number}
    from skimage.measure import label

    # neighbors of another label are another object: the background of skimage's function is 0
    numbers = label(labels, background=0, connectivity=2).astype(np.int32)
    there, first = np.unique(numbers, return_index=True)
    values = labels.ravel()[first]
    return numbers, {int(number): int(value) for number, value in zip(there, values, strict=True) if number}


def _nnunet(target: Path, subject: Subject, pairs: Sequence[Pair]) -> None:
    name = "".join(part.capitalize() for part in re.findall("[A-Za-z0-9]+", subject.title)) or "MedSynth"
    root = target / f"Dataset{NNUNET_NUMBER}_{name}"
    for part in ("imagesTr", "labelsTr"):
        (root / part).mkdir(parents=True, exist_ok=True)
    ending, colors = ".png", 1
    for pair in pairs:
        ending = _suffix(pair.image)
        _write(root / "imagesTr" / f"{pair.name}_0000{ending}", pair.image.read_bytes())
        _write_labels(root / "labelsTr" / f"{pair.name}{ending}", _in_a_row(_read_labels(pair), subject), pair)
    if pairs:
        colors = len(_read(pairs[0].image).array)
    channels = {str(i): letter for i, letter in enumerate("RGB")} if colors == 3 else {"0": "image"}
    labels = {"background": 0} | {title: i for i, title in enumerate(subject.names.values(), 1)}
    content = {
        "name": name,
        "description": subject.about,
        "licence": subject.license,
        "synthetic": True,
        "channel_names": channels,
        "labels": labels,
        "numTraining": len(pairs),
        "file_ending": ending,
    }
    _write(root / "dataset.json", (json.dumps(content, indent=1) + "\n").encode())


def _in_a_row(labels: Volume, subject: Subject) -> Volume:
    """Return labels as nnU-Net wants them: 0, 1, 2 … without gaps, in the order of their values."""
    rows = np.zeros(labels.array.shape, np.uint8)
    for row, value in enumerate(subject.names, 1):
        rows[labels.array != 0 if subject.instances else labels.array == value] = row
    return labels.with_array(rows)


def _stardist(target: Path, subject: Subject, pairs: Sequence[Pair]) -> None:
    from medsynth_core import formats

    for name in ("images", "masks"):
        (target / name).mkdir(exist_ok=True)
    for pair in pairs:
        formats.write(target / "images" / f"{pair.name}.tif", _read(pair.image), pair.recipe)
        labels = _read_labels(pair)
        numbers, _ = numbered(labels.array[0, 0], subject)
        numbers = numbers.astype(np.uint16)
        _write_labels(target / "masks" / f"{pair.name}.tif", labels.with_array(numbers[None, None]), pair)


def _coco(target: Path, subject: Subject, pairs: Sequence[Pair]) -> None:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, pair in enumerate(pairs, 1):
        labels = _read_labels(pair).array[0, 0]
        y, x = labels.shape
        place = Path(os.path.relpath(pair.image, target)).as_posix()
        images.append({"id": number, "file_name": place, "height": y, "width": x})
        annotations += [
            {"id": len(annotations) + i, "image_id": number, "iscrowd": 0, **shape}
            for i, shape in enumerate(_shapes(*numbered(labels, subject)), 1)
        ]
    about = {"description": subject.about, "synthetic": True}
    categories = [{"id": value, "name": name} for value, name in subject.names.items()]
    licenses = [{"id": 1, "name": subject.license}] if subject.license else []
    content = {"info": about, "licenses": licenses, "images": images, "annotations": annotations, "categories": categories}
    _write(target / "annotations.json", json.dumps(content).encode())


def _shapes(numbers: Field, values: dict[int, int]) -> list[dict[str, Any]]:
    from skimage.measure import regionprops

    shapes = []
    for region in regionprops(numbers):
        top, left, bottom, right = region.bbox
        mask = {"size": list(numbers.shape), "counts": run_lengths(numbers == region.label)}
        box = [left, top, right - left, bottom - top]
        category = values[int(region.label)]
        shapes.append({"category_id": category, "segmentation": mask, "area": int(region.area), "bbox": box})
    return shapes


def _hovernet(target: Path, subject: Subject, pairs: Sequence[Pair]) -> None:
    from scipy.io import savemat
    from skimage.measure import regionprops

    for name in ("Images", "Labels"):
        (target / name).mkdir(exist_ok=True)
    for pair in pairs:
        _write(target / "Images" / pair.image.name, pair.image.read_bytes())
        numbers, values = numbered(_read_labels(pair).array[0, 0], subject)
        _, dense = np.unique(numbers, return_inverse=True)  # inst_type and inst_centroid go by rows, so numbers have no gaps
        rows = dense.reshape(numbers.shape).astype(np.int32)
        centers = [region.centroid[::-1] for region in regionprops(rows)]
        types = np.array([values[number] for number in sorted(values)], float).reshape(-1, 1)
        content = io.BytesIO()
        labels = {"inst_map": rows, "inst_type": types, "inst_centroid": np.array(centers).reshape(-1, 2)}
        savemat(content, labels, do_compression=True)
        _write(target / "Labels" / f"{pair.name}.mat", content.getvalue())


def _suffix(path: Path) -> str:
    from medsynth_core import formats

    return formats.suffix(path)


def _read(path: Path) -> Volume:
    from medsynth_core import formats

    return formats.read(path)


def _read_labels(pair: Pair) -> Volume:
    from medsynth_core import formats

    return formats.read_mask(pair.labels)


def _write_labels(path: Path, labels: Volume, pair: Pair) -> None:
    from medsynth_core import formats

    formats.write_mask(path, labels, pair.recipe)


def _write(path: Path, content: bytes) -> None:
    from medsynth_core.formats.limits import write_file

    write_file(path, content)


_WRITERS: dict[Layout, Callable[[Path, Subject, Sequence[Pair]], None]] = {
    Layout.NNUNET: _nnunet,
    Layout.STARDIST: _stardist,
    Layout.COCO: _coco,
    Layout.HOVERNET: _hovernet,
}
