"""Named settings of the nuclei model: each ablation is one name away from the default."""

from __future__ import annotations

from dataclasses import dataclass, replace

from medsynth_core.errors import ParameterError


@dataclass(frozen=True)
class Preset:
    """How to train. Steps alternate: `structure_share` of them teach the structure network, the others the image network.

    `batch` is the images a step of either. `hint` names the class that brings a structure to the image network, whose first level
    is wider: 48 numbers of each 4×4 pixels pass through it, and at small times they differ little from what is to be made.
    """

    name: str
    widths: tuple[int, ...] = (32, 64, 128, 192)
    image_widths: tuple[int, ...] = (64, 96, 128, 160)
    hint: str = "HintEncoder"
    steps: int = 16_000
    structure_share: float = 0.45
    batch: int = 4
    learning_rate: float = 4e-4

    def teaches_structures(self, step: int) -> bool:
        """Return whether step number `step` (from 0) is one of the structure network, evenly spread among all."""
        return int((step + 1) * self.structure_share) > int(step * self.structure_share)


COMPACT = Preset("compact")
PRESETS = {
    preset.name: preset
    for preset in (
        COMPACT,
        replace(COMPACT, name="spade", hint="Spade"),
        replace(COMPACT, name="gpu", widths=(64, 128, 192, 256), image_widths=(96, 160, 192, 256), steps=80_000, batch=32),
        replace(COMPACT, name="toy", widths=(16, 16, 32), image_widths=(16, 16, 32), steps=6, structure_share=0.5, batch=1),
    )
}


def get_preset(name: str) -> Preset:
    """Return one preset. Raises ParameterError listing what there is."""
    if name not in PRESETS:
        raise ParameterError(f"preset is {name!r}: it must be one of {', '.join(PRESETS)}")
    return PRESETS[name]
