"""The list `dataset.json` of the Medical Segmentation Decathlon: {"training": [{"image": …, "label": …}], "modality": {…}}.

Paths are relative and stay in the folder, also behind links.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from medsynth_core.errors import InputError, TrainingDataError
from medsynth_core.file_pairs import stem_of
from medsynth_core.protocol_training import Defect, Finding
from medsynth_core.training.findings import stops
from medsynth_core.training.volume_cases import Case, VolumeOptions
from medsynth_core.training.volume_names import DEFAULT, patient_of, same_modality

LIST = "dataset.json"
MAX_BYTES = 16 * 2**20


def listed_cases(folder: Path, options: VolumeOptions) -> tuple[tuple[Case, ...], tuple[Finding, ...]]:
    """Return (cases, findings) of the list. Raises TrainingDataError when it is none, or lacks the modality asked for."""
    content = _content(folder / LIST)
    channel = _channel(content, options)
    cases: dict[Path, Case] = {}
    findings = []
    for number, entry in enumerate(content["training"], start=1):
        try:
            case = _case(folder.resolve(), entry, channel)
            if case.image in cases:
                raise InputError(f"{case.name} is listed more than once")
            cases[case.image] = case
        except InputError as problem:
            line = f"{LIST} entry {number}"
            findings.append(stops(Defect.UNPAIRED, line, f"{line}: {problem}", "Mend the list, or exclude the entry."))
    return tuple(cases.values()), tuple(findings)


def _content(path: Path) -> dict[str, Any]:
    if path.stat().st_size > MAX_BYTES:
        raise TrainingDataError(f"{LIST} has more than {MAX_BYTES // 2**20} MiB: it must be a list of files")
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        raise TrainingDataError(f"{LIST} cannot be read as JSON: mend it, or give --images and --masks") from None
    if not isinstance(content, dict) or not isinstance(content.get("training"), list):
        raise TrainingDataError(f"{LIST} has no list `training` of image and label: give --images and --masks instead")
    return content


def _case(root: Path, entry: Any, channel: int | None) -> Case:
    if not isinstance(entry, dict) or not all(isinstance(entry.get(key), str) for key in ("image", "label")):
        raise InputError("it must be an object with image and label, both paths")
    image, mask = (_inside(root, entry[key]) for key in ("image", "label"))
    name = stem_of(image.relative_to(root).as_posix())
    return Case(name, patient_of(stem_of(image.name)), image, mask, channel)


def _inside(root: Path, text: str) -> Path:
    """Return the file a relative path leads to. Raises InputError when it leads out of the folder or to nothing."""
    if Path(text).is_absolute() or "\0" in text:
        raise InputError(f"{text!r} must be a path relative to the folder")
    path = (root / text).resolve()
    if not path.is_relative_to(root):
        raise InputError(f"{text!r} leads out of the folder")
    if not path.exists() or path == root:
        raise InputError(f"{path.name} does not exist")
    return path


def _channel(content: dict[str, Any], options: VolumeOptions) -> int | None:
    """Return the entry of the fourth axis to take: the index asked for, or that of the modality's name in the list."""
    names = content.get("modality") or content.get("channel_names") or {}
    if not isinstance(names, dict) or not all(isinstance(index, str) and index.isdecimal() for index in names):
        raise TrainingDataError(f'{LIST} must name modalities by index, as in {{"0": "FLAIR"}}: mend it')
    if options.channel is not None or (len(names) < 2 and not options.word):
        return options.channel
    wanted = options.word or DEFAULT
    fitting = [int(index) for index, name in names.items() if same_modality(str(name), wanted)]
    if len(fitting) != 1:
        there = ", ".join(map(str, names.values())) or "none named"
        raise TrainingDataError(f"{LIST} has no {wanted} image, there are {there}: choose one with --modality")
    return fitting[0] if len(names) > 1 else None
