"""Reading a folder of volumes with masks: which files are cases, what is wrong with them, and their voxels.

volume_layouts   which files are cases        volume_doctor    what is wrong with one
volume_reading   the voxels of a case         volume_survey    all of them: counts, warnings, patients
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from medsynth_core.errors import ParameterError
from medsynth_core.protocol_training import Defect
from medsynth_core.training.findings import refuse, stops
from medsynth_core.training.pairs import Columns, rows_by_file
from medsynth_core.training.volume_cases import Case, Sight, VolumeOptions
from medsynth_core.training.volume_layouts import Listing, list_cases
from medsynth_core.training.volume_reading import CaseVolume, read_stack
from medsynth_core.training.volume_survey import Survey, survey

__all__ = ["Case", "CaseVolume", "Sight", "Survey", "VolumeOptions", "look_over", "read_cases", "read_stack", "survey_folder"]


def read_cases(folder: Path, options: VolumeOptions | None = None, columns: Columns | None = None) -> tuple[Case, ...]:
    """Return the cases of a folder that show a tumor, sorted by name. Raises TrainingDataError with every offender."""
    return survey_folder(folder, options, columns).cases


def survey_folder(
    folder: Path, options: VolumeOptions | None = None, columns: Columns | None = None, sight: Sight | None = None
) -> Survey:
    """Return the cases of a folder with what a user should know about them; tumors that `sight` does not meet are left out.

    Raises TrainingDataError with every offender: files without a partner, that cannot be read, on different grids, with
    values no image or mask has, with impossible distances, without a row in the table.
    """
    found = look_over(folder, options, columns, sight)
    refuse("the folder", found.faults)
    return found


def look_over(
    folder: Path,
    options: VolumeOptions | None = None,
    columns: Columns | None = None,
    sight: Sight | None = None,
    excluded: Sequence[str] = (),
) -> Survey:
    """Return all that is found in a folder, sound or not, without the cases that are `excluded`.

    Raises TrainingDataError for a folder that holds no volumes, ParameterError.
    """
    options, columns = options or VolumeOptions(), columns or Columns()
    listing = _by_column(list_cases(folder, options, excluded), folder, columns)
    said_by = columns.group or "patient"
    return survey(listing.cases, options, sight or Sight(), listing.findings, said_by)


def _by_column(listing: Listing, folder: Path, columns: Columns) -> Listing:
    """Return the cases with the table's column as patient. Its column `file` holds the image's path, its name, or the case's."""
    if columns.options:
        raise ParameterError("--option is given, but volumes have no options: leave it out")
    if columns.csv is None or not columns.group:
        return listing
    rows = rows_by_file(columns)
    shared = Counter(case.image.name for case in listing.cases)
    cases, findings = [], list(listing.findings)
    for case in listing.cases:
        keys = [case.name, *_places(case.image, folder), *([case.image.name] if shared[case.image.name] == 1 else [])]
        row = next((rows[key] for key in keys if key in rows), None)
        if row and row[columns.group]:
            cases.append(replace(case, patient=row[columns.group]))
        else:
            lost = f"value of {columns.group}" if row else "row"
            says = f"{case.name}: no {lost} in {columns.csv.name}"
            findings.append(stops(Defect.OTHER, case.name, says, "Add it to the table, or exclude the case."))
    return Listing(tuple(cases), tuple(findings))


def _places(image: Path, folder: Path) -> list[str]:
    return [image.relative_to(root).as_posix() for root in (folder, folder.resolve()) if image.is_relative_to(root)]
