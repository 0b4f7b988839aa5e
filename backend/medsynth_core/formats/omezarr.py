"""OME-Zarr 0.5 on zarr v3: a folder, one chunk a slice. https://ngff.openmicroscopy.org/0.5/

OME-Zarr has scale and translation only, so the full affine is kept beside them under `attributes.medsynth`. On reading, all
metadata is checked as plain JSON, and each chunk's own claim of its size, before zarr decodes anything.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import zarr
from zarr.codecs import ZstdCodec

from medsynth_core.errors import FormatError
from medsynth_core.formats.limits import DTYPES, check_grid, check_honest, decoding
from medsynth_core.formats.marking import digital_source_type, is_synthetic, recipe_text
from medsynth_core.volume import Volume, affine_from_spacing

CODECS = {"bytes", "crc32c", "blosc", "zstd"}
AXES = "czyx"
MAX_METADATA = 2**20
MAX_FILES = 100_000
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def read_image(path: Path) -> Volume:
    """Return the finest level as (channel, z, y, x). Raises FormatError."""
    with decoding(path.name, "OME-Zarr"):
        attributes = _metadata(path / "zarr.json", "group").get("attributes", {})
        scales = _multiscales(path.name, attributes)
        axes = [str(axis["name"]) for axis in scales["axes"]]
        folder = path / _inside(path.name, scales["datasets"][0]["path"])
        _check_array(folder)
        array = np.asarray(zarr.open_array(folder, mode="r")[...])
        return Volume(_arranged(path.name, axes, array), _affine(attributes, scales, axes))


def write_folder(folder: Path, volume: Volume, recipe: Mapping[str, Any], labels: Mapping[int, str] | None = None) -> None:
    """Write the volume into a new folder, marked as what it is. The caller renames it into place.

    `labels` (label value -> name) makes it a label image, https://ngff.openmicroscopy.org/0.5/#labels-md
    """
    term = digital_source_type(recipe)
    marked = json.loads(recipe_text(recipe)) | {"affine": volume.affine.tolist(), "digital_source_type": term}
    group = zarr.open_group(folder, mode="w-", zarr_format=3)
    ome = _ome(volume, "synthetic" if is_synthetic(recipe) else "refined")
    if labels is not None:
        ome["image-label"] = {"properties": [{"label-value": value, "name": name} for value, name in labels.items()]}
    group.attrs.update({"ome": ome, "medsynth": marked})
    array = group.create_array(
        "0",
        shape=volume.array.shape,
        dtype=volume.array.dtype,
        chunks=(volume.array.shape[0], 1, *volume.array.shape[2:]),
        compressors=ZstdCodec(level=3),
        dimension_names=tuple(AXES),
    )
    array[...] = volume.array


def _ome(volume: Volume, name: str) -> dict[str, Any]:
    axes: list[dict[str, str]] = [{"name": "c", "type": "channel"}]
    axes += [{"name": name, "type": "space", "unit": "millimeter"} for name in "zyx"]
    x, y, z = (float(v) for v in volume.affine[:3, 3])
    steps = [
        {"type": "scale", "scale": [1.0, *volume.spacing_mm]},
        {"type": "translation", "translation": [0.0, z, y, x]},
    ]
    level = {"path": "0", "coordinateTransformations": steps}
    return {"version": "0.5", "multiscales": [{"name": name, "axes": axes, "datasets": [level]}]}


def _metadata(path: Path, node: str) -> dict[str, Any]:
    if path.is_symlink() or not path.is_file():
        raise FormatError(f"{path.parent.name} is not an OME-Zarr 0.5 {node}: it has no zarr.json")
    if path.stat().st_size > MAX_METADATA:
        raise FormatError(f"{path.parent.name} has a zarr.json of more than 1 MiB")
    fields = json.loads(path.read_bytes())
    if not isinstance(fields, dict) or fields.get("zarr_format") != 3 or fields.get("node_type") != node:
        raise FormatError(f"{path.parent.name} is not a zarr v3 {node}: save it as OME-Zarr 0.5")
    return fields


def _multiscales(name: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    found = attributes.get("ome", {}).get("multiscales", [])
    if not found or not found[0].get("datasets"):
        raise FormatError(f"{name} is a zarr folder without OME images: save it as OME-Zarr 0.5")
    return dict(found[0])


def _inside(name: str, path: str) -> PurePosixPath:
    inner = PurePosixPath(path)
    if inner.is_absolute() or ".." in inner.parts or "\\" in path or ":" in path:
        raise FormatError(f"{name} names a level outside of its folder")
    return inner


def _check_array(folder: Path) -> None:
    fields = _metadata(folder / "zarr.json", "array")
    chunk = fields["chunk_grid"]["configuration"]["chunk_shape"]
    if fields["data_type"] not in DTYPES:
        raise FormatError(f"{folder.name} holds values of type {fields['data_type']!r}: it must be one of {', '.join(DTYPES)}")
    dtype = np.dtype(fields["data_type"])
    declared = check_grid(folder.name, fields["shape"], dtype)
    chunk_bytes = check_grid(folder.name, chunk, dtype)
    codecs = [codec["name"] for codec in fields["codecs"]]
    if fields["chunk_grid"]["name"] != "regular" or set(codecs) - CODECS or fields.get("storage_transformers"):
        raise FormatError(f"{folder.name} is packed with {', '.join(codecs)}: only {', '.join(sorted(CODECS))} are read")
    if math.prod(-(-n // max(1, c)) for n, c in zip(fields["shape"], chunk, strict=True)) > MAX_FILES:
        raise FormatError(f"{folder.name} has more than {MAX_FILES} chunks: pack it in larger ones")
    check_honest(folder.name, _check_chunks(folder, codecs, chunk_bytes), declared)


def _check_chunks(folder: Path, codecs: Sequence[str], chunk_bytes: int) -> int:
    """Return the bytes stored. Raises FormatError for a link, or a chunk that would grow beyond its declared size."""
    stored = 0
    for path in folder.rglob("*"):
        if path.is_symlink():
            raise FormatError(f"{folder.name} holds a link: copy the file it points to into the folder")
        if path.is_file() and path.name != "zarr.json":
            stored += path.stat().st_size
            _check_chunk(folder.name, path, codecs, chunk_bytes)
    return stored


def _check_chunk(name: str, path: Path, codecs: Sequence[str], chunk_bytes: int) -> None:
    with open(path, "rb") as file:
        head = file.read(18)
    claimed = path.stat().st_size
    if "zstd" in codecs:
        claimed = _zstd_size(head)
    elif "blosc" in codecs:
        claimed = int.from_bytes(head[4:8], "little")
    if not 0 <= claimed <= chunk_bytes + 64:
        raise FormatError(f"{name} has a chunk that declares {claimed} bytes: its grid has {chunk_bytes}")


def _zstd_size(head: bytes) -> int:
    """Return the content size a zstd frame declares, -1 when it declares none (RFC 8878, 3.1.1.1)."""
    if len(head) < 6 or head[:4] != ZSTD_MAGIC:
        return -1
    flag, single = head[4] >> 6, head[4] >> 5 & 1
    if flag == 0 and not single:
        return -1
    start = 5 + (0 if single else 1) + (0, 1, 2, 4)[head[4] & 3]
    size = (1, 2, 4, 8)[flag]
    return int.from_bytes(head[start : start + size], "little") + (256 if flag == 1 else 0)


def _arranged(name: str, axes: Sequence[str], array: np.ndarray) -> np.ndarray:
    kept = [index for index, axis in enumerate(axes) if axis != "t"]
    if set(axes) - set("t" + AXES) or any(array.shape[i] != 1 for i in range(len(axes)) if i not in kept):
        raise FormatError(f"{name} has the axes {''.join(axes)}: only one time point and the axes c, z, y, x are read")
    array = array.reshape([array.shape[i] for i in kept])
    places = [AXES.index(axes[i]) for i in kept]
    ordered = np.transpose(array, np.argsort(places))
    return np.expand_dims(ordered, tuple(place for place in range(4) if place not in places))


def _affine(attributes: Mapping[str, Any], scales: Mapping[str, Any], axes: Sequence[str]) -> np.ndarray:
    kept = attributes.get("medsynth", {}).get("affine")
    if kept is not None:
        return np.array(kept, dtype=np.float64)
    spacing, origin = dict.fromkeys(AXES, 1.0), dict.fromkeys(AXES, 0.0)
    for step in scales["datasets"][0].get("coordinateTransformations", []):
        target = spacing if step["type"] == "scale" else origin
        target |= dict(zip(axes, step[step["type"]], strict=True))
    return affine_from_spacing((spacing["z"], spacing["y"], spacing["x"]), (origin["x"], origin["y"], origin["z"]))
