"""Named settings of the coarse network, and the recipes of those that ship.

msynth train refine DATA/polyp_polypgen/train -o OUT --starter polyp-coarse
msynth train refine MY-DATA -o OUT --preset coarse
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from medsynth_core.errors import ParameterError
from medsynth_core.evaluation.jitter import Jitter
from medsynth_core.protocol import LabelInfo, ModelCard
from medsynth_core.training.labels import BACKGROUND
from medsynth_core.training.sources import BRISC, POLYPGEN, Source

COARSE_NOTE = "Draws a first mask, to be refined and checked: for research, never for diagnosis."


@dataclass(frozen=True)
class CoarsePreset:
    """How to train: the network's widths, its grid in pixels and the space-to-depth factor, and what training images may do."""

    name: str
    widths: tuple[int, ...] = (32, 64, 96, 128, 160)
    patch: int = 2
    pixels: int = 128
    batch: int = 16
    steps: int = 4_000
    learning_rate: float = 1e-3
    jitter: Jitter = field(default_factory=Jitter)


COARSE = CoarsePreset("coarse")
"""The default: 128² on a 64² grid, 1.9 M parameters: half an hour on one CPU core."""

COARSE_PRESETS = {
    preset.name: preset
    for preset in (
        COARSE,
        replace(
            COARSE,
            name="coarse-published",  # 34 M parameters on 256², as published: for a GPU
            widths=(64, 128, 256, 512, 1024),
            patch=1,
            pixels=256,
            steps=20_000,
            learning_rate=2e-4,
        ),
        replace(COARSE, name="coarse-toy", widths=(8, 16), pixels=32, batch=4, steps=6),
    )
}


@dataclass(frozen=True)
class CoarseStarter:
    """A preset, the data set and the card without figures."""

    preset: CoarsePreset
    source: Source
    card: ModelCard


def _card(name: str, title: str, channels: int, label: LabelInfo, source: Source) -> ModelCard:
    return ModelCard(
        id=name,
        title=title,
        engine="refine",
        channels=channels,
        size=(COARSE.pixels, COARSE.pixels),
        labels=(BACKGROUND, label),
        license=source.license,
        data=source.data,
        role="coarse",
        attribution=source.attribution,
        split=source.split,
        notes=COARSE_NOTE,
    )


COARSE_STARTERS = {
    "polyp-coarse": CoarseStarter(
        # A colonoscope turns about its axis: no direction is up.
        replace(COARSE, name="starter-polyp-coarse", jitter=Jitter(zoom=(0.6, 1.2), turn=0.8)),
        POLYPGEN,
        _card("polyp-coarse", "First mask of a polyp, from the frame alone", 3, LabelInfo(1, "polyp", "#4dd0e1"), POLYPGEN),
    ),
    "brain-slice-coarse": CoarseStarter(
        replace(COARSE, name="starter-brain-slice-coarse", jitter=Jitter(zoom=(0.75, 1.2), mirror=(True, False))),
        BRISC,
        _card("brain-slice-coarse", "First mask of a tumor, from the slice alone", 1, LabelInfo(1, "tumor", "#ffb74d"), BRISC),
    ),
}


def get_coarse_preset(name: str) -> CoarsePreset:
    """Return one preset. Raises ParameterError listing what there is."""
    if name not in COARSE_PRESETS:
        raise ParameterError(f"preset is {name!r}: it must be one of {', '.join(COARSE_PRESETS)}")
    return COARSE_PRESETS[name]


def get_coarse_starter(name: str) -> CoarseStarter:
    """Return one starter recipe. Raises ParameterError listing what there is."""
    if name not in COARSE_STARTERS:
        raise ParameterError(f"starter is {name!r}: it must be one of {', '.join(COARSE_STARTERS)}")
    return COARSE_STARTERS[name]
