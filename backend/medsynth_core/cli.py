"""`msynth`: one function per command.

Exit status: 0 done, 1 a job or the service failed, 2 what was handed in cannot be used, 130 after Ctrl-C. An error is one
sentence on stderr, never a traceback. Heavy modules are imported by the command that needs them.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import medsynth_core
from medsynth_core import launcher, places
from medsynth_core.cli_dataset import add_dataset_arguments
from medsynth_core.cli_dataset import dataset as make_dataset
from medsynth_core.cli_doctor import add_doctor_arguments
from medsynth_core.cli_doctor import doctor as examine_folder
from medsynth_core.cli_evaluate import add_evaluate_arguments
from medsynth_core.cli_nuclei import add_nuclei_arguments
from medsynth_core.cli_nuclei import nuclei as make_nuclei
from medsynth_core.cli_parser import Parser
from medsynth_core.cli_refine import add_refine_arguments
from medsynth_core.cli_refine import refine as refine_files
from medsynth_core.cli_train import add_train_arguments
from medsynth_core.cli_train import train as train_model
from medsynth_core.cli_trainings import add_trainings_arguments
from medsynth_core.cli_tumor import add_tumor_arguments
from medsynth_core.cli_tumor import tumor as grow_tumor
from medsynth_core.copy_rule import OVERRIDE, OVERRIDE_HELP
from medsynth_core.errors import InputError, MedSynthError, ModelError, ServiceUnavailableError, TrainingDataError
from medsynth_core.protocol import ModelInfo, ServiceStatus, to_json

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
DEFAULT_MODEL = "brain-slice"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    try:
        return _run(list(sys.argv[1:] if arguments is None else arguments))
    except TrainingDataError as problem:
        return _complain("\n  ".join((str(problem), *problem.offenders)), BAD_INPUT)
    except (InputError, ModelError) as problem:
        return _complain(str(problem), BAD_INPUT)
    except MedSynthError as problem:
        return _complain(str(problem), FAILED)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except BrokenPipeError:  # the reader of our output, such as `head`, has had enough
        sys.stderr.close()
        return FAILED
    except OSError as problem:
        return _complain(f"{problem.filename or 'a file'} cannot be used: {problem.strerror or problem}", FAILED)
    except ModuleNotFoundError as problem:
        return _complain(f'this command needs {problem.name}: run pip install "napari-medsynth[napari]"', FAILED)
    except Exception as problem:  # noqa: BLE001  border: a user gets a sentence, whatever broke
        return _complain(f"something of ours broke ({type(problem).__name__}: {problem}): please report it", FAILED)


def synthesize(args: argparse.Namespace) -> int:
    """Make images of a mask file."""
    from medsynth_core.cli_synthesize import Order, synthesize_files, tell

    options, flags = tuple(args.option), tuple(args.rest)
    order = Order(args.mask, args.output, args.model, args.seed, args.count, args.slice, options, flags, args.allow_copies)
    return FAILED if tell(synthesize_files(order), args.json) else DONE


def refine(args: argparse.Namespace) -> int:
    """Give a coarse mask of an image a better boundary."""
    return refine_files(args)


def tumor(args: argparse.Namespace) -> int:
    """Grow a tumor volume of the size, shape and place asked for."""
    return grow_tumor(args)


def nuclei(args: argparse.Namespace) -> int:
    """Make pairs of histology and nuclei, as many as wanted."""
    return make_nuclei(args)


def doctor(args: argparse.Namespace) -> int:
    """Say what is wrong with a folder to train on, and what to do about it."""
    return examine_folder(args)


def dataset(args: argparse.Namespace) -> int:
    """Make a data set of images and labels, filtered, marked, in the layouts of other tools."""
    return make_dataset(args)


def train(args: argparse.Namespace) -> int:
    """Train a model on a folder of images and masks, or go on where it stopped."""
    card = train_model(args, lambda line: print(line, file=sys.stderr))
    print(f"{args.output}: {card.title}, {card.steps} steps; use it with msynth models add {args.output}")
    return DONE


def models_list(args: argparse.Namespace) -> int:
    """List the installed models."""
    from medsynth_core.models import registry

    for info in registry.list_models():
        print(_model_line(info))
    return DONE


def models_show(args: argparse.Namespace) -> int:
    """Print the card of a model as JSON."""
    from medsynth_core.models import registry
    from medsynth_core.models.card import read_card

    print(json.dumps(to_json(read_card(registry.find(args.model))), indent=2))
    return DONE


def models_add(args: argparse.Namespace) -> int:
    """Copy a verified model folder to the user's models."""
    from medsynth_core.client import connect
    from medsynth_core.models import registry

    card = registry.add(args.folder)
    try:
        with connect(start=False, name="msynth") as engine:
            engine.refresh_models()
    except ServiceUnavailableError:
        pass  # the next service that starts sees the model
    print(f"added {card.id}: {card.title}")
    return DONE


