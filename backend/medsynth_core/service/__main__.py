"""`python -m medsynth_core.service --home FOLDER [--idle-seconds N …]`: run the service until it is idle or told to stop.

Each setting of `ServiceConfig` is an option here and an environment variable MEDSYNTH_<NAME>; the option wins.
"""

from __future__ import annotations

import argparse
import os
import sys

from medsynth_core.errors import MedSynthError
from medsynth_core.places import state_folder
from medsynth_core.service.config import ServiceConfig, setting_names
from medsynth_core.service.server import serve


def main(arguments: list[str]) -> int:
    """Run the service; return the exit status: 0, or 1 with one sentence on stderr."""
    try:
        return serve(_config(arguments))
    except MedSynthError as problem:
        sys.stderr.write(f"{problem}\n")
        return 1


def _config(arguments: list[str]) -> ServiceConfig:
    parser = argparse.ArgumentParser(prog="python -m medsynth_core.service")
    for name in setting_names():
        parser.add_argument("--" + name.replace("_", "-"), dest=name, default=os.environ.get(f"MEDSYNTH_{name.upper()}"))
    given = {name: text for name, text in vars(parser.parse_args(arguments)).items() if text is not None}
    return ServiceConfig.read({"home": str(state_folder())} | given if "home" not in given else given)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
