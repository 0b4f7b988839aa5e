"""One way from an ordered training to a model: of `msynth train` and of the service's training child alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from medsynth_core.engines._base import Engine, get_engine
from medsynth_core.engines._judging import teach_judge
from medsynth_core.errors import ParameterError
from medsynth_core.models import registry
from medsynth_core.models.card import read_card
from medsynth_core.protocol import ModelCard
from medsynth_core.protocol_training import TrainingRequest
from medsynth_core.training.control import Control, NoControl, Pace
from medsynth_core.training.keeping import Keeping
from medsynth_core.training.loop import TrainingProgress, train
from medsynth_core.training.order import TrainingOrder
from medsynth_core.training.pairs import Columns
from medsynth_core.training.recipe import Recipe
from medsynth_core.training.volume_cases import VolumeOptions

SYNTHESIZE, VOLUMES, NUCLEI, REFINE = "synthesize", "tumor", "nuclei", "refine"
ALL_PERCENT = 100
VOLUME_OPTIONS = ("images", "masks", "modality", "tumor_label", "stack_height_mm")
SINGLE_IMAGES = "engines that learn from single images with labels"


@dataclass(frozen=True)
class Terms:
    """What may be said of a training on this machine alone, beside the request.

    `starter` names the recipe of a model that ships; `base` is a folder, or a hub id, in place of an installed model; `items`
    are the cases of the training side that alone are learned from.
    """

    starter: str = ""
    base: Path | None = None
    device: str = "auto"
    items: tuple[str, ...] = ()


LOCAL = Terms()


def order_of(request: TrainingRequest, terms: Terms = LOCAL) -> TrainingOrder:
    """Return the order that a request stands for.

    Raises InputError for an unknown engine, ParameterError naming what it would not heed or what is out of its range, and
    ModelNotFoundError for a base that is not installed.
    """
    engine = _trainable(request.engine)
    _refuse_foreign(engine.name, request)
    if engine.name == REFINE and terms.items:
        raise ParameterError(f"--items is for engines that make image and mask, not for {engine.name}: leave it out")
    return TrainingOrder(
        preset=request.preset,
        starter=terms.starter,
        model_id=request.model_id,
        grey=request.grey,
        label_names=_label_names(request.labels) or None,
        columns=_columns(request),
        steps=_positive(request.steps, "steps"),
        batch=_positive(request.batch, "batch"),
        base=terms.base or _installed(request.base, engine.name),
        license=request.license,
        seed=request.seed,
        device=_device(terms.device),
        label_percent=request.label_percent,
        items=terms.items,
        volumes=_volumes(request.volumes),
        title=request.title,
        excluded=request.excluded,
        unlabeled=Path(request.unlabeled) if request.unlabeled else None,
        judge=request.judge,
    )


def prepared(request: TrainingRequest, order: TrainingOrder) -> Recipe:
    """Return the recipe of the engine for the request's data. Raises TrainingDataError with all offenders."""
    recipe: Recipe = _trainable(request.engine).recipe(Path(request.data), order)  # type: ignore[misc]
    return recipe


def run_training(
    recipe: Recipe,
    out: Path,
    device: str,
    report: Callable[[TrainingProgress], None],
    seconds: float | None = None,
    control: Control | None = None,
    say: Callable[[str], None] = lambda words: None,
    judge: bool = True,
) -> ModelCard:
    """Train in the model folder `out`, or go on there, and return the card of the best model so far; `say` hears remarks.

    With `judge` that of the model's results is taught first; one that is there already stays either way.
    """
    if judge:
        teach_judge(recipe, Keeping(out), device, control or NoControl(), say)
    return train(recipe, out, report, Pace.of(recipe.steps, seconds), device, control)


def _trainable(name: str) -> Engine:
    engine = get_engine(name)
    if engine.recipe is None:
        raise ParameterError(f"engine {engine.name} cannot be trained")
    return engine


def _refuse_foreign(engine: str, request: TrainingRequest) -> None:
    """Raise ParameterError for an option that this engine would not heed."""
    if engine != NUCLEI and request.label_percent != ALL_PERCENT:
        raise ParameterError(f"--label-percent is for {NUCLEI}, not for {engine}: leave it out")
    if engine != SYNTHESIZE and request.unlabeled:
        raise ParameterError(f"--unlabeled is for {SYNTHESIZE}, not for {engine}: leave it out")
    if engine in (VOLUMES, NUCLEI):
        given = {"grey": request.grey, "label": request.labels, "option": request.options}
        for name in (name for name, value in given.items() if value):
            raise ParameterError(f"--{name} is for {SINGLE_IMAGES}, not for {engine}: leave it out")
    for name in request.volumes:
        if name not in VOLUME_OPTIONS:
            raise ParameterError(f"volumes has no option {name!r}: it must be one of {', '.join(VOLUME_OPTIONS)}")
        if engine != VOLUMES:
            raise ParameterError(f"--{name.replace('_', '-')} is for {VOLUMES}, not for {engine}: leave it out")


def _label_names(labels: Mapping[str, str]) -> dict[int, str]:
    if bad := [value for value in labels if not value.isdecimal()]:
        raise ParameterError(f"label value is {bad[0]!r}: it must be a whole number, as in --label 1=polyp")
    return {int(value): name for value, name in labels.items()}


def _columns(request: TrainingRequest) -> Columns | None:
    if not request.metadata and (request.group_by or request.options):
        raise ParameterError("--group-by and --option name columns: give the table with --metadata CSV")
    return Columns(Path(request.metadata), request.group_by, dict(request.options)) if request.metadata else None


def _volumes(given: Mapping[str, str]) -> VolumeOptions:
    labels = [_number(text, "tumor_label", int) for text in given.get("tumor_label", "").split(",") if text.strip()]
    height = given.get("stack_height_mm", "")
    return VolumeOptions(
        given.get("images", ""),
        given.get("masks", ""),
        given.get("modality", ""),
        tuple(map(int, labels)),
        _number(height, "stack_height_mm", float) if height else None,
    )


def _number(text: str, field: str, kind: type[int] | type[float]) -> float:
    try:
        return kind(text)
    except ValueError:
        raise ParameterError(f"{field} is {text!r}: it must be a number") from None


def _positive(value: int | None, field: str) -> int | None:
    if value is not None and value < 1:
        raise ParameterError(f"{field} is {value}: it must be 1 or more")
    return value


def _installed(name: str, engine: str) -> Path | None:
    if not name:
        return None
    folder = registry.find(name)
    card = read_card(folder)
    if card.engine != engine:
        raise ParameterError(f"base {name} is a model of {card.engine}: choose one of {engine}")
    return folder


def _device(wanted: str) -> str:
    import torch

    there = torch.cuda.is_available()
    if wanted == "cuda" and not there:
        raise ParameterError("device is cuda, but no CUDA device is available: use --device cpu")
    return "cuda" if there and wanted != "cpu" else "cpu"