def models_verify(args: argparse.Namespace) -> int:
    """Compare a model's files with their checksums."""
    from medsynth_core.models import registry
    from medsynth_core.models.folder import verify

    folder = Path(args.model) if Path(args.model).is_dir() else registry.find(args.model)
    card = verify(folder)
    print(f"{card.id}: {len(card.sha256)} files are as they were written")
    return DONE


def engine_start(args: argparse.Namespace) -> int:
    """Start the service, or find it running."""
    from medsynth_core.client import connect

    with connect(name="msynth") as engine:
        print(_status_line(engine.status()))
    return DONE


def engine_status(args: argparse.Namespace) -> int:
    """Say whether the service runs and what it does."""
    from medsynth_core.client import Client
    from medsynth_core.link import Link

    with Client(Link(places.state_folder(), start=False), "msynth", lease=False) as engine:
        status = engine.status()
        print(json.dumps(to_json(status)) if args.json else _status_line(status))
    return DONE


def engine_stop(args: argparse.Namespace) -> int:
    """End the service."""
    launcher.stop(places.state_folder(), args.force)
    print("the service has ended")
    return DONE


def engine_logs(args: argparse.Namespace) -> int:
    """Print the last lines of the service's log."""
    path = places.state_folder() / "logs" / "service.log"
    if not path.is_file():
        raise InputError("there is no log yet: the service was never started")
    print("\n".join(path.read_text("utf-8", "replace").splitlines()[-args.lines :]))
    return DONE


def demo(args: argparse.Namespace) -> int:
    """Open the viewer on a sample and synthesize an image of its mask."""
    # by name: the core knows no viewer, it only passes the word on to one that is installed
    importlib.import_module("napari_medsynth.demo").main(save=args.save)
    return DONE


def build_parser() -> Parser:
    """Return the parser of the whole command line."""
    parser = Parser(prog="msynth", description="Synthetic medical images with masks.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"msynth {medsynth_core.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_synthesize(commands)
    better = commands.add_parser("refine", help=_first_line(refine), allow_abbrev=False)
    add_refine_arguments(better)
    better.set_defaults(run=refine)
    grown = commands.add_parser("tumor", help=_first_line(tumor), allow_abbrev=False)
    add_tumor_arguments(grown)
    grown.set_defaults(run=tumor)
    paired = commands.add_parser("nuclei", help=_first_line(nuclei), allow_abbrev=False)
    add_nuclei_arguments(paired)
    paired.set_defaults(run=nuclei)
    many = commands.add_parser("dataset", help=_first_line(dataset), allow_abbrev=False)
    add_dataset_arguments(many)
    many.set_defaults(run=dataset)
    learn = commands.add_parser("train", help=_first_line(train), allow_abbrev=False)
    add_train_arguments(learn)
    learn.set_defaults(run=train)
    look = commands.add_parser("doctor", help=_first_line(doctor), allow_abbrev=False)
    add_doctor_arguments(look)
    look.set_defaults(run=doctor)
    add_evaluate_arguments(commands.add_parser("evaluate", help="measure whether synthetic data helps, is faithful, or copies"))
    add_trainings_arguments(commands.add_parser("trainings", help="watch, pause, end and remove what the service learns"))
    _add_models(commands.add_parser("models", help="list, show, add and verify models"))
    _add_engine(commands.add_parser("engine", help="start, stop and watch the local service"))
    show = commands.add_parser("demo", help=_first_line(demo))
    show.add_argument("--save", type=Path, metavar="PNG", help="save a picture of the viewer and leave")
    show.set_defaults(run=demo)
    return parser


def _add_synthesize(commands: argparse._SubParsersAction[Parser]) -> None:
    made = commands.add_parser(
        "synthesize",
        help=_first_line(synthesize),
        allow_abbrev=False,
        epilog="Parameters and options of the model are flags too, such as --steps 2 or --plane axial: see msynth models show.",
    )
    made.add_argument("mask", type=Path, metavar="MASK", help="label values: PNG, JPEG, TIFF, BMP, NIfTI or OME-Zarr")
    made.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="the suffix decides the format")
    made.add_argument("--model", default=DEFAULT_MODEL, help=f"see msynth models list (default {DEFAULT_MODEL})")
    made.add_argument("--seed", type=int, default=0, help="same seed, same image (default 0); image i of --count has seed + i")
    made.add_argument("--count", type=int, metavar="N", help="make N images: OUT with -000, -001, … before the suffix")
    made.add_argument("--slice", type=int, metavar="Z", help="the slice of a mask that has several, counted from 0")
    made.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="any parameter or model option")
    made.add_argument(OVERRIDE, action="store_true", help=OVERRIDE_HELP)
    made.add_argument("--json", action="store_true", help="print the recipe of each image, one line of JSON")
    made.set_defaults(run=synthesize)


