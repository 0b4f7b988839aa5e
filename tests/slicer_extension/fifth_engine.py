"""An engine nobody has heard of: dropped as one file into a service's engines, it paints what its parameters say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from medsynth_core.engines._base import Engine, EngineEvent, Note, Progress, Slice, Task, param
from medsynth_core.protocol import InputInfo, OutputInfo


@dataclass(frozen=True)
class Params:
    """One of each kind."""

    steps: int = param(4, "Steps", choices=(1, 2, 4))
    density: float = param(0.5, "Density", minimum=0.0, maximum=1.0, unit="1/mm²", help="How bright the ground is")
    count: int = param(3, "Count", minimum=1, maximum=9)
    inverted: bool = param(False, "Inverted")
    word: str = param("x", "Word", advanced=True)


def run(task: Task) -> Iterator[EngineEvent]:
    """Yield an image, uint8 on the mask's grid: inside the mask `10 * count + steps`, around it the density in percent."""
    params: Params = task.params
    mask = task.inputs["mask"]
    yield OutputInfo("image", "image", mask.array.shape, "uint8", tuple(map(tuple, mask.affine.tolist())))
    yield Note("word", params.word)
    for z in range(mask.size[0]):
        inside = (mask.array[:, z] != 0) != params.inverted
        pixels = np.where(inside, 10 * params.count + params.steps, round(100 * params.density))
        yield Slice("image", z, pixels.astype(np.uint8))
        yield Progress(z + 1, mask.size[0], f"slice {z + 1}")


ENGINE = Engine("fifth", "An engine nobody has heard of", (InputInfo("mask", "Mask", "labels"),), Params, run)
