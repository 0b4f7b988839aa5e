"""From a training folder to a recipe: read, check, split, name the labels, fill in the card."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medsynth_core.engines.synthesize import dataset
from medsynth_core.engines.synthesize.base import is_stable_diffusion, resolve_base
from medsynth_core.engines.synthesize.dataset import PairArrays
from medsynth_core.engines.synthesize.presets import COMPACT, Preset, get_preset
from medsynth_core.engines.synthesize.recipe import SynthesizeRecipe
from medsynth_core.engines.synthesize.starters import RESEARCH_NOTE, get_starter
from medsynth_core.errors import ParameterError
from medsynth_core.models.card import derived, read_card
from medsynth_core.protocol import LabelInfo, ModelCard, ParamInfo, ParamKind
from medsynth_core.training.labels import vocabulary_of
from medsynth_core.training.ledger import Ledger, sealed
from medsynth_core.training.order import TrainingOrder
from medsynth_core.training.pair_survey import PairSurvey, survey_order
from medsynth_core.training.pairs import Pair
from medsynth_core.training.sides import Sides, only
from medsynth_core.training.unlabeled import Unlabeled, read_unlabeled

if TYPE_CHECKING:
    from medsynth_core.engines.synthesize.stable_diffusion_recipe import StableDiffusionRecipe


@dataclass(frozen=True)
class _Material:
    """What is learned from and what is chosen by, each option's values, and the card to be."""

    training: tuple[Pair, ...]
    tuning: tuple[Pair, ...]
    options: dict[str, tuple[str, ...]]
    card: ModelCard
    ledger: Ledger
    unlabeled: tuple[Path, ...] = ()


def prepare(data: Path, order: TrainingOrder) -> SynthesizeRecipe | StableDiffusionRecipe:
    """Return the recipe for a training folder. Raises TrainingDataError with the list of offenders before anything starts.

    The base decides the backbone: a Stable Diffusion folder the paper's, a compact model or none the compact one.
    """
    base = resolve_base(order.base) if order.base else None
    if base is not None and is_stable_diffusion(base):
        _refuse_unlabeled(order, "the Stable Diffusion backbone has seen images enough: leave --unlabeled out")
        return _on_stable_diffusion(data, order, base)
    preset = _adjusted(_preset(order), order)
    if preset.objective == "flow-map":
        _refuse_unlabeled(order, "preset flow-map learns from its teacher: give --unlabeled to the teacher's training")
    check_terms(order)
    material = _read(data, order, preset, base)
    if base is not None:
        card, preset = _going_on(material.card, preset, read_card(base))
        material = replace(material, card=card if order.starter else derived(card, read_card(base)))
    bare = _bare_arrays(material)
    return SynthesizeRecipe(preset, *_arrays(material), material.card, order.seed, base, order.device, material.ledger, bare)


def check_terms(order: TrainingOrder) -> None:
    """Raise ParameterError for a preset and a compact base that do not go together, or a base of other channels."""
    if order.base is None:
        if _preset(order).objective == "flow-map":
            raise ParameterError("preset flow-map distils a trained model: name it with --base")
        return
    if not (order.base / "card.json").is_file() or is_stable_diffusion(order.base):
        return
    base, channels = read_card(order.base), get_starter(order.starter).card.channels if order.starter else _channels(order)
    if base.channels != channels:
        way_out = " or use --grey" if base.channels < channels else ""
        raise ParameterError(f"base {base.id} has {base.channels} of {channels} channels: choose another base{way_out}")


def _channels(order: TrainingOrder) -> int:
    return 1 if order.grey else 3


def _preset(order: TrainingOrder) -> Preset:
    """Return the starter's preset or the one named; with both, the named one under the starter's augmentation."""
    if not order.starter:
        return get_preset(order.preset or COMPACT.name)
    of_starter = get_starter(order.starter).preset
    return replace(get_preset(order.preset), augmentation=of_starter.augmentation) if order.preset else of_starter


def _on_stable_diffusion(data: Path, order: TrainingOrder, base: Path) -> StableDiffusionRecipe:
    from medsynth_core.engines.synthesize import stable_diffusion_recipe as paper
    from medsynth_core.engines.synthesize.stable_diffusion import PROMPT, caption
    from medsynth_core.engines.synthesize.stable_diffusion_folder import load_surroundings

    preset = _adjusted(paper.get_preset(order.preset or paper.PAPER.name), order)
    material = _read(data, order, preset, base)
    known = Counter(pair.prompt for pair in material.training if pair.prompt)
    prompt = known.most_common(1)[0][0] if known else material.card.title
    option = ParamInfo(PROMPT, "Prompt", ParamKind.TEXT, prompt, help="What the image shows, in words", advanced=True)
    notes = f"{material.card.notes} Weights derived from {base.name}: its license applies too."
    card = replace(material.card, options=(*material.card.options, option), notes=notes)
    learned, chosen_by = _arrays(replace(material, card=card))

    def captioned(arrays: PairArrays, pairs: tuple[Pair, ...]) -> paper.CaptionedPairs:
        return paper.CaptionedPairs(arrays, tuple(caption(card, {**p.options, PROMPT: p.prompt or prompt}) for p in pairs))

    return paper.StableDiffusionRecipe(
        base,
        load_surroundings(base, order.device),
        preset,
        captioned(learned, material.training),
        captioned(chosen_by, material.tuning),
        card,
        order.seed,
        order.device,
        material.ledger,
    )


