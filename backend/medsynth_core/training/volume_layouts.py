"""Which files of a folder are cases. Files are listed here, never opened.

--images P --masks P       whatever lies below the folder, paired by what the wildcards stand for
dataset.json               its list `training`, as the Medical Segmentation Decathlon has it (`volume_list`)
images/ + masks|labels/    equal stems
PATIENT/                   a folder each: an image, or several modalities, and a seg, mask or label (BraTS and the like)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from medsynth_core.errors import InputError, ParameterError, TrainingDataError
from medsynth_core.file_pairs import Found, pair, search, stem_of
from medsynth_core.protocol_training import Defect, Finding
from medsynth_core.training.findings import check_excluded, stops
from medsynth_core.training.volume_cases import Case, VolumeOptions
from medsynth_core.training.volume_list import LIST, listed_cases
from medsynth_core.training.volume_names import DEFAULT, MASK_WORDS, family, last_word, patient_of, same_modality

SUFFIXES = (".nii.gz", ".nii", ".zarr")
NEEDS = (
    "it needs a folder for each patient with an image and a seg file, images/ and masks/ with equal stems, "
    "or a dataset.json; for other names give --images and --masks"
)


@dataclass(frozen=True)
class Listing:
    """The cases of a folder, and what is wrong with each file that cannot be part of one."""

    cases: tuple[Case, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def offenders(self) -> tuple[str, ...]:
        """What is wrong, in sentences."""
        return tuple(finding.says for finding in self.findings)


def list_cases(folder: Path, options: VolumeOptions, excluded: Sequence[str] = ()) -> Listing:
    """Return what a folder holds, cases sorted by name; `excluded` ones are not there.

    Raises TrainingDataError for a folder without any, ParameterError for an excluded case it lacks.
    """
    if not folder.is_dir():
        raise TrainingDataError(f"{folder.name} is not a folder: give the folder that holds the volumes")
    found = _listing(folder, options)
    known = {case.name for case in found.cases} | {name for finding in found.findings for name in finding.cases}
    check_excluded(excluded, known, folder.resolve().name)
    findings = tuple(finding for finding in found.findings if not set(finding.cases) & set(excluded))
    listing = Listing(tuple(case for case in found.cases if case.name not in excluded), findings)
    if not (listing.cases or listing.findings):
        raise TrainingDataError(f"{folder.resolve().name} holds no volumes: {NEEDS}")
    return Listing(tuple(sorted(listing.cases, key=lambda case: case.name)), listing.findings)


def _listing(folder: Path, options: VolumeOptions) -> Listing:
    if options.images:
        return _by_pattern(folder, options)
    if (folder / LIST).is_file():
        return Listing(*listed_cases(folder, options))
    if (folder / "images").is_dir():
        return _by_stem(folder, options)
    return _by_patient(folder, options)


def _by_pattern(folder: Path, options: VolumeOptions) -> Listing:
    if options.word:
        raise ParameterError(f"--modality is {options.modality!r} beside --images: the pattern alone says which image is meant")
    images, masks = (_matches(folder, flag, getattr(options, flag)) for flag in ("images", "masks"))
    pairing = pair(images, masks)
    lone = [image for image in images if pairing.partners[image.stem] is None]
    findings = [_unpaired(image.stem, f"{image.place}: no mask pairs with it") for image in lone]
    findings += [_unpaired(place, f"{place}: no image pairs with it") for place in pairing.alone]
    findings += [_unpaired(stem, f"{stem}: {' and '.join(places)} both pair with it") for stem, places in pairing.twice.items()]
    both = {image.path for image in images} & {mask.path for mask in masks}
    places = [path.relative_to(folder).as_posix() for path in sorted(both)]
    findings += [_unpaired(place, f"{place}: it is image and mask at once") for place in places]
    found = [(image, pairing.partners[image.stem]) for image in images]
    cases = tuple(Case(i.stem, _patient(i), i.path, m.path, options.channel) for i, m in found if m is not None)
    return Listing(cases, tuple(findings))


def _unpaired(case: str, says: str) -> Finding:
    return stops(Defect.UNPAIRED, case, says)


def _matches(folder: Path, flag: str, pattern: str) -> Sequence[Found]:
    """Return what a pattern below the folder stands for; signs in the folder's own name are no wildcards."""
    own = re.sub(r"([*?\[])", r"[\1]", folder.as_posix())
    try:
        return search(f"{own}/{pattern}", folder / ".none").found
    except InputError:
        raise TrainingDataError(f"--{flag} {pattern} matches nothing in {folder.resolve().name}: quote it, and try ls") from None


