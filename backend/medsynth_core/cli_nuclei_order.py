"""What `msynth nuclei` was asked for, all that can be wrong with it found before the service is asked."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medsynth_core.cli_jobs import check_output_folder
from medsynth_core.cli_journal import digest
from medsynth_core.cli_layouts import Layout
from medsynth_core.cli_params import given_params
from medsynth_core.copy_rule import CopyRule
from medsynth_core.errors import ParameterError
from medsynth_core.protocol import ParamInfo, Scalar
from medsynth_core.volume import Volume

ENGINE = "nuclei"
MAX_COUNT = 100_000
IMAGES, INSTANCES, STRUCTURES = "images", "instances", "structures"


@dataclass(frozen=True)
class Piece:
    """One pair that is asked for: its seed, and its files in the output folder."""

    name: str
    seed: int
    folder: Path

    @property
    def image(self) -> Path:
        """The histology, PNG."""
        return self.folder / IMAGES / f"{self.name}.png"

    @property
    def instances(self) -> Path:
        """The instance map, 16-bit TIFF."""
        return self.folder / INSTANCES / f"{self.name}.tif"

    @property
    def structure(self) -> Path:
        """Semantic, horizontal and vertical map, (3, y, x) float32."""
        return self.folder / STRUCTURES / f"{self.name}.npy"

    @property
    def outputs(self) -> tuple[Path, Path, Path]:
        """The files that are written."""
        return self.image, self.instances, self.structure

    @property
    def is_there(self) -> bool:
        """Whether all files are there."""
        return all(path.exists() for path in self.outputs)


@dataclass(frozen=True, eq=False)
class Order:
    """All that was asked for: the pairs, the parameters given, and the files handed in with the digests of their bytes."""

    folder: Path
    pieces: tuple[Piece, ...]
    params: dict[str, Scalar]
    inputs: dict[str, Volume]
    digests: dict[str, str]
    layouts: tuple[Layout, ...]
    allow_copies: bool = False

    @property
    def rule(self) -> CopyRule:
        """What becomes of possible copies."""
        return CopyRule(self.allow_copies, alone=len(self.pieces) == 1)

    @property
    def asked(self) -> dict[str, Any]:
        """What was given, in the words it was given in."""
        return {**self.params, **{name: digest_[:12] for name, digest_ in self.digests.items()}}


def declared_params() -> tuple[ParamInfo, ...]:
    """Return the parameters that are flags; how many slices a job has is no matter of the command line."""
    from medsynth_core.engines._base import param_infos
    from medsynth_core.engines.nuclei.engine import Params

    return tuple(info for info in param_infos(Params) if info.name != "slices")


def make_order(args: argparse.Namespace) -> Order:
    """Return the order of a command line. Raises ParameterError, InputError, FormatError, ShapeError."""
    from medsynth_core import formats
    from medsynth_core.cli_synthesize import one_slice

    if not 1 <= args.count <= MAX_COUNT:
        raise ParameterError(f"--count is {args.count}: it must lie between 1 and {MAX_COUNT}")
    params = given_params(args, declared_params())
    if "given" in params and args.mask is None:
        raise ParameterError("--given says what becomes of nuclei given: hand some in with --mask, or leave it out")
    _make_folders(args.output)
    paths = {name: path for name, path in (("mask", args.mask), ("image", args.stain)) if path is not None}
    inputs = {name: formats.read_mask(path) if name == "mask" else formats.read(path) for name, path in paths.items()}
    inputs = {name: one_slice(volume, None) for name, volume in inputs.items()}
    pieces = tuple(Piece(f"{args.seed + i:05d}", args.seed + i, args.output) for i in range(args.count))
    layouts = tuple(dict.fromkeys(Layout(name) for name in args.layout))
    digests = {name: digest(path) for name, path in paths.items()}
    return Order(args.output, pieces, params, inputs, digests, layouts, args.allow_copies)


def _make_folders(folder: Path) -> None:
    check_output_folder(folder)
    for part in (IMAGES, INSTANCES, STRUCTURES):
        (folder / part).mkdir(parents=True, exist_ok=True)
