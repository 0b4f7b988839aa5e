"""`msynth train ENGINE DATA -o MODEL`: options in, a model folder out. Resumes by being run again."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from medsynth_core.cli_params import label_names, name_and_value
from medsynth_core.cli_progress import how_far
from medsynth_core.errors import ParameterError

if TYPE_CHECKING:
    from medsynth_core.protocol import ModelCard
    from medsynth_core.training.loop import TrainingProgress
    from medsynth_core.training.order import TrainingOrder

Say = Callable[[str], None]
LEARN_FROM_VOLUMES = ("tumor",)
NUCLEI, REFINE = "nuclei", "refine"
ALL_PERCENT = 100
VOLUME_OPTIONS = ("images", "masks", "modality", "tumor_label", "stack_height_mm")


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    """Put the options of `msynth train` on a parser."""
    add = parser.add_argument
    add("engine", help="which engine learns, such as synthesize")
    add(
        "data",
        type=Path,
        metavar="DATA",
        help="folder with images/ and masks/ (equal stems), or with a prompt.json; for tumor, of volumes: also a folder for each "
        "patient, or a dataset.json; for nuclei, masks/ (or instance_labels/) hold one number a nucleus",
    )
    add("-o", "--output", type=Path, required=True, metavar="MODEL", help="model folder; run again to go on where it stopped")
    add(
        "--preset",
        default="",
        help="synthesize: compact (default), no-consistency, concat, flow-map, gpu, toy; with a Stable Diffusion base: paper; "
        "refine: discrete (default), gaussian, one-pass, gpu, toy, and for a network that draws the first mask coarse, "
        "coarse-published; tumor: compact (default), inpaint, joint (the paper's whole stack), gpu, toy; "
        "nuclei: compact (default), spade (the paper's way to bring a structure in), gpu, toy",
    )
    add("--starter", default="", help="retrain a model that ships, with its own recipe, such as polyp")
    add(
        "--base",
        type=Path,
        metavar="FOLDER",
        help="go on from this model, or use this Stable Diffusion 1.5 folder (or its hub id, OWNER/NAME@COMMIT)",
    )
    add("--id", default="", help="name of the model; default: the name of the output folder")
    add("--grey", action="store_true", help="one channel instead of three")
    add("--label", action="append", default=[], metavar="VALUE=NAME", help="name of a mask value; repeat for each")
    add("--metadata", type=Path, metavar="CSV", help="table with a column `file`, for --group-by and --option")
    add("--group-by", default="", metavar="COLUMN", help="patient, slide or sequence: never on both sides of the split")
    add("--option", action="append", default=[], metavar="NAME=COLUMN", help="a column the model is told; repeat for each")
    add(
        "--items",
        type=Path,
        metavar="FILE",
        help="learn from these cases of the training side alone, one name a line, as msynth evaluate downstream writes them",
    )
    add("--license", default="not stated", help="terms of the data, for the model card")
    add("--steps", type=int, help="optimizer steps; default: the preset's")
    add("--batch", type=int, help="images a step; default: the preset's")
    add("--minutes", type=float, help="stop and save after this time; run again to go on")
    add("--seed", type=int, default=0)
    add("--device", default="auto", choices=("auto", "cpu", "cuda"))
    _add_volume_arguments(parser.add_argument_group("volumes (tumor only)"))
    _add_nuclei_arguments(parser.add_argument_group("instances (nuclei only)"))


def _add_volume_arguments(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--images", default="", metavar="PATTERN", help="images below DATA, such as '**/*_flair.nii.gz'; with --masks")
    add(
        "--masks", default="", metavar="PATTERN", help="their masks, such as '**/*_seg.nii.gz': paired by what the wildcards mean"
    )
    add("--modality", default="", metavar="NAME", help="which of several images: flair (default), t1ce, … or an index from 0")
    add(
        "--tumor-label",
        type=int,
        action="append",
        default=[],
        metavar="VALUE",
        help="counts as tumor; repeat; default: all but 0",
    )
    add("--stack-height-mm", type=float, metavar="MM", help="height of every head, where headers have no true slice distance")


def _add_nuclei_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--label-percent",
        type=int,
        default=ALL_PERCENT,
        metavar="P",
        help="learn from the P percent of the training patches that k-means finds the most telling (default all)",
    )


def train(arguments: argparse.Namespace, say: Say) -> ModelCard:
    """Train as the arguments say and return the card. Raises InputError, with offenders for bad data, before anything starts."""
    from medsynth_core.engines._base import get_engine
    from medsynth_core.training.loop import Pace
    from medsynth_core.training.loop import train as run_loop

    engine = get_engine(arguments.engine)
    if engine.recipe is None:
        raise ParameterError(f"engine {engine.name} cannot be trained")
    _refuse_foreign(engine.name, arguments)
    order = _order(arguments)
    recipe = engine.recipe(arguments.data, order)
    for notice in recipe.notices:
        say(notice)
    say(f"Training {order.starter or order.model_id} on {order.device}, {recipe.steps} steps.")
    seconds = None if arguments.minutes is None else arguments.minutes * 60
    return run_loop(recipe, arguments.output, lambda progress: say(_line(progress)), Pace(seconds), order.device)


def _refuse_foreign(engine: str, arguments: argparse.Namespace) -> None:
    """Raise ParameterError for an option that this engine would not heed."""
    foreign: tuple[str, ...] = ("grey", "label", "option") if engine in LEARN_FROM_VOLUMES else VOLUME_OPTIONS
    if engine == NUCLEI:
        foreign = ("grey", "label", "option", *VOLUME_OPTIONS)
    elif arguments.label_percent != ALL_PERCENT:
        raise ParameterError(f"--label-percent is for {NUCLEI}, not for {engine}: leave it out")
    if engine == REFINE and arguments.items is not None:
        raise ParameterError(f"--items is for engines that make image and mask, not for {engine}: leave it out")
    for name in foreign:
        if getattr(arguments, name) not in (None, False, "", []):
            others = (
                ", ".join(LEARN_FROM_VOLUMES) if name in VOLUME_OPTIONS else "engines that learn from single images with labels"
            )
            raise ParameterError(f"--{name.replace('_', '-')} is for {others}, not for {engine}: leave it out")


def _order(arguments: argparse.Namespace) -> TrainingOrder:
    from medsynth_core.training.order import TrainingOrder
    from medsynth_core.training.pairs import Columns
    from medsynth_core.training.volume_cases import VolumeOptions

    table = Columns(arguments.metadata, arguments.group_by, dict(name_and_value(text, "option") for text in arguments.option))
    if arguments.metadata is None and (arguments.group_by or arguments.option):
        raise ParameterError("--group-by and --option name columns: give the table with --metadata CSV")
    return TrainingOrder(
        preset=arguments.preset,
        starter=arguments.starter,
        model_id=arguments.id or arguments.output.name,
        grey=arguments.grey,
        label_names=label_names(arguments.label) or None,
        columns=table if arguments.metadata else None,
        steps=_positive(arguments.steps, "steps"),
        batch=_positive(arguments.batch, "batch"),
        base=arguments.base,
        license=arguments.license,
        seed=arguments.seed,
        device=_device(arguments.device),
        label_percent=arguments.label_percent,
        items=_names(arguments.items),
        volumes=VolumeOptions(
            arguments.images, arguments.masks, arguments.modality, tuple(arguments.tumor_label), arguments.stack_height_mm
        ),
    )


def _names(file: Path | None) -> tuple[str, ...]:
    if file is None:
        return ()
    names = tuple(line.strip() for line in file.read_text("utf-8").splitlines() if line.strip())
    if not names:
        raise ParameterError(f"--items is {file.name}, which names no case: give a file with one name a line")
    return names


def _positive(value: int | None, field: str) -> int | None:
    if value is not None and value < 1:
        raise ParameterError(f"{field} is {value}: it must be 1 or more")
    return value


def _device(wanted: str) -> str:
    import torch

    there = torch.cuda.is_available()
    if wanted == "cuda" and not there:
        raise ParameterError("device is cuda, but no CUDA device is available: use --device cpu")
    return "cuda" if there and wanted != "cpu" else "cpu"


def _line(progress: TrainingProgress) -> str:
    terms = "  ".join(f"{name} {value:.4f}" for name, value in progress.losses.items())
    return f"step {how_far(progress.step, progress.steps, progress.seconds_left)}  {terms}"
