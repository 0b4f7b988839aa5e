"""`--report`: outcomes become entries of one HTML page."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from medsynth_core.cli_batch import Outcome
from medsynth_core.cli_case import Case, read_case
from medsynth_core.errors import InputError, MedSynthError
from medsynth_core.protocol import ModelCard, Scalar
from medsynth_core.volume import Volume

if TYPE_CHECKING:
    from medsynth_core.evaluation.comparison import Pictured
    from medsynth_core.evaluation.report import Entry

FLAT = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
"""Files that do not say where in space they lie."""


class ReportFile:
    """The page that is being filled. Raises InputError at once when it could not be written."""

    def __init__(self, path: Path, axis: str) -> None:
        from medsynth_core.evaluation.report import Album

        if path.suffix.lower() not in (".html", ".htm"):
            raise InputError(f"--report is {path.name}: it is a web page, name it .html")
        if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
            raise InputError(f"{path} cannot be written: name a file in a folder that can be written to")
        self._path, self._axis, self._album = path, axis, Album()
        self._unshown: list[tuple[str, str]] = []

    def add(self, outcome: Outcome) -> None:
        """Put a case that was made, now or in an earlier run, on the page; one that cannot be shown is listed with the reason."""
        try:
            self._add(outcome)
        except Exception as problem:  # noqa: BLE001  border: a picture that fails must not end a long run
            reason = str(problem) if isinstance(problem, MedSynthError) else f"{type(problem).__name__}: {problem}"
            self._unshown.append((outcome.case.name, f"made, but it cannot be shown: {reason}"))

    def write(self, params: Mapping[str, Scalar], card: ModelCard, failures: Sequence[tuple[str, str]] = ()) -> None:
        """Write the page, whole or not at all."""
        from medsynth_core.evaluation.report import page
        from medsynth_core.formats.limits import write_file

        write_file(self._path, page(self._album, [*failures, *self._unshown], params, card).encode())

    def _add(self, outcome: Outcome) -> None:
        case, refined, entry = outcome.case, outcome.refined, outcome.entry
        if refined is not None:
            shown = self._pictured(case, refined.image, refined.before, refined.mask, refined.uncertainty)
            self._album.add(_entry(shown, refined.seconds, refined.kept, ""))
        elif entry is not None:
            self._album.add(_entry(self._from_disk(case), entry.seconds, entry.kept, "Made in an earlier run."))

    def _from_disk(self, case: Case) -> Pictured:
        from medsynth_core import formats

        given = read_case(replace(case, locked=None))
        after = formats.read_pair(case.image, case.output, case.series)[1]
        unsure = None if case.uncertainty is None else formats.read_pair(case.image, case.uncertainty, case.series)[1]
        return self._pictured(case, given["image"], given.get("mask"), after, unsure)

    def _pictured(self, case: Case, image: Volume, before: Volume | None, after: Volume, unsure: Volume | None) -> Pictured:
        from medsynth_core.evaluation.comparison import Pictured

        in_space = not case.image.name.lower().endswith(FLAT)
        return Pictured(case.name, image, before, after, unsure, self._axis, in_space)


def _entry(shown: Pictured, seconds: float, kept: str, note: str) -> Entry:
    from medsynth_core.evaluation.comparison import figures, views
    from medsynth_core.evaluation.report import Entry

    before = None if shown.before is None else shown.before.array
    return Entry(shown.name, figures(before, shown.after.array), seconds, kept, note, views(shown))
