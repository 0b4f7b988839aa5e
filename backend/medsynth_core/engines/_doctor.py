"""The doctor for any engine: what is wrong with a folder, before a training on it is started."""

from __future__ import annotations

from pathlib import Path

from medsynth_core.engines._base import get_engine
from medsynth_core.engines._training import LOCAL, Terms, order_of
from medsynth_core.errors import ParameterError
from medsynth_core.protocol_training import DoctorReport, TrainingRequest
from medsynth_core.training.doctor import report


def examine(request: TrainingRequest, thumbnails: Path, terms: Terms = LOCAL) -> DoctorReport:
    """Return what is wrong with the data of a request; pictures of the first offenders are written to `thumbnails`, 0.png and on.

    A training of the same request is refused by exactly the findings that STOP. Raises InputError for an unknown engine,
    ParameterError for what the engine would not heed, ModelNotFoundError.
    """
    order, engine = order_of(request, terms), get_engine(request.engine)
    if engine.examine is None:
        raise ParameterError(f"engine {engine.name} says nothing about folders: there is no doctor for it")
    examination = engine.examine
    return report(engine.name, lambda: examination(Path(request.data), order), thumbnails)
