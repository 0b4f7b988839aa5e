"""Named settings of the tumor model: each ablation is one name away from the default."""

from __future__ import annotations

from dataclasses import dataclass, replace

from medsynth_core.errors import ParameterError


@dataclass(frozen=True)
class Preset:
    """How to train: sizes of both networks, steps of both stages, and what the slabs of a batch look like.

    `runs` of 4 slices make a batch of the autoencoder; `slabs` of up to `slab` slices one of the slab network. `views` are the
    ways each patient is seen in. `inpaint` is the share of slabs that keep their surroundings. `joint` denoises whole stacks, as
    the paper does.
    """

    name: str
    autoencoder_widths: tuple[int, int] = (32, 64)
    latent_channels: int = 8
    autoencoder_steps: int = 3000
    runs: int = 5
    widths: tuple[int, int] = (96, 192)
    depth: int = 2
    slab_steps: int = 9500
    slabs: int = 6
    slab: int = 12
    views: int = 8
    inpaint: float = 0.25
    joint: bool = False
    learning_rate: float = 5e-4

    @property
    def steps(self) -> int:
        """Optimizer steps of both stages together."""
        return self.autoencoder_steps + self.slab_steps


COMPACT = Preset("compact")
PRESETS = {
    preset.name: preset
    for preset in (
        COMPACT,
        replace(COMPACT, name="inpaint", inpaint=1.0),
        replace(COMPACT, name="joint", joint=True, slabs=2),
        replace(COMPACT, name="gpu", widths=(144, 288), autoencoder_steps=6000, runs=16, slab_steps=40_000, slabs=16),
        replace(
            COMPACT,
            name="toy",
            autoencoder_widths=(8, 16),
            widths=(16, 48),
            depth=1,
            autoencoder_steps=3,
            slab_steps=3,
            runs=1,
            slabs=1,
            slab=6,
            views=2,
        ),
    )
}


def get_preset(name: str) -> Preset:
    """Return one preset. Raises ParameterError listing what there is."""
    if name not in PRESETS:
        raise ParameterError(f"preset is {name!r}: it must be one of {', '.join(PRESETS)}")
    return PRESETS[name]
