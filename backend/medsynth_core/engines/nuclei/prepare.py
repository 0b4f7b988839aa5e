"""From a folder of instance labels to a recipe: read, check, split before anything is cut, choose patches, fill in the card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from medsynth_core.engines.nuclei.presets import COMPACT, Preset, get_preset
from medsynth_core.engines.nuclei.prior import Prior
from medsynth_core.engines.nuclei.recipe import NucleiRecipe
from medsynth_core.engines.nuclei.starters import CARD, NOTES, NUCLEI_HE, PRESET, SETS
from medsynth_core.engines.nuclei.subset import ALL_PERCENT, chosen
from medsynth_core.engines.nuclei.tiles import PIXELS, RULES, Tile, patches, read_tiles
from medsynth_core.errors import ParameterError, TrainingDataError
from medsynth_core.models.card import derived, read_card
from medsynth_core.protocol import ModelCard
from medsynth_core.training.ledger import Ledger
from medsynth_core.training.nuclei_sets import NUCLEI, said_group
from medsynth_core.training.order import TrainingOrder
from medsynth_core.training.pair_survey import ledger_of_pairs, survey_order
from medsynth_core.training.pairs import Pair
from medsynth_core.training.sides import Sides, only, parted


def prepare(data: Path, order: TrainingOrder) -> NucleiRecipe:
    """Return the recipe for a training folder. Raises TrainingDataError with the list of offenders before anything starts."""
    if order.starter not in ("", NUCLEI_HE):
        raise ParameterError(f"starter is {order.starter!r}: of nuclei there is {NUCLEI_HE}")
    sides, ledger = read_folder(data, order)
    tiles = read_tiles(sides.training)
    cells = tuple(patch for tile in tiles for patch in patches(tile))
    kept = chosen(cells, order.label_percent, order.seed)
    if not any((patch.instances > 0).any() for patch in kept):
        raise TrainingDataError(f"{data.name} has no nucleus on the training side: give more tiles")
    prior = Prior.fit(kept)
    counted = _counted(sides.training, cells, kept, order)
    card = replace(_card(data, order, sides.count), figures=prior.figures(), trained_on=counted)
    if order.base is not None:
        card = _going_on(card, read_card(order.base))
    learned, chosen_by = tiles if order.label_percent == ALL_PERCENT else kept, read_tiles(sides.tuning)
    notices = _notices(order, card)
    return NucleiRecipe(_preset(order), learned, chosen_by, prior, card, order.seed, order.base, order.device, notices, ledger)


def starter_pairs(data: Path) -> tuple[Pair, ...]:
    """Return the tiles of the public sets below `data`. Raises TrainingDataError when one is not there."""
    if lost := [name for name in SETS if not (data / name).is_dir()]:
        raise TrainingDataError(f"{lost[0]} is not in {data.name}: the model that ships learns from {', '.join(SETS)}")
    return tuple(pair for name in SETS for pair in NUCLEI[name].pairs(data / name))


def read_folder(data: Path, order: TrainingOrder) -> tuple[Sides[Pair], Ledger]:
    """Return the sides of a folder and the record of them. Raises TrainingDataError with what stops the training.

    The user's tiles of one slide are known by the group column, else look-alikes stay together.
    """
    if order.starter:
        sides = only(parted(starter_pairs(data), lambda pair: pair.group), order.items, lambda pair: pair.stem)
        return sides, ledger_of_pairs(sides, said_group, order.base, order.label_percent)
    survey = survey_order(data, order, rules=RULES).admit(order.items)
    sides = only(survey.sides, order.items, lambda pair: pair.stem)
    return sides, survey.ledger(sides, order.base, order.label_percent)


def own_pairs(data: Path, order: TrainingOrder) -> tuple[Pair, ...]:
    """Return the user's tiles as a training takes them, each image once. Raises TrainingDataError with what stops it."""
    sides = survey_order(data, order, rules=RULES).admit().sides
    return (*sides.seen, *sides.held_out)


def _preset(order: TrainingOrder) -> Preset:
    preset = PRESET if order.starter and not order.preset else get_preset(order.preset or COMPACT.name)
    return replace(preset, steps=order.steps or preset.steps, batch=order.batch or preset.batch)


def _going_on(card: ModelCard, base: ModelCard) -> ModelCard:
    """Return the card of a training that goes on from `base`, under its terms too."""
    if base.engine != card.engine:
        raise ParameterError(f"base {base.id} is a model of {base.engine}: choose one of {card.engine}")
    return derived(card, base)


def _counted(training: tuple[Pair, ...], cells: tuple[Tile, ...], kept: tuple[Tile, ...], order: TrainingOrder) -> str:
    groups = len({pair.group for pair in training})
    part = "" if order.label_percent == ALL_PERCENT else f", {len(kept)} of {len(cells)} patches of {PIXELS}² by k-means"
    return f"{len(training)} tiles of {groups} groups{part}"


def _notices(order: TrainingOrder, card: ModelCard) -> tuple[str, ...]:
    by_look = not order.starter and not (order.columns and order.columns.group)
    said = "Tiles of one slide are only known by their look: name the slide or patient with --metadata and --group-by."
    return (f"Learning from {card.trained_on}.", *([said] if by_look else []))


def _card(data: Path, order: TrainingOrder, count: int) -> ModelCard:
    if order.starter:
        return CARD
    return ModelCard(
        id=order.model_id,
        title=order.title or order.model_id,
        engine="nuclei",
        channels=3,
        size=(PIXELS, PIXELS),
        labels=(),
        fit="tile",
        license=order.license,
        data=f"{count} tiles of the user's folder {data.resolve().name}",
        split=order.split_said,
        notes=NOTES,
    )
