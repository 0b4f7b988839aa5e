"""`msynth train ENGINE DATA -o MODEL`: options in, a model folder out. Resumes by being run again."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from medsynth_core.cli_params import name_and_value
from medsynth_core.cli_progress import how_far
from medsynth_core.errors import ParameterError
from medsynth_core.protocol_training import TrainingRequest

if TYPE_CHECKING:
    from medsynth_core.protocol import ModelCard
    from medsynth_core.training.loop import TrainingProgress

Say = Callable[[str], None]
ALL_PERCENT = 100
PRESETS = (
    "synthesize: compact (default), no-consistency, concat, flow-map, gpu, toy; with a Stable Diffusion base: paper; "
    "refine: discrete (default), gaussian, one-pass, gpu, toy, and for a network that draws the first mask coarse, "
    "coarse-published; tumor: compact (default), inpaint, joint (the paper's whole stack), gpu, toy; "
    "nuclei: compact (default), spade (the paper's way to bring a structure in), gpu, toy"
)


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    """Put the options of `msynth train` on a parser."""
    add = parser.add_argument
    add_data_arguments(parser)
    add("-o", "--output", type=Path, required=True, metavar="MODEL", help="model folder; run again to go on where it stopped")
    add("--id", default="", help="name of the model; default: the name of the output folder")
    add("--title", default="", help="what lists call the model; default: its name")
    add(
        "--items",
        type=Path,
        metavar="FILE",
        help="learn from these cases of the training side alone, one name a line, as msynth evaluate downstream writes them",
    )
    add(
        "--unlabeled",
        type=Path,
        metavar="DIR",
        help="images without masks that teach how images look (synthesize only); what DATA holds out is left out of them",
    )
    add("--license", default="not stated", help="terms of the data, for the model card")
    add("--steps", type=int, help="optimizer steps; default: the preset's")
    add("--batch", type=int, help="images a step; default: the preset's")
    add("--minutes", type=float, help="stop and save after this time; run again to go on")
    add("--seed", type=int, default=0)
    add("--device", default="auto", choices=("auto", "cpu", "cuda"))
    add(
        "--no-judge",
        dest="judge",
        action="store_false",
        help="teach no judge first: then results have no badge, and nothing tells whether one shows its mask or may be a copy; "
        "msynth evaluate badge teaches it later",
    )


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Put the options on a parser that say which data are meant, and how: those of the doctor and of a training."""
    add = parser.add_argument
    add("engine", help="which engine learns, such as synthesize")
    add(
        "data",
        type=Path,
        metavar="DATA",
        help="folder with images/ and masks/ (equal stems), or with a prompt.json; for tumor, of volumes: also a folder for each "
        "patient, or a dataset.json; for nuclei, masks/ (or instance_labels/) hold one number a nucleus",
    )
    add("--preset", default="", help=PRESETS)
    add("--starter", default="", help="retrain a model that ships, with its own recipe, such as polyp")
    add(
        "--base",
        type=Path,
        metavar="FOLDER",
        help="go on from this model, or use this Stable Diffusion 1.5 folder (or its hub id, OWNER/NAME@COMMIT)",
    )
    add("--grey", action="store_true", help="one channel instead of three")
    add("--label", action="append", default=[], metavar="VALUE=NAME", help="name of a mask value; repeat for each")
    add("--metadata", type=Path, metavar="CSV", help="table with a column `file`, for --group-by and --option")
    add("--group-by", default="", metavar="COLUMN", help="patient, slide or sequence: never on both sides of the split")
    add("--option", action="append", default=[], metavar="NAME=COLUMN", help="a column the model is told; repeat for each")
    add(
        "--exclude",
        action="append",
        default=[],
        metavar="CASE",
        help="leave a case out, named as msynth doctor does; repeat for each",
    )
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
    from medsynth_core.engines._training import Terms, order_of, prepared, run_training

    request = request_of(arguments)
    order = order_of(request, Terms(arguments.starter, arguments.base, arguments.device, _names(arguments.items)))
    recipe = prepared(request, order)
    for notice in recipe.notices:
        say(notice)
    say(f"Training {order.starter or order.model_id} on {order.device}, {recipe.steps} steps.")
    seconds = None if arguments.minutes is None else arguments.minutes * 60
    return run_training(
        recipe, arguments.output, order.device, lambda progress: say(_line(progress)), seconds, say=say, judge=order.judge
    )


def request_of(arguments: argparse.Namespace) -> TrainingRequest:
    """Return what the arguments say in the words of the wire, where a viewer orders a training with them."""
    return TrainingRequest(
        engine=arguments.engine,
        data=str(arguments.data),
        model_id=arguments.id or arguments.output.name,
        title=arguments.title,
        preset=arguments.preset,
        steps=arguments.steps,
        batch=arguments.batch,
        seed=arguments.seed,
        grey=arguments.grey,
        labels=dict(name_and_value(text, "label") for text in arguments.label),
        license=arguments.license,
        metadata=str(arguments.metadata or ""),
        group_by=arguments.group_by,
        options=dict(name_and_value(text, "option") for text in arguments.option),
        excluded=tuple(arguments.exclude),
        volumes=_volumes(arguments),
        label_percent=arguments.label_percent,
        unlabeled=str(arguments.unlabeled or ""),
        judge=arguments.judge,
    )


def _names(file: Path | None) -> tuple[str, ...]:
    if file is None:
        return ()
    names = tuple(filter(None, map(str.strip, file.read_text("utf-8").splitlines())))
    if not names:
        raise ParameterError(f"--items is {file.name}, which names no case: give a file with one name a line")
    return names


def _volumes(arguments: argparse.Namespace) -> dict[str, str]:
    height = arguments.stack_height_mm
    given = {
        "images": arguments.images,
        "masks": arguments.masks,
        "modality": arguments.modality,
        "tumor_label": ",".join(map(str, arguments.tumor_label)),
        "stack_height_mm": "" if height is None else repr(height),
    }
    return {name: text for name, text in given.items() if text}


def _line(progress: TrainingProgress) -> str:
    terms = "  ".join(f"{name} {value:.4f}" for name, value in progress.losses.items())
    return f"step {how_far(progress.step, progress.steps, progress.seconds_left)}  {terms}"
