"""What `msynth tumor` was asked for, all that can be wrong with it found before the service is asked."""

from __future__ import annotations

import argparse
import enum
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medsynth_core.cli_jobs import check_output_folder
from medsynth_core.cli_journal import digest
from medsynth_core.cli_params import given_params, read_value
from medsynth_core.copy_rule import CopyRule
from medsynth_core.errors import InputError, ParameterError, ShapeError
from medsynth_core.protocol import ParamInfo, Scalar
from medsynth_core.tumor_words import PLACE, TRIPLES, gathered, spread
from medsynth_core.volume import Volume

if TYPE_CHECKING:
    from medsynth_core.formats import Scan

ENGINE = "tumor"
MAX_COUNT = 1000
GRID = ("shape", "spacing_mm")


class Format(enum.StrEnum):
    """How image and mask are written."""

    NIFTI = "nifti"
    OMEZARR = "omezarr"
    DICOM = "dicom"


NAMES = {
    Format.NIFTI: ("image{}.nii.gz", "mask{}.nii.gz"),
    Format.OMEZARR: ("image{}.ome.zarr", "mask{}.ome.zarr"),
    Format.DICOM: ("image{}", "mask{}.dcm"),
}
"""Of image and mask; a DICOM image is a folder with one file a slice."""


@dataclass(frozen=True)
class Piece:
    """One volume that is asked for: its seed and its two files."""

    seed: int
    image: Path
    mask: Path

    @property
    def name(self) -> str:
        """What it is called in the journal and in complaints."""
        return self.image.name

    @property
    def outputs(self) -> tuple[Path, Path]:
        """The files that are written."""
        return self.image, self.mask


@dataclass(frozen=True, eq=False)
class Background:
    """The real volume that is kept, the file it came from and the digest of its bytes. `scan` is set where it is DICOM."""

    name: str
    volume: Volume
    sha256: str
    scan: Scan | None = None


@dataclass(frozen=True, eq=False)
class Order:
    """All that was asked for; `params` holds what was given, checked, each number by its own name."""

    folder: Path
    format: Format
    pieces: tuple[Piece, ...]
    params: dict[str, Scalar]
    background: Background | None
    allow_copies: bool = False

    @property
    def rule(self) -> CopyRule:
        """What becomes of possible copies."""
        return CopyRule(self.allow_copies, alone=len(self.pieces) == 1)

    @property
    def asked(self) -> dict[str, Any]:
        """What was given, in the words it was given in."""
        kept = {} if self.background is None else {"background": self.background.name}
        return gathered(self.params) | kept


def declared_params() -> tuple[ParamInfo, ...]:
    """Return the parameters the engine declares, which needs no network and no service."""
    from medsynth_core.engines._base import param_infos
    from medsynth_core.engines.tumor.engine import Params

    return param_infos(Params)


def plain_params() -> tuple[ParamInfo, ...]:
    """Return the parameters that are a flag each; the others come three at a time."""
    threes = {PLACE, *(part for parts in TRIPLES.values() for part in parts)}
    return tuple(info for info in declared_params() if info.name not in threes)


def make_order(args: argparse.Namespace) -> Order:
    """Return the order of a command line. Raises ParameterError, InputError, FormatError, ShapeError."""
    how = Format(args.format)
    params = _params(args)
    pieces = _pieces(args, how)
    check_output_folder(args.output)
    places = {args.output, *(path for piece in pieces for path in piece.outputs)}
    if args.background is not None and args.background.resolve() in {path.resolve() for path in places}:
        raise InputError("the result would replace the background: name another output folder")
    background = _background(args)
    if background is not None and how is Format.DICOM:
        _check_dicom(background.volume)
    return Order(args.output, how, pieces, params, background, args.allow_copies)


def _params(args: argparse.Namespace) -> dict[str, Scalar]:
    infos = {info.name: info for info in declared_params()}
    threes = {name: getattr(args, name) for name in TRIPLES if getattr(args, name) is not None}
    if both := [name for name in GRID if name in threes and args.background is not None]:
        flag = both[0].removesuffix("_mm")
        raise ParameterError(f"--{flag} and --background are given, and a background is kept on its own grid: leave one out")
    texts = spread(threes)
    return given_params(args, plain_params()) | {name: read_value(infos[name], text) for name, text in texts.items()}


def _pieces(args: argparse.Namespace, how: Format) -> tuple[Piece, ...]:
    if not 1 <= args.count <= MAX_COUNT:
        raise ParameterError(f"--count is {args.count}: it must lie between 1 and {MAX_COUNT}")
    numbers = [""] if args.count == 1 else [f"-{i:03d}" for i in range(args.count)]
    places = [[args.output / name.format(number) for name in NAMES[how]] for number in numbers]
    return tuple(Piece(args.seed + i, image, mask) for i, (image, mask) in enumerate(places))


def _background(args: argparse.Namespace) -> Background | None:
    from medsynth_core import formats
    from medsynth_core.formats.files import kind_of

    if args.background is None:
        if args.series is not None:
            raise ParameterError("--series chooses in a DICOM folder: name the folder with --background")
        return None
    volume = formats.read(args.background, args.series)
    dicom = kind_of(args.background) == "DICOM"
    name = "the DICOM background" if dicom else args.background.name  # names of DICOM files may be names of patients
    if len(volume.array) != 1:
        raise ShapeError(f"{name} has {len(volume.array)} channels: a background is grey and has one")
    scan = formats.Scan(args.background, args.series) if dicom else None
    return Background(name, volume, digest(args.background), scan)


def _check_dicom(volume: Volume) -> None:
    from medsynth_core.formats import dicom_series

    dicom_series.check(volume.affine, volume.array.dtype)
