"""The engine: a label mask in, an image of the same size out.

Declaring it loads no torch, so that the service's worker can say at once what it offers; running it does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from medsynth_core.engines._base import Engine, EngineEvent, Note, Preview, Progress, Slice, Task, param
from medsynth_core.engines.synthesize.base import CONTROLLED, class_name
from medsynth_core.errors import ShapeError
from medsynth_core.protocol import InputInfo, ModelCard, OutputInfo, PresetInfo, Scalar
from medsynth_core.vocabulary import understand
from medsynth_core.volume import Volume

if TYPE_CHECKING:
    from torch import Tensor

    from medsynth_core.training.doctor import Examined
    from medsynth_core.training.order import TrainingOrder
    from medsynth_core.training.recipe import Recipe

PREVIEW_SECONDS = 0.25


@dataclass(frozen=True)
class Params:
    """What may be asked for beside the mask. Guidance up to 9 is the paper's; compact models begin to burn out above 3."""

    steps: int = param(4, "Steps", choices=(1, 2, 4, 8, 16), help="Network evaluations: 1 is a draft, 16 the finest")
    guidance: float = param(
        2.0,
        "Guidance",
        minimum=1.0,
        maximum=9.0,
        help="Follows the mask harder the higher it is; 1 is twice as fast",
        advanced=True,
    )


class Synthesizer(Protocol):
    """A loaded model, whatever its backbone."""

    @property
    def card(self) -> ModelCard:
        """Return the model's card."""

    @property
    def device(self) -> str:
        """Return where it computes."""

    def generate(
        self, labels: npt.NDArray[np.uint8], seed: int, steps: int, guidance: float, options: dict[str, Scalar]
    ) -> Iterator[Tensor]:
        """Yield the image (channels, y, x) in [−1, 1] on the model's grid after each of `steps` evaluations."""


def load(folder: Path, device: str) -> Synthesizer:
    """Return the model of a folder. Raises ModelError for a folder of another kind."""
    if class_name(folder) == CONTROLLED:
        from medsynth_core.engines.synthesize.stable_diffusion import StableDiffusionModel

        return StableDiffusionModel.load(folder, device)
    from medsynth_core.engines.synthesize.model import CompactModel

    return CompactModel.load(folder, device)


def run(task: Task) -> Iterator[EngineEvent]:
    """Yield progress, previews of long runs, and the image as the one slice of the output `image`."""
    from medsynth_core.imaging.grid import image_from_grid

    mask, model = task.inputs["mask"], task.model
    labels = understand(_single_slice(mask), model.card.labels)
    shape = (model.card.channels, 1, *labels.shape)
    yield OutputInfo("image", "image", shape, "uint8", tuple(tuple(row) for row in mask.affine.tolist()))
    yield Note("device", model.device)
    steps, image, shown = task.params.steps, None, time.monotonic()
    yield Progress(0, steps)
    for done, image in enumerate(model.generate(labels, task.seed, steps, task.params.guidance, dict(task.options)), start=1):
        yield Progress(done, steps)
        if done < steps and time.monotonic() - shown > PREVIEW_SECONDS:
            yield Preview("image", image_from_grid(image, labels.shape)[:, None])
            shown = time.monotonic()
    assert image is not None
    yield Slice("image", 0, image_from_grid(image, labels.shape))
    if task.judge is not None:
        from medsynth_core.engines.synthesize.judge import look_of

        yield task.judge.badge(look_of(image, labels, model.card))


def judge(folder: Path, card: ModelCard) -> Any:
    """Return what measures results of a model, as far as its folder carries it. Raises ModelError for parts that do not fit."""
    from medsynth_core.evaluation.badge import read_judge

    return read_judge(folder, card)


def recipe(data: Path, order: TrainingOrder) -> Recipe:
    """Return how the shared loop trains on a folder. Imported late: inference needs none of it."""
    from medsynth_core.engines.synthesize.prepare import prepare

    return prepare(data, order)


def examine(data: Path, order: TrainingOrder) -> Examined:
    """Return what the doctor finds in a folder."""
    from medsynth_core.engines.synthesize.prepare import check_terms, surveyed
    from medsynth_core.training.doctor import examined_pairs, with_terms

    return with_terms(examined_pairs(surveyed(data, order)), lambda: check_terms(order))


def _single_slice(mask: Volume) -> npt.NDArray[np.generic]:
    channels, slices = mask.array.shape[:2]
    if channels != 1:
        raise ShapeError(f"mask has {channels} channels: it must have one, holding label values")
    if slices != 1:
        raise ShapeError(f"mask has {slices} slices: this engine takes one 2-D slice; choose a slice of the stack")
    return mask.array[0, 0]


ENGINE = Engine(
    name="synthesize",
    summary="Paint a mask, get the image",
    paper="Siamese-Diffusion, CVPR 2025, arXiv 2505.06068",
    inputs=(InputInfo("mask", "Mask", "labels"),),
    params=Params,
    load=load,
    run=run,
    recipe=recipe,
    examine=examine,
    presets=(
        PresetInfo("compact", "for a CPU, 128 × 128 pixels", 20_000),
        PresetInfo("gpu", "for a GPU: finer grid, larger batches", 40_000),
        PresetInfo("flow-map", "makes a base model quick: few steps an image", 1_000),
        PresetInfo("no-consistency", "without the paper's consistency term", 20_000),
        PresetInfo("concat", "the mask as an input channel alone", 20_000),
        PresetInfo("toy", "to try the way, not the model", 6),
    ),
    judge=judge,
    one_slice=True,
)
