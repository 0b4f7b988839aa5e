"""From a folder of volumes to a recipe: read, check, split, learn what the patients are like, fill in the card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from medsynth_core.engines.tumor.presets import COMPACT, Preset, get_preset
from medsynth_core.engines.tumor.prior import Prior
from medsynth_core.engines.tumor.recipe import TumorRecipe
from medsynth_core.engines.tumor.shape import measure
from medsynth_core.engines.tumor.stacks import FIELD_MM, PIXEL_MM, PIXELS, Stack, make_stack
from medsynth_core.engines.tumor.starters import CARD, LGG_FLAIR, PRESET, STACK_HEIGHT_MM, TUMOR
from medsynth_core.engines.tumor.style import style_of
from medsynth_core.errors import ParameterError
from medsynth_core.models.card import derived, read_card
from medsynth_core.protocol import ModelCard
from medsynth_core.training.findings import worst_first
from medsynth_core.training.guard import met_by_base
from medsynth_core.training.order import TrainingOrder
from medsynth_core.training.sides import Sides, only
from medsynth_core.training.volumes import Case, Sight, Survey, VolumeOptions, look_over, read_stack

SIGHT = Sight(FIELD_MM, 16 * PIXEL_MM**2)
"""A tumor of fewer than 16 pixels of the model's, over all slices, may vanish when it is brought to its grid."""


def prepare(data: Path, order: TrainingOrder) -> TumorRecipe:
    """Return the recipe for a folder of volumes. Raises TrainingDataError with the list of offenders before anything starts."""
    if order.starter not in ("", LGG_FLAIR):
        raise ParameterError(f"starter is {order.starter!r}: of tumor there is {LGG_FLAIR}")
    options, survey = options_of(order), surveyed(data, order).admit(order.items, bool(order.starter))
    sides = only(survey.sides, order.items, lambda case: case.name)
    stacks = read_stacks(sides.training, options)
    prior = learned_prior(stacks)
    card = replace(_card(data, order, sides), figures=prior.figures())
    if order.base is not None and not order.starter:
        card = derived(card, read_card(order.base))
    recipe = TumorRecipe(
        _preset(order), stacks, read_stacks(sides.tuning, options), prior, card, order.seed, order.base, order.device
    )
    return replace(recipe, notices=survey.notices, ledger=survey.ledger(sides, order.base))


def surveyed(data: Path, order: TrainingOrder) -> Survey:
    """Return all that is found in a folder."""
    survey = look_over(data, options_of(order), order.columns, SIGHT, order.excluded)
    met = met_by_base(order.base, survey.marks(survey.sides.held_out))
    return replace(survey, findings=worst_first((*survey.findings, *met)))


def options_of(order: TrainingOrder) -> VolumeOptions:
    """Return how volumes are meant; a starter's heads have a height where the order says none."""
    if order.starter and order.volumes.stack_height_mm is None:
        return replace(order.volumes, stack_height_mm=STACK_HEIGHT_MM)
    return order.volumes


def read_stacks(cases: tuple[Case, ...], options: VolumeOptions) -> tuple[Stack, ...]:
    """Return the cases on the model's grid."""
    volumes = (read_stack(case, options.tumor_labels, options.stack_height_mm) for case in cases)
    return tuple(make_stack(volume.image, volume.mask, volume.spacing_mm) for volume in volumes)


def learned_prior(stacks: tuple[Stack, ...]) -> Prior:
    """Return what these patients are like."""
    shapes = [measure(stack.mask > 0.5, stack.spacing_mm) for stack in stacks]
    styles = [style_of(stack.image, stack.spacing_mm) for stack in stacks]
    return Prior.fit(shapes, styles, [stack.slice_mm for stack in stacks], [len(stack.image) for stack in stacks])


def _preset(order: TrainingOrder) -> Preset:
    preset = PRESET if order.starter and not order.preset else get_preset(order.preset or COMPACT.name)
    if order.steps is not None:  # both stages shrink alike
        first = max(1, round(order.steps * preset.autoencoder_steps / preset.steps))
        preset = replace(preset, autoencoder_steps=first, slab_steps=max(1, order.steps - first))
    return replace(preset, slabs=order.batch or preset.slabs)


def _card(data: Path, order: TrainingOrder, sides: Sides[Case]) -> ModelCard:
    patients, kept = len({case.patient for case in sides.training}), sides.count - len(sides.training)
    counted = f"{patients} patients ({len(sides.training)} volumes), {kept} volumes kept out"
    if order.starter:
        return replace(CARD, trained_on=counted)
    return ModelCard(
        id=order.model_id,
        title=order.title or order.model_id,
        engine="tumor",
        channels=1,
        size=(PIXELS, PIXELS),
        labels=(TUMOR,),
        license=order.license,
        data=f"{sides.count} volumes of the user's folder {data.resolve().name}",
        trained_on=counted,
        split="patients by sha256: 15 % held out, 5 % to choose by",
        notes="Makes volumes of nobody. For research, never for diagnosis.",
    )
