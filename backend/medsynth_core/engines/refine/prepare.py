"""From a training folder to a recipe: read, check, split, fill in the card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from medsynth_core.engines.refine.presets import DISCRETE, Preset, get_preset
from medsynth_core.engines.refine.recipe import RefineRecipe
from medsynth_core.engines.refine.sources import SOURCES, items_of, read_source
from medsynth_core.engines.refine.starters import CARD, PRESET, REFINER
from medsynth_core.errors import ParameterError
from medsynth_core.models.card import derived, read_card
from medsynth_core.protocol import ModelCard
from medsynth_core.training.order import TrainingOrder
from medsynth_core.training.pair_survey import ANY_LABEL, LABELED, PairSurvey, survey_order
from medsynth_core.training.pairs import Pair
from medsynth_core.training.recipe import Recipe
from medsynth_core.training.sides import SIDES, Sides


def prepare(data: Path, order: TrainingOrder) -> Recipe:
    """Return the recipe for a training folder. Raises TrainingDataError with the list of offenders before anything starts."""
    check_terms(order)
    if _draws_first(order):
        from medsynth_core.engines.refine.coarse_recipe import prepare_coarse

        return prepare_coarse(data, order)
    return _shipped(data, order) if order.starter else _own(data, order)


def check_terms(order: TrainingOrder) -> None:
    """Raise ParameterError for a preset and a base that do not go together."""
    if order.base is None:
        return
    if _draws_first(order):
        raise ParameterError(f"base is {order.base.name}: a coarse network starts anew; leave --base out")
    if read_card(order.base).role:
        raise ParameterError(f"base is {order.base.name}, a coarse network: a refiner goes on from a refiner; choose another")


def _draws_first(order: TrainingOrder) -> bool:
    from medsynth_core.engines.refine.coarse_presets import COARSE_PRESETS, COARSE_STARTERS

    return order.preset in COARSE_PRESETS or order.starter in COARSE_STARTERS


def surveyed(data: Path, order: TrainingOrder) -> PairSurvey:
    """Return all that is found in a training folder; the coarse networks have a vocabulary, the refiner takes any label."""
    from medsynth_core.engines.refine.coarse_presets import COARSE_PRESETS

    return survey_order(data, order, rules=LABELED if order.preset in COARSE_PRESETS else ANY_LABEL)


def _shipped(data: Path, order: TrainingOrder) -> RefineRecipe:
    if order.starter != REFINER:
        raise ParameterError(f"starter is {order.starter!r}: of refine there are {REFINER} and the coarse networks")
    preset = _adjusted(get_preset(order.preset) if order.preset else PRESET, order)
    taught = [source for source in SOURCES if source.share > 0]
    training = tuple(tuple(read_source(source, data, SIDES[0])) for source in taught)
    tuning = tuple(item for source in taught for item in read_source(source, data, SIDES[1]))
    count = sum(map(len, training))
    card = replace(CARD, size=(preset.pixels, preset.pixels), trained_on=f"{count} images of {len(taught)} data sets")
    shares = tuple(source.share for source in taught)
    return RefineRecipe(preset, training, shares, tuning, card, order.seed, order.base, order.device)


def _own(data: Path, order: TrainingOrder) -> RefineRecipe:
    survey = surveyed(data, order).admit()
    there = survey.sides
    sides = [tuple(items_of(side, data.resolve().name)) for side in (there.training, there.tuning)]
    preset = _adjusted(get_preset(order.preset or DISCRETE.name), order)
    card = _own_card(data, order, there, preset)
    if order.base is not None:
        card, preset = _going_on(card, preset, read_card(order.base))
    ledger = survey.ledger(there, order.base)
    return RefineRecipe(preset, (sides[0],), (1.0,), sides[1], card, order.seed, order.base, order.device, ledger)


def _own_card(data: Path, order: TrainingOrder, sides: Sides[Pair], preset: Preset) -> ModelCard:
    return ModelCard(
        id=order.model_id,
        title=order.title or order.model_id,
        engine="refine",
        channels=3,
        size=(preset.pixels, preset.pixels),
        labels=(),
        license=order.license,
        data=f"{sides.count} pairs of the user's folder {data.resolve().name}",
        trained_on=sides.counted,
        split=order.split_said,
        notes=CARD.notes,
    )


def _going_on(card: ModelCard, preset: Preset, base: ModelCard) -> tuple[ModelCard, Preset]:
    """Return card and preset of a training that goes on from `base`, on its grid and under its terms too."""
    return replace(derived(card, base), size=base.size), replace(preset, pixels=base.size[0])


def _adjusted(preset: Preset, order: TrainingOrder) -> Preset:
    return replace(preset, steps=order.steps or preset.steps, batch=order.batch or preset.batch)
