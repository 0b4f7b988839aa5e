"""An engine that gives back what it was sent, slice by slice: where that lies in a viewer is where the viewer says it lies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from medsynth_core.engines._base import Engine, EngineEvent, Progress, Slice, Task, param
from medsynth_core.protocol import InputInfo, OutputInfo


@dataclass(frozen=True)
class Params:
    """Nothing to choose, but live mode drafts with the least steps."""

    steps: int = param(2, "Steps", choices=(1, 2))


def run(task: Task) -> Iterator[EngineEvent]:
    """Yield each input as an output of its own name, kind, voxels and place."""
    kinds = {"image": "image", "mask": "labels", "locked": "labels", "numbers": "labels"}
    given = {name: volume for name, volume in task.inputs.items() if name in kinds}
    for name, volume in given.items():
        place = tuple(map(tuple, volume.affine.tolist()))
        yield OutputInfo(name, kinds[name], volume.array.shape, str(volume.array.dtype), place)
    count = max(volume.size[0] for volume in given.values())
    for z in range(count):
        for name, volume in given.items():
            yield Slice(name, z, volume.array[:, z].copy())
        yield Progress(z + 1, count, f"slice {z + 1}")


INPUTS = (
    InputInfo("image", "Image", "image"),
    InputInfo("mask", "Mask", "labels"),
    InputInfo("locked", "Locked", "labels", required=False),
    InputInfo("numbers", "Numbers", "labels", required=False, instances=True),
)
ENGINE = Engine("echo", "Gives back what it was sent", INPUTS, Params, run, synthetic=False)
