"""Named settings of the synthesize engine: each ablation is one name away from the default."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from medsynth_core.errors import ParameterError
from medsynth_core.training.augment import Augmentation


@dataclass(frozen=True)
class Preset:
    """How to train. `stages` are (share of the steps, image side in pixels): small first, then full size.

    `objective` is "siamese", "mask-only" (no image branch, no consistency), "concat" (the mask as input channels of the first
    layer only, no image branch), or "flow-map" (distil a base model to few steps). `image_share` is the part of a batch that
    runs the image branch, `unlabeled_share` the part that has no masks, where there are such images. `patch` is the
    space-to-depth factor: at 8, a 128² image is denoised on a 16² grid.
    """

    name: str
    objective: str = "siamese"
    patch: int = 8
    widths: tuple[int, ...] = (96, 128, 160)
    layers_per_block: int = 1
    batch: int = 16
    steps: int = 20_000
    learning_rate: float = 4e-4
    image_share: float = 0.25
    unlabeled_share: float = 0.5
    stages: tuple[tuple[float, int], ...] = ((1.0, 128),)
    augmentation: Augmentation = field(default_factory=Augmentation)

    def side_at(self, step: int) -> int:
        """Return the image side (pixels) that step number `step` (from 0) trains at."""
        reached = 0.0
        for share, side in self.stages:
            reached += share
            if step < reached * self.steps:
                return side
        return self.stages[-1][1]


COMPACT = Preset("compact")
"""The default: 128² on a 16² grid, 7.6 M parameters: the patch that a CPU can afford to train on."""

PRESETS = {
    preset.name: preset
    for preset in (
        COMPACT,
        replace(COMPACT, name="no-consistency", objective="mask-only"),
        replace(COMPACT, name="concat", objective="concat"),
        replace(COMPACT, name="flow-map", objective="flow-map", steps=1_000, learning_rate=1e-4, stages=((1.0, 128),)),
        replace(COMPACT, name="gpu", patch=4, widths=(64, 128, 160), batch=64, steps=40_000, stages=((0.4, 64), (0.6, 128))),
        replace(COMPACT, name="toy", patch=4, widths=(32, 32), batch=4, steps=6, stages=((0.5, 16), (0.5, 32))),
    )
}


def get_preset(name: str) -> Preset:
    """Return one preset. Raises ParameterError listing what there is."""
    if name not in PRESETS:
        raise ParameterError(f"preset is {name!r}: it must be one of {', '.join(PRESETS)}")
    return PRESETS[name]