def _add_models(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    actions.add_parser("list", help=_first_line(models_list)).set_defaults(run=models_list)
    for name, action in (("show", models_show), ("verify", models_verify)):
        one = actions.add_parser(name, help=_first_line(action))
        one.add_argument("model", metavar="MODEL", help="a name from the list" + (", or a folder" if name == "verify" else ""))
        one.set_defaults(run=action)
    added = actions.add_parser("add", help=_first_line(models_add))
    added.add_argument("folder", type=Path, metavar="FOLDER")
    added.set_defaults(run=models_add)


def _add_engine(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    actions.add_parser("start", help=_first_line(engine_start)).set_defaults(run=engine_start)
    status = actions.add_parser("status", help=_first_line(engine_status))
    status.add_argument("--json", action="store_true", help="print the status as JSON")
    status.set_defaults(run=engine_status)
    stop = actions.add_parser("stop", help=_first_line(engine_stop))
    stop.add_argument("--force", action="store_true", help="even with jobs running: they go on at the next start")
    stop.set_defaults(run=engine_stop)
    logs = actions.add_parser("logs", help=_first_line(engine_logs))
    logs.add_argument("-n", "--lines", type=int, default=40, help="how many lines (default 40)")
    logs.set_defaults(run=engine_logs)


def _run(arguments: list[str]) -> int:
    parser = build_parser()
    args, rest = parser.parse_known_args(arguments)
    if args.run is refine and args.mask is None and len(rest) == 1 and not rest[0].startswith("-"):
        args.mask, rest = rest[0], []  # a MASK after the flags: argparse has decided by then that there is none
    if rest and args.run not in (synthesize, dataset):
        parser.error(f"{rest[0]} is not known here")
    args.rest = rest  # flags of the model: only the running service knows which there are
    return int(args.run(args))


def _first_line(command: object) -> str:
    return (command.__doc__ or "").splitlines()[0].rstrip(".").lower()


def _model_line(info: ModelInfo) -> str:
    if info.card is None:
        return f"{info.id:<20} cannot be used: {info.problem}"
    height, width = info.card.size
    labels = ", ".join(f"{label.value} = {label.name}" for label in info.card.labels) or "any labels"
    return f"{info.id:<20} {info.engine:<12} {height} x {width} x {info.card.channels}  {info.card.title} ({labels})"


def _status_line(status: ServiceStatus) -> str:
    device = status.device.name if status.device else "device not known yet"
    counts = f"{status.clients} clients · {status.running} running · {status.queued} queued"
    return " · ".join(filter(None, (status.worker.value, device, counts, status.message)))


def _complain(sentence: str, status: int) -> int:
    print(f"msynth: {sentence}", file=sys.stderr)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