def _patient(image: Found) -> str:
    """Return whose image it is: BIDS says it (sub-01), else the folder it lies in, else what the wildcards stand for."""
    *folders, _ = image.place.split("/")
    subjects = [part for part in folders if re.fullmatch(r"sub-[A-Za-z0-9]+", part)]
    return subjects[0] if subjects else patient_of(folders[-1] if folders else image.keys[2])


def _by_stem(folder: Path, options: VolumeOptions) -> Listing:
    if options.word:
        raise ParameterError(f"--modality is {options.modality!r}, but images/ holds one image a case: use --images and --masks")
    there = [name for name in ("masks", "labels") if (folder / name).is_dir()]
    if len(there) != 1:
        said = "both masks/ and labels/: remove one" if there else f"images/, but neither masks/ nor labels/: {NEEDS}"
        raise TrainingDataError(f"{folder.resolve().name} has {said}")
    (images, twice), (masks, twice_masks) = _stems(folder / "images"), _stems(folder / there[0])
    findings = [*twice, *twice_masks]
    for stem, path in images.items():
        if stem not in masks:
            findings.append(_unpaired(stem, f"{path.name}: image without a mask in {there[0]}/"))
    for stem, path in masks.items():
        if stem not in images:
            findings.append(_unpaired(stem, f"{path.name}: mask without an image in images/"))
    both = [stem for stem in images if stem in masks]
    return Listing(tuple(Case(s, patient_of(s), images[s], masks[s], options.channel) for s in both), tuple(findings))


def _stems(folder: Path) -> tuple[dict[str, Path], list[Finding]]:
    """Return the volumes by stem, and a complaint for each stem there is twice."""
    by_stem: dict[str, Path] = {}
    twice = []
    for path in _volumes(folder):
        if by_stem.setdefault(stem_of(path.name), path) != path:
            stem = stem_of(path.name)
            twice.append(_unpaired(stem, f"{path.name}: {by_stem[stem].name} has the same stem"))
    return by_stem, twice


def _by_patient(folder: Path, options: VolumeOptions) -> Listing:
    folders = [path for path in sorted(folder.iterdir()) if path.is_dir() and not _is_volume(path) and path.name[0] != "."]
    if not any(_volumes(path) for path in folders):
        return Listing(())
    cases, findings = [], []
    for path in folders:
        try:
            cases.append(_of_patient(path, options))
        except InputError as problem:
            findings.append(_unpaired(path.name, f"{path.name}: {problem}"))
    return Listing(tuple(cases), (*findings, *_mixed(cases)))


def _of_patient(folder: Path, options: VolumeOptions) -> Case:
    volumes = _volumes(folder)
    masks = [path for path in volumes if last_word(path) in MASK_WORDS]
    images = [path for path in volumes if path not in masks]
    if not volumes:
        raise InputError("it holds neither image nor mask: remove the folder")
    if len(masks) != 1:
        said = f"{' and '.join(path.name for path in masks)} are masks: keep one" if masks else "no mask: add a seg file"
        raise InputError(said)
    return Case(folder.name, patient_of(folder.name), _chosen(images, options), masks[0], options.channel)


def _chosen(images: list[Path], options: VolumeOptions) -> Path:
    """Return the image of the modality asked for; without one the only image, or the flair among several."""
    if not images:
        raise InputError("mask without an image: add the image")
    if len(images) == 1 and not options.word:
        return images[0]
    fitting = [path for path in images if same_modality(last_word(path), options.word or DEFAULT)]
    if len(fitting) == 1:
        return fitting[0]
    there = ", ".join(sorted(last_word(path) for path in images))
    said = "more than one" if fitting else "no"
    raise InputError(f"{said} {options.word or DEFAULT} image, there are {there}: choose one with --modality")


def _mixed(cases: Sequence[Case]) -> list[Finding]:
    """Return a complaint for each image of another modality than most: where each patient has one, none was asked for."""
    words = {case.name: family(last_word(case.image)) for case in cases}
    known = {name: word for name, word in words.items() if word is not None}
    if len(set(known.values())) < 2:
        return []
    most = Counter(known.values()).most_common(1)[0][0]
    odd = {name: word for name, word in known.items() if word != most}
    says = "its image is {}, most are {}: remove it"
    return [stops(Defect.INTENSITY, name, f"{name}: {says.format(word, most)}") for name, word in odd.items()]


def _volumes(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if _is_volume(path)]


def _is_volume(path: Path) -> bool:
    return (
        path.name.lower().endswith(SUFFIXES) and path.name[0] != "." and (path.is_file() or path.name.lower().endswith(".zarr"))
    )
