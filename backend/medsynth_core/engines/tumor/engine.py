"""The engine: a tumor of the size, shape and place asked for, image and mask together, slice by slice.

    inputs   background   a real volume to keep (grey, 3-D): only the lesion is grown into it; without it all is new
    outputs  image        uint8 on the grid asked for, or on the background's grid in its dtype
             mask         uint8, 1 = tumor, same grid
             latents      float32, kind "state": what a resumed job goes on from; not for viewing

Slices come in the order they grow: from the slice looked at (or the tumor's center) both ways. The recipe of a job holds what
was asked and what was got (`asked_volume_ml`, `got_volume_ml`, …) in the user's world coordinates.
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

DRAWN, GIVEN = "drawn", "given"


@dataclass(frozen=True)
class Params:
    """What may be asked for. A number left at 0 is drawn from what the training patients were like."""

    volume_ml: float = param(0.0, "Volume", minimum=0, maximum=1000, unit="ml", help="0: a plausible one is drawn")
    place: str = param(DRAWN, "Place", choices=(DRAWN, GIVEN), help="drawn: a plausible place; given: the center below")
    center_x_mm: float = param(0.0, "Center x", minimum=-500, maximum=500, unit="mm", help="World, to the patient's right")
    center_y_mm: float = param(0.0, "Center y", minimum=-500, maximum=500, unit="mm", help="World, to the front")
    center_z_mm: float = param(0.0, "Center z", minimum=-500, maximum=500, unit="mm", help="World, upwards")
    extent_x_mm: float = param(0.0, "Width", minimum=0, maximum=300, unit="mm", help="Left to right; 0: follows the volume")
    extent_y_mm: float = param(0.0, "Depth", minimum=0, maximum=300, unit="mm", help="Front to back; 0: follows the volume")
    extent_z_mm: float = param(0.0, "Height", minimum=0, maximum=300, unit="mm", help="Up and down; 0: follows the volume")
    sphericity: float = param(0.0, "Sphericity", minimum=0, maximum=1, help="1 is a ball; 0: a plausible one is drawn")
    slices: int = param(0, "Slices", minimum=0, maximum=512, help="0: as many as the trained head is high", advanced=True)
    height: int = param(0, "Rows", minimum=0, maximum=1024, unit="px", help="0: the model's grid", advanced=True)
    width: int = param(0, "Columns", minimum=0, maximum=1024, unit="px", help="0: the model's grid", advanced=True)
    slice_mm: float = param(0.0, "Slice distance", minimum=0, maximum=20, unit="mm", help="0: the model's", advanced=True)
    row_mm: float = param(0.0, "Row distance", minimum=0, maximum=10, unit="mm", help="0: fills the field", advanced=True)
    column_mm: float = param(0.0, "Column distance", minimum=0, maximum=10, unit="mm", help="0: fills the field", advanced=True)
    anchor: int = param(-1, "First slice", minimum=-1, maximum=4096, help="Grow from here; -1: the tumor's center", advanced=True)
    steps: int = param(8, "Steps", minimum=1, maximum=50, help="Network evaluations a slab", advanced=True)
    guidance: float = param(
        1.0,
        "Guidance",
        minimum=1,
        maximum=5,
        help="Above 1 the place is met better, the size worse, at half the speed",
        advanced=True,
    )
    cleanup: bool = param(False, "Clean up", help="A second pass over the whole stack that replaces slices", advanced=True)


def load(folder: Path, device: str) -> Any:
    """Return the model of a folder. Raises ModelError for a folder of another kind."""
    from medsynth_core.engines.tumor.model import load_model

    return load_model(folder, device)


def run(task: Task) -> Iterator[EngineEvent]:
    """Yield image and mask slice by slice. Raises ParameterError for a request that no tumor can meet."""
    from medsynth_core.engines.tumor.run import grow

    yield from grow(task)


def judge(folder: Path, card: ModelCard) -> Any:
    """Return what measures results of a model, as far as its folder carries it. Raises ModelError for parts that do not fit."""
    from medsynth_core.evaluation.badge import read_judge

    return read_judge(folder, card)


def recipe(data: Path, order: TrainingOrder) -> Recipe:
    """Return how the shared loop trains on a folder. Imported late: inference needs none of it."""
    from medsynth_core.engines.tumor.prepare import prepare

    return prepare(data, order)


def examine(data: Path, order: TrainingOrder) -> Examined:
    """Return what the doctor finds in a folder of volumes."""
    from medsynth_core.engines.tumor.prepare import surveyed
    from medsynth_core.training.doctor import examined_volumes

    return examined_volumes(surveyed(data, order))


ENGINE = Engine(
    name="tumor",
    summary="A tumor volume, grown slice by slice",
    paper="Slice-based latent diffusion, ISBI 2024, arXiv 2406.05421",
    inputs=(InputInfo("background", "Background", "image", required=False),),
    params=Params,
    load=load,
    run=run,
    recipe=recipe,
    examine=examine,
    presets=(
        PresetInfo("compact", "for a CPU", 12_500),
        PresetInfo("gpu", "for a GPU: wider, larger batches", 46_000),
        PresetInfo("inpaint", "only grows into volumes that are there", 12_500),
        PresetInfo("joint", "the paper's whole stack at once", 12_500),
        PresetInfo("toy", "to try the way, not the model", 6),
    ),
    judge=judge,
)
