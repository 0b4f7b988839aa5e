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
    arrays = [dataset.load(side, card.size, card.channels, values) for side in (training, validation or training[:1])]
    for part in arrays:
        dataset.check_labels(part.masks, {label.value for label in card.labels})
    held_out = (
        arrays[1]
        if validation
        else dataset.PairArrays(*(part[:0] for part in (arrays[1].images, arrays[1].masks, arrays[1].options)))
    )
    return SynthesizeRecipe(preset, arrays[0], held_out, card, order.seed, order.base, order.device)


def _preset(order: TrainingOrder, preset: Preset) -> Preset:
    return replace(preset, steps=order.steps or preset.steps, batch=order.batch or preset.batch)


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
        split="by group column"
        if order.columns and order.columns.group
        else "look-alikes kept together; by sha256, 15 % held out",
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
