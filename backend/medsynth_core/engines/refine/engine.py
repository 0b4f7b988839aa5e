"""The engine: an image and a coarse mask in, a mask with a better boundary and its uncertainty out.

    inputs   image        grey or RGB, 2-D or 3-D
             mask         any label values; without it the coarse network named by `coarse` draws one
             locked       nonzero where the mask must stay as it is
    outputs  mask         same grid, same label values, dtype of the input mask
             uncertainty  uint8, 0 = sure, 255 = the runs are evenly divided

A label of a slice whose refinement would leave its input (Dice < 0.6) is kept as it was, and the recipe says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medsynth_core.engines._base import Engine, EngineEvent, Task, param
from medsynth_core.protocol import InputInfo, ModelCard, PresetInfo
from medsynth_core.strength import STRENGTHS

if TYPE_CHECKING:
    from medsynth_core.training.doctor import Examined
    from medsynth_core.training.order import TrainingOrder
    from medsynth_core.training.recipe import Recipe


@dataclass(frozen=True)
class Params:
    """What may be asked for beside image and mask."""

    steps: int = param(6, "Steps", minimum=1, maximum=50, help="Network evaluations: 1 is live, 6 the full quality")
    samples: int = param(1, "Runs", minimum=1, maximum=32, help="More runs give their mean, and where they disagree")
    strength: str = param("redraw", "Strength", choices=tuple(STRENGTHS), help="How far the boundary may move")
    preset: str = param(
        "discrete",
        "Process",
        choices=("discrete", "gaussian"),
        help="discrete: coarse to fine, pixel by pixel; gaussian: the published DDPM on the mask",
        advanced=True,
    )
    axis: str = param("z", "Slice along", choices=("z", "y", "x"), help="The axis a volume is cut along", advanced=True)
    coarse: str = param("", "Coarse network", help="Model that draws the mask where none is given", advanced=True)
    window_center: float = param(0.0, "Window center", help="Intensity, used if the width is not 0", advanced=True)
    window_width: float = param(0.0, "Window width", minimum=0, help="0: percentiles 1 to 99 of the image", advanced=True)
    clahe: bool = param(False, "Local contrast", help="Contrast-limited adaptive histogram equalization", advanced=True)
    denoise: bool = param(False, "Denoise", help="Non-local means, before the local contrast", advanced=True)
    fill_holes: int = param(0, "Fill holes up to", minimum=0, unit="px", advanced=True)
    remove_specks: int = param(0, "Remove specks up to", minimum=0, unit="px", advanced=True)
    smooth: float = param(0.0, "Smooth boundary", minimum=0, maximum=20, unit="px", advanced=True)


def load(folder: Path, device: str) -> Any:
    """Return the model of a folder, a refiner or a coarse network. Raises ModelError for a folder of another kind."""
    from medsynth_core.engines.refine.model import load_model

    return load_model(folder, device)


def run(task: Task) -> Iterator[EngineEvent]:
    """Yield the refined mask and its uncertainty, slice by slice. Raises RefusedError when nothing could be refined."""
    from medsynth_core.engines.refine.run import refine

    yield from refine(task)


def judge(folder: Path, card: ModelCard) -> Any:
    """Return what judges the images that masks are refined on. Raises ModelError for a damaged one."""
    from medsynth_core.engines.refine.judge import read_judge

    return read_judge(folder, card)


def recipe(data: Path, order: TrainingOrder) -> Recipe:
    """Return how the shared loop trains on a folder. Imported late: inference needs none of it."""
    from medsynth_core.engines.refine.prepare import prepare

    return prepare(data, order)


def examine(data: Path, order: TrainingOrder) -> Examined:
    """Return what the doctor finds in a folder."""
    from medsynth_core.engines.refine.prepare import check_terms, surveyed
    from medsynth_core.training.doctor import examined_pairs, with_terms

    return with_terms(examined_pairs(surveyed(data, order)), lambda: check_terms(order))


ENGINE = Engine(
    name="refine",
    summary="A coarse mask in, a better boundary out",
    paper="SegRefiner, NeurIPS 2023, arXiv 2312.12425",
    inputs=(
        InputInfo("image", "Image", "image"),
        InputInfo("mask", "Mask", "labels", required=False),
        InputInfo("locked", "Locked", "labels", required=False),
    ),
    params=Params,
    load=load,
    run=run,
    recipe=recipe,
    examine=examine,
    presets=(
        PresetInfo("discrete", "for a CPU", 12_000),
        PresetInfo("gpu", "for a GPU: larger batches", 40_000),
        PresetInfo("gaussian", "noise on real numbers, not on labels", 12_000),
        PresetInfo("one-pass", "no diffusion: one look, one mask", 12_000),
        PresetInfo("coarse", "a network that draws the first mask", 4_000),
        PresetInfo("coarse-published", "the first mask, at the published size, for a GPU", 20_000),
        PresetInfo("toy", "to try the way, not the model", 6),
    ),
    judge=judge,
    synthetic=False,
)
