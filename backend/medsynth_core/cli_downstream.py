"""`msynth evaluate downstream DATA --model M -o OUT`: does synthetic data help a segmenter? Goes on by being run again."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from medsynth_core.cli_params import name_and_value
from medsynth_core.cli_progress import how_far
from medsynth_core.cli_reading import add_reading_arguments, reading_order, reading_words
from medsynth_core.errors import ParameterError

if TYPE_CHECKING:
    from medsynth_core.studies.at_work import HowFar
    from medsynth_core.studies.downstream import Plan
    from medsynth_core.studies.downstream_run import Run

T = TypeVar("T")
BOTH = "both"
HELD_OUT = "held-out"
ENGINES = ("synthesize", "nuclei", "tumor")


def add_downstream_arguments(parser: argparse.ArgumentParser) -> None:
    """Put the options of `msynth evaluate downstream` on a parser."""
    add = parser.add_argument
    add("data", type=Path, metavar="DATA", help="the real items, as msynth train takes them")
    add(
        "-o", "--output", type=Path, required=True, metavar="OUT", help="folder for report.html and report.json, and what is kept"
    )
    add("--model", default="", help="generator of all fractions: name of an installed model, or its folder")
    add(
        "--model-at",
        action="append",
        default=[],
        metavar="P=M",
        help="generator of P percent; repeat; default OUT/generator-P, where --train-generators trains it to",
    )
    add("--engine", default="", choices=("", *ENGINES), help="of the generators; default: that of --model, or synthesize")
    add("--train-generators", action="store_true", help="first train the generators that are missing, each on its items alone")
    add(
        "--show-commands",
        action="store_true",
        help="write the items of each fraction, print the commands of the trainings, and end",
    )
    add("--generator-steps", type=int, metavar="N", help="optimizer steps of each of these trainings; default: the preset's")
    add(
        "--generator-more",
        type=int,
        metavar="N",
        help="a larger fraction's generator goes on from that of the next smaller one for N steps, for it holds all its items; "
        "default: each starts anew",
    )
    add(
        "--generator-preset",
        default="",
        metavar="NAME",
        help="of each of these trainings; default: the starter's, or the engine's",
    )
    add("--generator-unlabeled", default="", metavar="DIR", help="images without masks that each of these trainings sees, too")
    _add_plan_arguments(parser.add_argument_group("what is compared"))
    add_reading_arguments(parser)


def _add_plan_arguments(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--fractions", default="10,20,50,100", metavar="P,P", help="percent of the real training items (default 10,20,50,100)")
    add(
        "--arms",
        default="real,classic,x0.5,x1,x2,only",
        metavar="A,A",
        help="real, classic, x0.5, x1, x2, only, or x and a number",
    )
    add("--seeds", type=int, default=3, metavar="N", help="segmenters of each arm (default 3)")
    add("--segmenter", default=BOTH, choices=("ours", "monai", BOTH), help="a U-Net of ours, one of MONAI, or both (default)")
    add("--steps", type=int, help="optimizer steps of each segmenter; default 1500, for nuclei 600")
    add("--batch", type=int, help="images a step; default 16, for nuclei 8")
    add(
        "--filter",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="drop this share of the synthetic pairs: those that show their "
        "mask worst, by a segmenter of the fraction's real items (default 0: none)",
    )
    add("--side", default=HELD_OUT, choices=(HELD_OUT, "tuning"), help="measured on; tuning is for choosing settings")
    add("--subset-seed", type=int, default=0, metavar="N", help="draws which groups the small fractions have (default 0)")
    add(
        "--generator-option", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the engine, such as steps=8"
    )
    add("--size", type=int, metavar="PX", help="side that images are brought to; default: the generator's, 128 without one")
    add("--device", default="cpu", choices=("cpu", "cuda"), help="where segmenters and generators compute (default cpu)")
    add("--workers", type=int, default=1, metavar="N", help="processes of one thread each (default 1)")


def downstream(args: argparse.Namespace) -> int:
    """Measure whether a segmenter is better for synthetic pairs."""
    from medsynth_core.studies.downstream_run import commands, run, trained

    order = _run(args)
    if args.show_commands or args.train_generators:
        lines = commands(order)
        if args.show_commands:
            print("\n".join(lines))
            return 0
        trained(order, _say)
    found = run(order, _progress)
    for sentence in found.answers:
        print(sentence)
    print(found.page)
    return 0


def _run(args: argparse.Namespace) -> Run:
    from medsynth_core.studies.downstream_run import Run

    models = {_percent(percent): model for percent, model in (name_and_value(text, "model-at") for text in args.model_at)}
    preset = ["--preset", args.generator_preset] if args.generator_preset else []
    return Run(
        data=args.data,
        out=args.output,
        engine=args.engine,
        model=args.model,
        models=models,
        plan=_plan(args),
        reading=reading_order(args),
        training_words=(*reading_words(args), *preset),
        unlabeled=Path(args.generator_unlabeled) if args.generator_unlabeled else None,
        first_steps=args.generator_steps,
        more_steps=args.generator_more,
        side=args.side.replace("-", " "),
        size=args.size,
        workers=_positive(args.workers, "workers"),
        command=shlex.join(["msynth", *sys.argv[1:]]),
    )


def _plan(args: argparse.Namespace) -> Plan:
    from medsynth_core.evaluation.unets import NETWORKS
    from medsynth_core.studies.arms import arm_of
    from medsynth_core.studies.downstream import Plan

    for name in ("seeds", "steps", "batch", "generator_steps", "generator_more"):
        if getattr(args, name) is not None:
            _positive(getattr(args, name), name)
    return Plan(
        fractions=_listed(args.fractions, _percent),
        arms=_listed(args.arms, arm_of),
        seeds=tuple(range(args.seeds)),
        segmenters=NETWORKS if args.segmenter == BOTH else (args.segmenter,),
        steps=args.steps,
        batch=args.batch,
        dropped=args.filter,
        subset_seed=args.subset_seed,
        device=_device(args.device),
        values=tuple(sorted(_value(text) for text in args.generator_option)),
    )


def _value(text: str) -> tuple[str, float | int | str]:
    name, value = name_and_value(text, "generator-option")
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, value


def _listed(text: str, read: Callable[[str], T]) -> tuple[T, ...]:
    return tuple(read(part.strip()) for part in text.split(",") if part.strip())


def _percent(text: str) -> int:
    if not text.isdecimal():
        raise ParameterError(f"fraction is {text!r}: it must be a whole number of percent, such as 10")
    return int(text)


def _device(wanted: str) -> str:
    import torch

    if wanted == "cuda" and not torch.cuda.is_available():
        raise ParameterError("--device is cuda, but no CUDA device is available: use --device cpu")
    return wanted


def _positive(value: int, field: str) -> int:
    if value < 1:
        raise ParameterError(f"--{field} is {value}: it must be 1 or more")
    return value


def _say(words: Sequence[str]) -> None:
    print(shlex.join(words), file=sys.stderr, flush=True)


def _progress(far: HowFar) -> None:
    print(f"{far.what}: {how_far(far.done, far.total, far.seconds_left)}", file=sys.stderr, flush=True)
