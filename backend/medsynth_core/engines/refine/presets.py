"""Named settings of the refiner: each ablation is one name away from the default."""

from __future__ import annotations

from dataclasses import dataclass, replace

from medsynth_core.engines.refine.network import WIDTHS
from medsynth_core.errors import ParameterError


@dataclass(frozen=True)
class Preset:
    """How to train: the network's size, its grid in pixels, and the share of the examples on the Gaussian process.

    `one_pass` trains the same network without diffusion, always from the coarse mask: what the diffusion must beat.
    """

    name: str
    widths: tuple[int, ...] = WIDTHS
    pixels: int = 128
    batch: int = 16
    steps: int = 12_000
    learning_rate: float = 5e-4
    gaussian_share: float = 0.1
    one_pass: bool = False


DISCRETE = Preset("discrete")
PRESETS = {
    preset.name: preset
    for preset in (
        DISCRETE,
        replace(DISCRETE, name="gaussian", gaussian_share=1.0),
        replace(DISCRETE, name="one-pass", one_pass=True, gaussian_share=0.0),
        replace(DISCRETE, name="gpu", batch=64, steps=40_000),
        replace(DISCRETE, name="toy", widths=(16, 32), pixels=32, batch=2, steps=6),
    )
}


def get_preset(name: str) -> Preset:
    """Return one preset. Raises ParameterError listing what there is."""
    if name not in PRESETS:
        raise ParameterError(f"preset is {name!r}: it must be one of {', '.join(PRESETS)}")
    return PRESETS[name]
