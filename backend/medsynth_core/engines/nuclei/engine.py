"""The engine: a field of nuclei and the histology that goes with it, each usable apart.

    inputs   mask       instances, one number each, 0 = background: to be painted as they are, or completed to a field
             region     nonzero where to make anew: nuclei if the field is completed, and the image; all else stays bit by bit
             image      with `region` the image that is kept around it; else only its stain is taken
    outputs  image      uint8 RGB
             instances  uint16
             structure  float32, kind "state": semantic, h, v of the instances, as NuDiff writes them; not for viewing

Several slices are several tiles. Tile z has the seed of the job + z, so a stack and single jobs give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medsynth_core.engines._base import Engine, EngineEvent, Task, param
from medsynth_core.protocol import InputInfo, ModelCard, PresetInfo

if TYPE_CHECKING:
    from medsynth_core.training.doctor import Examined
    from medsynth_core.training.order import TrainingOrder
    from medsynth_core.training.recipe import Recipe

KEEP, COMPLETE = "keep", "complete"


@dataclass(frozen=True)
class Params:
    """What may be asked for. A number left at 0 is drawn from what the training tiles were like."""

    given: str = param(KEEP, "Nuclei given", choices=(KEEP, COMPLETE), help="keep: paint just these; complete: fill up the field")
    density: float = param(0.0, "Density", minimum=0, maximum=400, help="Nuclei per 256² pixels; 0: a plausible one is drawn")
    size: float = param(0.0, "Mean area", minimum=0, maximum=20_000, unit="px", help="0: a plausible one is drawn")
    slices: int = param(1, "Tiles", minimum=1, maximum=1024, help="As many tiles, each with a seed of its own")
    height: int = param(0, "Rows", minimum=0, maximum=4096, unit="px", help="0: those of the nuclei given, or the model's")
    width: int = param(0, "Columns", minimum=0, maximum=4096, unit="px", help="0: those of the nuclei given, or the model's")
    steps: int = param(12, "Steps", minimum=1, maximum=64, help="Network evaluations of either half", advanced=True)
    guidance: float = param(
        1.5, "Guidance", minimum=1, maximum=5, help="Obeys the request harder; 1 is twice as fast", advanced=True
    )


def load(folder: Path, device: str) -> Any:
    """Return the model of a folder. Raises ModelError for a folder of another kind."""
    from medsynth_core.engines.nuclei.model import load_model

    return load_model(folder, device)


def run(task: Task) -> Iterator[EngineEvent]:
    """Yield instances, structure and image tile by tile. Raises InputError, ShapeError for inputs that do not go together."""
    from medsynth_core.engines.nuclei.run import make

    yield from make(task)


def judge(folder: Path, card: ModelCard) -> Any:
    """Return what measures results of a model, as far as its folder carries it. Raises ModelError for parts that do not fit."""
    from medsynth_core.evaluation.badge import read_judge

    return read_judge(folder, card)


def recipe(data: Path, order: TrainingOrder) -> Recipe:
    """Return how the shared loop trains on a folder. Imported late: inference needs none of it."""
    from medsynth_core.engines.nuclei.prepare import prepare

    return prepare(data, order)


def examine(data: Path, order: TrainingOrder) -> Examined:
    """Return what the doctor finds in a folder."""
    from medsynth_core.engines.nuclei.tiles import RULES
    from medsynth_core.training.doctor import examined_pairs
    from medsynth_core.training.pair_survey import survey_order

    return examined_pairs(survey_order(data, order, rules=RULES))


ENGINE = Engine(
    name="nuclei",
    summary="Nuclei and the histology that goes with them",
    paper="NuDiff, MICCAI 2023, arXiv 2310.14197",
    inputs=(
        InputInfo("mask", "Nuclei", "labels", required=False, instances=True),
        InputInfo("region", "Only here", "labels", required=False),
        InputInfo("image", "Image", "image", required=False),
    ),
    params=Params,
    load=load,
    run=run,
    recipe=recipe,
    examine=examine,
    presets=(
        PresetInfo("compact", "for a CPU", 16_000),
        PresetInfo("gpu", "for a GPU: wider, larger batches", 80_000),
        PresetInfo("spade", "the paper's way to bring a structure in", 16_000),
        PresetInfo("toy", "to try the way, not the model", 6),
    ),
    judge=judge,
)
