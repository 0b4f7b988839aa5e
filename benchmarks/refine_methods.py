"""Who is compared on one case: the input itself, rivals without a network, a one-pass network, the engine at its settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from medsynth_core.engines.refine.model import Refiner, load_model
from medsynth_core.engines.refine.planes import Manner, refine_plane
from medsynth_core.errors import ModelError
from medsynth_core.evaluation.refiners import RIVALS, refined_by
from medsynth_core.imaging.postprocess import Postprocessing

Mask = npt.NDArray[np.bool_]
INPUT, ONE_PASS = "input", "one-pass network"
LIVE, MAIN, SAMPLED, GAUSSIAN = "refine, 1 step", "refine, 6 steps", "refine, 6 steps × 4 runs", "refine, gaussian, 6 steps"
METHODS = (*RIVALS, ONE_PASS, LIVE, MAIN, SAMPLED, GAUSSIAN)
STRENGTH = "redraw"
"""The engine's default."""


@dataclass(frozen=True)
class Case:
    """One start on one image. image: (3, y, x) uint8, red, green and blue, or the slices below, at and above; masks (y, x).

    `group` is what the split keeps together; intervals draw it whole.
    """

    source: str
    name: str
    group: str
    image: npt.NDArray[np.uint8]
    color: bool
    truth: Mask
    start: Mask
    quality: str
    family: str


class Outcome(NamedTuple):
    """The mask (y, x), and the engine's uncertainty (y, x) uint8 where there is one."""

    mask: Mask
    uncertainty: npt.NDArray[np.uint8] | None = None


Method = Callable[[Case], Outcome]


@dataclass(frozen=True)
class Contest:
    """Which models take part; None leaves the rows of a model out. `only` keeps the input and the methods named, all if empty."""

    refiner: Path | None = None
    one_pass: Path | None = None
    device: str = "cpu"
    only: tuple[str, ...] = field(default=())

    def methods(self) -> dict[str, Method]:
        """Return name → method, models loaded. Raises ModelError when a folder holds no refiner."""
        return {name: method for name, method in self._all() if not self.only or name in (INPUT, *self.only)}

    def _all(self) -> Iterator[tuple[str, Method]]:
        yield INPUT, lambda case: Outcome(case.start)
        for name in RIVALS:
            yield name, partial(by_rival, name)
        if self.one_pass is not None:
            yield ONE_PASS, partial(by_engine, _refiner(self.one_pass, self.device), _manner(1))
        if self.refiner is not None:
            model = _refiner(self.refiner, self.device)
            yield LIVE, partial(by_engine, model, _manner(1))
            yield MAIN, partial(by_engine, model, _manner(6))
            yield SAMPLED, partial(by_engine, model, _manner(6, samples=4))
            yield GAUSSIAN, partial(by_engine, model, _manner(6, process="gaussian"))


def by_rival(name: str, case: Case) -> Outcome:
    """Return what a method without a network makes of the start; of grey slices it sees the middle one."""
    image = np.ascontiguousarray(case.image.transpose(1, 2, 0)) if case.color else case.image[1]
    return Outcome(refined_by(name, image, case.start))


def by_engine(model: Refiner, manner: Manner, case: Case) -> Outcome:
    """Return what the engine makes of the start: its own planes, as `run` calls them."""
    image = case.image.astype(np.float32) / 127.5 - 1
    labels = case.start.astype(np.uint8)
    result = refine_plane(model, image, labels, np.zeros(labels.shape, bool), manner, seed=0)
    return Outcome(result.labels > 0, result.uncertainty)


def _manner(steps: int, samples: int = 1, process: str = "discrete") -> Manner:
    return Manner(steps, samples, process, STRENGTH, Postprocessing())


def _refiner(folder: Path, device: str) -> Refiner:
    model = load_model(folder, device)
    if not isinstance(model, Refiner):
        raise ModelError(f"model {folder.name} draws coarse masks: name the folder of a refiner")
    return model
