"""From a folder of volumes to a recipe: read, check, split, learn what the patients are like, fill in the card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from medsynth_core.engines.tumor.presets import COMPACT, Preset, get_preset
from medsynth_core.engines.tumor.prior import Prior
from medsynth_core.engines.tumor.recipe import TumorRecipe
from medsynth_core.engines.tumor.shape import measure
from medsynth_core.engines.tumor.stacks import PIXELS, Stack, make_stack
from medsynth_core.engines.tumor.starters import CARD, LGG_FLAIR, PRESET, STACK_HEIGHT_MM, TUMOR
from medsynth_core.engines.tumor.style import style_of
from medsynth_core.errors import ParameterError, TrainingDataError
from medsynth_core.protocol import ModelCard
from medsynth_core.training.order import TrainingOrder
from medsynth_core.training.sides import SIDES, side_of
from medsynth_core.training.volumes import Case, VolumeOptions, read_stack, survey_folder


def prepare(data: Path, order: TrainingOrder) -> TumorRecipe:
    """Return the recipe for a folder of volumes. Raises TrainingDataError with the list of offenders before anything starts."""
    if order.starter and order.starter != LGG_FLAIR:
        raise ParameterError(f"starter is {order.starter!r}: of tumor there is {LGG_FLAIR}")
    volumes = replace(order.volumes, stack_height_mm=STACK_HEIGHT_MM) if order.starter else order.volumes
    found = survey_folder(data, volumes, order.columns)
    cases = found.cases
    training, tuning = (on_side(cases, side, volumes) for side in SIDES[:2])
    if not training:
        raise TrainingDataError(f"{data.name} has no patient to learn from: {len(cases)} cases, all held out by the split")
    preset = _preset(order)
    card = _card(data, order, len(training), len(cases) - len(training))
    prior = learned_prior(training)
    card = replace(card, figures=prior.figures())
    return TumorRecipe(preset, training, tuning, prior, card, order.seed, order.base, order.device, found.notices)


def on_side(cases: tuple[Case, ...], side: str, volumes: VolumeOptions) -> tuple[Stack, ...]:
    """Return the stacks of the patients on one side of the split."""
    chosen = (case for case in cases if side_of(case.patient) == side)
    raw = (read_stack(case, volumes.tumor_labels, volumes.stack_height_mm) for case in chosen)
    return tuple(make_stack(r.image, r.mask, r.spacing_mm) for r in raw)


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


def _card(data: Path, order: TrainingOrder, trained_on: int, held_out: int) -> ModelCard:
    counted = f"{trained_on} patients, {held_out} held out or kept for settings"
    if order.starter:
        return replace(CARD, trained_on=counted)
    return ModelCard(
        id=order.model_id,
        title=order.model_id,
        engine="tumor",
        channels=1,
        size=(PIXELS, PIXELS),
        labels=(TUMOR,),
        license=order.license,
        data=f"{trained_on + held_out} volumes of the user's folder {data.resolve().name}",
        trained_on=counted,
        split=CARD.split,
        notes="Makes volumes of nobody. For research, never for diagnosis.",
    )
