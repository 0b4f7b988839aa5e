"""How DATA is read by the questions of `msynth evaluate`: the options of `msynth train` that say which cases there are."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from medsynth_core.cli_params import name_and_value
from medsynth_core.errors import ParameterError

if TYPE_CHECKING:
    from medsynth_core.training.order import TrainingOrder

REPEATED = ("option", "tumor_label", "exclude")


def add_reading_arguments(parser: argparse.ArgumentParser) -> None:
    """Put on a parser what `msynth train` is told about the data, under the same names."""
    group = parser.add_argument_group("how DATA is read", "as msynth train was told")
    add = group.add_argument
    add("--starter", default="", help="the recipe of a model that ships, such as polyp, if DATA is its data")
    add("--grey", action="store_true", help="one channel instead of three")
    add("--metadata", type=Path, metavar="CSV", help="table with a column `file`, for --group-by and --option")
    add("--group-by", default="", metavar="COLUMN", help="patient, slide or sequence: never on both sides of the split")
    add("--option", action="append", default=[], metavar="NAME=COLUMN", help="a column the model is told; repeat for each")
    add("--exclude", action="append", default=[], metavar="CASE", help="leave a case out; repeat for each")
    add("--images", default="", metavar="PATTERN", help="volumes: images below DATA; with --masks")
    add("--masks", default="", metavar="PATTERN", help="volumes: their masks")
    add("--modality", default="", metavar="NAME", help="volumes: which of several images")
    add("--tumor-label", type=int, action="append", default=[], metavar="VALUE", help="volumes: counts as tumor; repeat")
    add("--stack-height-mm", type=float, metavar="MM", help="volumes: height of every head")


def reading_order(arguments: argparse.Namespace) -> TrainingOrder:
    """Return the order of a training on this data; only what says how it is read is in it. Raises ParameterError."""
    from medsynth_core.training.order import TrainingOrder
    from medsynth_core.training.pairs import Columns
    from medsynth_core.training.volume_cases import VolumeOptions

    a = arguments
    if a.metadata is None and (a.group_by or a.option):
        raise ParameterError("--group-by and --option name columns: give the table with --metadata CSV")
    columns = Columns(a.metadata, a.group_by, dict(name_and_value(text, "option") for text in a.option))
    volumes = VolumeOptions(a.images, a.masks, a.modality, tuple(a.tumor_label), a.stack_height_mm)
    return TrainingOrder(
        starter=a.starter,
        grey=a.grey,
        columns=columns if a.metadata else None,
        volumes=volumes,
        excluded=tuple(a.exclude),
    )


def reading_words(arguments: argparse.Namespace) -> list[str]:
    """Return the same options as words of a command, so that `msynth train` reads the same cases."""
    words: list[str] = ["--grey"] if arguments.grey else []
    for name in ("starter", "metadata", "group_by", "images", "masks", "modality", "stack_height_mm"):
        if (value := getattr(arguments, name)) not in (None, ""):
            words += [_flag(name), str(value)]
    for name in REPEATED:
        words += [word for value in getattr(arguments, name) for word in (_flag(name), str(value))]
    return words


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