def surveyed(data: Path, order: TrainingOrder) -> PairSurvey:
    """Return all that is found in a training folder."""
    return survey_order(data, order, get_starter(order.starter).columns(data) if order.starter else None)


def _read(data: Path, order: TrainingOrder, preset: Preset, base: Path | None) -> _Material:
    starter = get_starter(order.starter) if order.starter else None
    survey = surveyed(data, replace(order, base=base))
    sides = only(survey.admit(order.items, starter is not None).sides, order.items, lambda pair: pair.stem)
    values = dataset.values_of_options(sides.seen)
    bare = _unlabeled(order, survey, sides)
    side = preset.stages[-1][1]
    card = replace(
        starter.card if starter else _own_card(data, order, sides, preset),
        size=(side, side),
        options=tuple(_option(name, there) for name, there in values.items()),
        trained_on=f"{sides.counted}, {bare.counted}" if bare.paths else sides.counted,
    )
    ledger = survey.ledger(sides, base)
    ledger = replace(ledger, images_only=(*ledger.images_only, *map(sealed, bare.marks)))
    return _Material(sides.training, sides.tuning, values, card, ledger, bare.paths)


def _unlabeled(order: TrainingOrder, survey: PairSurvey, sides: Sides[Pair]) -> Unlabeled:
    """Return the images that teach without masks: none that the folder's split keeps apart, none that is learned from anyway."""
    if order.unlabeled is None:
        return Unlabeled()
    apart = survey.marks(survey.sides.tuning + survey.sides.held_out)
    return read_unlabeled(order.unlabeled, survey.marks(sides.training), apart)


def _bare_arrays(material: _Material) -> PairArrays | None:
    card = material.card
    return dataset.load_unlabeled(material.unlabeled, card.size, card.channels, material.options) if material.unlabeled else None


def _refuse_unlabeled(order: TrainingOrder, why: str) -> None:
    if order.unlabeled is not None:
        raise ParameterError(f"unlabeled is {order.unlabeled.name}: {why}")


def _arrays(material: _Material) -> tuple[PairArrays, PairArrays]:
    card = material.card
    sides = [dataset.load(p, card.size, card.channels, material.options) for p in (material.training, material.tuning)]
    for side in sides:
        dataset.check_labels(side.masks, {label.value for label in card.labels})
    return sides[0], sides[1]


def _going_on(card: ModelCard, preset: Preset, base: ModelCard) -> tuple[ModelCard, Preset]:
    """Return card and preset of a training that goes on from `base`: its grid and vocabulary must serve the new data too."""
    if card.options != base.options:
        raise ParameterError(f"options of the data and of the base model {base.id} differ: choose another base")
    if {label.value for label in card.labels} != {label.value for label in base.labels}:
        raise ParameterError(f"label values of the data and of the base model {base.id} differ: renumber the masks")
    at_full_size = replace(preset, stages=((1.0, base.size[0]),))
    return replace(card, size=base.size, steps=base.steps), at_full_size


def _adjusted(preset: Preset, order: TrainingOrder) -> Preset:
    return replace(preset, steps=order.steps or preset.steps, batch=order.batch or preset.batch)


def _own_card(data: Path, order: TrainingOrder, sides: Sides[Pair], preset: Preset) -> ModelCard:
    side = preset.stages[-1][1]
    return ModelCard(
        id=order.model_id,
        title=order.title or order.model_id,
        engine="synthesize",
        channels=_channels(order),
        size=(side, side),
        labels=_labels(order, sides.seen, side),
        license=order.license,
        data=f"{sides.count} pairs of the user's folder {data.resolve().name}",
        split=order.split_said,
        notes=RESEARCH_NOTE,
    )


def _labels(order: TrainingOrder, pairs: tuple[Pair, ...], side: int) -> tuple[LabelInfo, ...]:
    if order.label_names is not None:
        return vocabulary_of(order.label_names, set())
    _, masks = dataset.load_arrays(pairs, (side, side), 1)
    return vocabulary_of(None, set(np.unique(masks).tolist()))


def _option(name: str, values: tuple[str, ...]) -> ParamInfo:
    return ParamInfo(name, name.replace("_", " ").capitalize(), ParamKind.CHOICE, values[0], choices=values)
