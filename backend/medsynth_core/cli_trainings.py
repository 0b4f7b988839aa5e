"""`msynth trainings`: what the service learns at the moment, as the viewer's panel shows it, and the same orders."""

from __future__ import annotations

import argparse
import time

from medsynth_core.cli_progress import how_far
from medsynth_core.client import connect
from medsynth_core.errors import NotFoundError
from medsynth_core.protocol_training import TrainingInfo, TrainingState
from medsynth_core.training_client import Trainings

DONE = 0
SHORT = 8
"""Signs of an id that the list shows."""
LAST_LINES = 5


def add_trainings_arguments(parser: argparse.ArgumentParser) -> None:
    """Put the actions of `msynth trainings` on a parser."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    actions.add_parser("list", help="what is learned, and how far it is").set_defaults(run=show_all)
    helps = {
        "show": "one training with the last lines of its log",
        "pause": "let a training rest; it frees its memory",
        "resume": "let a paused or failed training go on",
        "stop": "end a training for good: its best model becomes one of yours",
        "remove": "remove a training with all it made, but not its model",
    }
    for word, said in helps.items():
        one = actions.add_parser(word, help=said)
        one.add_argument("training", metavar="TRAINING", help="the name of its model, or its id from the list")
        one.set_defaults(run=show_one if word == "show" else tell, word=word)


def show_all(args: argparse.Namespace) -> int:
    """Print a line for each training, newest first."""
    with connect(name="msynth") as client:
        for info in Trainings(client).list():
            print(line_of(info))
    return DONE


def show_one(args: argparse.Namespace) -> int:
    """Print one training, its notices and the last lines of its log."""
    with connect(name="msynth") as client:
        trainings = Trainings(client)
        info = found(args.training, trainings.list())
        print(line_of(info), *info.notices, sep="\n")
        for line in trainings.lines(info.id)[-LAST_LINES:]:
            terms = "  ".join(f"{name} {value:.4f}" for name, value in line.losses.items())
            print(f"step {line.step}  {terms}" + ("" if line.validation is None else f"  validation {line.validation:.4f}"))
    return DONE


def tell(args: argparse.Namespace) -> int:
    """Give a training an order, and wait until it is heeded."""
    with connect(name="msynth") as client:
        trainings = Trainings(client)
        info = found(args.training, trainings.list())
        if args.word == "remove":
            trainings.remove(info.id)
            print(f"removed the training of {info.request.model_id}")
            return DONE
        info = getattr(trainings, args.word)(info.id)
        if args.word != "resume":
            info = trainings.wait(info.id)
        print(line_of(info))
    return DONE


def found(name: str, there: tuple[TrainingInfo, ...]) -> TrainingInfo:
    """Return the newest training whose model has this name, or the one whose id begins so. Raises NotFoundError."""
    for info in there:
        if info.request.model_id == name or (len(name) >= SHORT and info.id.startswith(name)):
            return info
    names = ", ".join(dict.fromkeys(info.request.model_id for info in there))
    raise NotFoundError(f"training is {name!r}: it must be one of {names or 'none'}; see msynth trainings list")


def line_of(info: TrainingInfo) -> str:
    """Return a training in one line: id, model, engine, state and how far it is."""
    runs = info.state is TrainingState.RUNNING
    far = how_far(info.step, info.steps, info.seconds_left if runs else None) if info.steps else "getting ready" if runs else ""
    best = f"best at {info.best_step}" if info.best_step else ""
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(info.created))
    facts = (str(info.state), far, best, f"started again {info.retries} times" if info.retries else "", info.error)
    return f"{info.id[:SHORT]}  {when}  {info.request.model_id:<20} {info.request.engine:<12} " + " · ".join(filter(None, facts))
