"""From a training folder to a recipe: read, check, split, name the labels, fill in the card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from medsynth_core.engines.synthesize import dataset
from medsynth_core.engines.synthesize.presets import Preset, get_preset
from medsynth_core.engines.synthesize.recipe import SynthesizeRecipe
from medsynth_core.engines.synthesize.starters import BACKGROUND, RESEARCH_NOTE, get_starter
from medsynth_core.errors import ParameterError
from medsynth_core.models.card import read_card
from medsynth_core.protocol import LabelInfo, ModelCard, ParamInfo, ParamKind
from medsynth_core.training.duplicates import group_near_duplicates
from medsynth_core.training.order import TrainingOrder
from medsynth_core.training.pairs import Columns, Pair, read_pairs, split, without_duplicates

COLORS = ("#4dd0e1", "#ffb74d", "#ba68c8", "#aed581", "#f06292", "#7986cb", "#fff176", "#a1887f")


def prepare(data: Path, order: TrainingOrder) -> SynthesizeRecipe:
    """Return the recipe for a training folder. Raises TrainingDataError with the list of offenders before anything starts."""
    starter = get_starter(order.starter) if order.starter else None
    preset = _preset(order, starter.preset if starter else get_preset(order.preset))
    columns = order.columns or (starter.columns(data) if starter else Columns())
    pairs = without_duplicates(read_pairs(data, columns))
    grouped = pairs if columns.group else group_near_duplicates(pairs)
    training, validation = split(grouped)
    if not training:
        training, validation = grouped, ()
    card = replace(starter.card) if starter else _own_card(data, order, pairs, preset)
    values = dataset.values_of_options(pairs)
    card = replace(card, options=tuple(_option(name, there) for name, there in values.items()))
    card = replace(card, trained_on=f"{len(training)} pairs, {len(validation)} held out")
    if order.base is not None:
        card, preset = _going_on(card, preset, read_card(order.base))
    learned, held_out = (dataset.load(side, card.size, card.channels, values) for side in (training, validation))
    for part in (learned, held_out):
        dataset.check_labels(part.masks, {label.value for label in card.labels})
    return SynthesizeRecipe(preset, learned, held_out, card, order.seed, order.base, order.device)


def _preset(order: TrainingOrder, preset: Preset) -> Preset:
    return replace(preset, steps=order.steps or preset.steps, batch=order.batch or preset.batch)


def _going_on(card: ModelCard, preset: Preset, base: ModelCard) -> tuple[ModelCard, Preset]:
    """Return card and preset of a training that goes on from `base`: its grid and vocabulary must serve the new data too."""
    for field in ("channels", "options"):
        if getattr(card, field) != getattr(base, field):
            raise ParameterError(f"{field} of the data and of the base model {base.id} differ: choose another base")
    if {label.value for label in card.labels} != {label.value for label in base.labels}:
        raise ParameterError(f"label values of the data and of the base model {base.id} differ: renumber the masks")
    at_full_size = replace(preset, stages=((1.0, base.size[0]),))
    return replace(card, size=base.size, steps=base.steps), at_full_size


def _own_card(data: Path, order: TrainingOrder, pairs: tuple[Pair, ...], preset: Preset) -> ModelCard:
    side = preset.stages[-1][1]
    return ModelCard(
        id=order.model_id,
        title=order.model_id,
        engine="synthesize",
        channels=1 if order.grey else 3,
        size=(side, side),
        labels=_labels(order, pairs, side),
        license=order.license,
        data=f"{len(pairs)} pairs of the user's folder {data.resolve().name}",
        split=f"{'by group column' if order.columns and order.columns.group else 'look-alikes kept together'}; 15 % held out",
        notes=RESEARCH_NOTE,
    )


def _labels(order: TrainingOrder, pairs: tuple[Pair, ...], side: int) -> tuple[LabelInfo, ...]:
    names = order.label_names
    if names is None:
        _, masks = dataset.load_arrays(pairs, (side, side), 1)
        values = [int(v) for v in np.unique(masks) if v]
        names = {1: "lesion"} if values == [1] else {v: f"label {v}" for v in values}
    if not names or 0 in names or max(names) > 31:
        raise ParameterError(f"labels are {sorted(names)}: foreground values must lie between 1 and 31; renumber the masks")
    return (BACKGROUND, *(LabelInfo(v, name, COLORS[i % len(COLORS)]) for i, (v, name) in enumerate(sorted(names.items()))))


def _option(name: str, values: tuple[str, ...]) -> ParamInfo:
    return ParamInfo(name, name.replace("_", " ").capitalize(), ParamKind.CHOICE, values[0], choices=values)
