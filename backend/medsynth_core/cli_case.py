"""One image refined: its files read and compared, the job run, the results written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medsynth_core.client import Client, Job
from medsynth_core.errors import InputError
from medsynth_core.kept import kept_places
from medsynth_core.vocabulary import whole_numbers
from medsynth_core.volume import Volume

if TYPE_CHECKING:
    from medsynth_core.formats import Scan

ENGINE = "refine"
MOST_KEPT = 4


@dataclass(frozen=True)
class Case:
    """One image, what belongs to it, and where its results go. `mask` None lets the coarse network draw it.

    `series` chooses in a DICOM folder that holds several, `keep_identity` says whose name a DICOM SEG bears (see `formats.Scan`).
    """

    name: str
    image: Path
    output: Path
    mask: Path | None = None
    locked: Path | None = None
    uncertainty: Path | None = None
    series: int | None = None
    keep_identity: bool = False

    @property
    def inputs(self) -> tuple[Path | None, ...]:
        """The files that are read."""
        return self.image, self.mask, self.locked

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The files that are written."""
        return tuple(path for path in (self.output, self.uncertainty) if path is not None)


@dataclass(frozen=True)
class Wish:
    """How every case is refined; `names` tells what label values mean, for formats that can say it."""

    model: str
    seed: int
    params: Mapping[str, Any]
    names: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Refined:
    """A case that is done. `before` is None where the coarse network drew the mask; `beside` holds files made for the recipe."""

    case: Case
    image: Volume
    before: Volume | None
    mask: Volume
    uncertainty: Volume
    recipe: Mapping[str, Any]
    seconds: float
    beside: tuple[Path, ...] = ()

    @property
    def kept(self) -> str:
        """Which labels were left as they were because the result would have left its input; empty if none was."""
        places = [f"{what} at {place}" for place, what in kept_places(self.recipe).items()]
        more = f" and {len(places) - MOST_KEPT} more" if len(places) > MOST_KEPT else ""
        return ", ".join(places[:MOST_KEPT]) + more


def check_case(case: Case) -> None:
    """Raise InputError or FormatError now for a result that could not be written, or that would replace an input."""
    from medsynth_core import formats

    formats.check_mask_output(case.output, _source(case))
    if case.uncertainty is not None:
        formats.check_output(case.uncertainty)
        if case.uncertainty.resolve() == case.output.resolve():
            raise InputError(f"{case.output.name} would hold mask and uncertainty: give the uncertainty another name")
    for path in case.outputs:
        if any(given is not None and path.exists() and given.exists() and path.samefile(given) for given in case.inputs):
            raise InputError(f"{path.name} is one of the inputs: give the result another name")


def refine_case(engine: Client, case: Case, wish: Wish, follow: Callable[[Job], None]) -> Refined:
    """Refine one case and write its results; `follow` returns when the job has ended.

    Raises InputError before a job runs when the files do not fit, JobError, ServiceError, ModelError, StorageFullError.
    """
    given = read_case(case)
    job = engine.submit(ENGINE, model=wish.model, seed=wish.seed, **given, **wish.params)
    follow(job)
    made, uncertainty, info = job.result("mask"), job.result("uncertainty"), job.info()
    before = given.get("mask")
    mask = made if before is None else before.with_array(made.array.astype(before.array.dtype))
    beside = _save(case, wish, mask, uncertainty, info.recipe)
    seconds = (info.ended or 0.0) - (info.started or 0.0)  # of computing: waiting for another case does not count
    return Refined(case, given["image"], before, mask, uncertainty, info.recipe, seconds, beside)


def read_case(case: Case) -> dict[str, Any]:
    """Return the volumes of the job by name, on the grid of the image. Raises InputError, FormatError, ShapeError."""
    from medsynth_core import formats

    if case.mask is None:
        volumes = {"image": formats.read(case.image, case.series)}
    else:
        image, mask = formats.read_pair(case.image, case.mask, case.series)
        check_labels(mask, case.mask.name)
        volumes = {"image": image, "mask": mask}
    if case.locked is not None:
        volumes["locked"] = formats.read_pair(case.image, case.locked, case.series)[1]
    return volumes


def check_labels(mask: Volume, name: str) -> None:
    """Raise InputError for a mask that cannot be refined: fractions, negative values, nothing painted."""
    try:
        whole = whole_numbers(mask.array)
    except InputError as problem:
        raise InputError(f"{name}: {problem}") from None
    if whole.min() < 0:
        raise InputError(f"{name} holds the value {whole.min()}: labels are 0 or more; map that value to 0 first")
    if not whole.any():
        raise InputError(f"{name} is empty: paint roughly where the object is, or leave the mask out and name a --coarse network")


def _save(case: Case, wish: Wish, mask: Volume, uncertainty: Volume, recipe: Mapping[str, Any]) -> tuple[Path, ...]:
    from medsynth_core import formats

    beside = [formats.write_mask(case.output, mask, recipe, like=case.mask, source=_source(case), names=wish.names)]
    if case.uncertainty is not None:
        beside.append(formats.write(case.uncertainty, uncertainty, recipe))
    return tuple(path for path in beside if path is not None)


def _source(case: Case) -> Scan | None:
    """Return the images a DICOM SEG is drawn on, None for any other output."""
    from medsynth_core import formats

    if case.output.suffix.lower() != ".dcm":
        return None
    return formats.Scan(case.image, case.series, case.keep_identity)
