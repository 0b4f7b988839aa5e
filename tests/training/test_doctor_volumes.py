"""The doctor on volumes and on tiles of nuclei: the training refuses exactly what STOPS, until it is excluded."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medsynth_core.engines._doctor import examine
from medsynth_core.engines._training import order_of
from medsynth_core.engines.nuclei.tiles import RULES
from medsynth_core.engines.tumor.prepare import surveyed
from medsynth_core.errors import ParameterError, TrainingDataError
from medsynth_core.protocol_training import Defect, DoctorReport, Finding, Severity, TrainingRequest
from medsynth_core.training.ledger import ledger_of, write_ledger
from medsynth_core.training.pair_survey import survey_order
from tests.toy_pairs import disc, picture, save
from tests.toy_volumes import head, save_volume, write_patients


def report_on(engine: str, folder: Path, **changes: object) -> DoctorReport:
    request = replace(TrainingRequest(engine, str(folder), "mine"), **changes)  # type: ignore[arg-type]
    return examine(request, folder.parent / "thumbnails")


def stopping(report: DoctorReport) -> tuple[Finding, ...]:
    return tuple(finding for finding in report.findings if finding.severity is Severity.STOPS)


def refused(engine: str, folder: Path, excluded: tuple[str, ...] = ()) -> set[str]:
    """What a training says when it refuses the folder, asked without building its networks."""
    order = order_of(TrainingRequest(engine, str(folder), "mine", excluded=excluded))
    try:
        if engine == "tumor":
            surveyed(folder, order).admit()
        else:
            survey_order(folder, order, rules=RULES).admit()
    except TrainingDataError as problem:
        return set(problem.offenders)
    return set()


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    return write_patients(tmp_path / "set", 12)


def scaled(path: Path, seed: int, factor: int) -> None:
    save_volume((head(seed)[1] * factor).astype(np.uint8), path)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def three_values(path: Path) -> None:
    mask = head(5)[1]
    mask[:2, :2, :2] = 7
    save_volume(mask, path)


VOLUMES: dict[str, tuple[str, str, Callable[[Path], object], Defect]] = {
    "missing mask": ("P0", "seg", Path.unlink, Defect.UNPAIRED),
    "missing image": ("P1", "flair", Path.unlink, Defect.UNPAIRED),
    "other size": ("P2", "seg", lambda p: save_volume(head(2)[1][:-1], p), Defect.SIZE),
    "slices apart": ("P3", "both", lambda p: save_volume(head(3)["seg" in p.name], p, np.diag([2, 2, 90, 1])), Defect.SPACING),
    "NaN": ("P4", "flair", lambda p: save_volume(np.full_like(head(4)[0], np.nan), p), Defect.INTENSITY),
    "three label values": ("P5", "seg", three_values, Defect.LABELS),
    "duplicate": ("P7", "flair", lambda p: save_volume(head(6)[0], p), Defect.DUPLICATE),
    "corrupt": ("P8", "flair", cut_short, Defect.UNREADABLE),
}


def plant(folder: Path, names: list[str]) -> None:
    for name in names:
        case, part, harm, _ = VOLUMES[name]
        for file in ("flair", "seg") if part == "both" else (part,):
            harm(folder / case / f"{file}.nii.gz")


@pytest.mark.parametrize("name", VOLUMES)
def test_a_bad_volume_stops_the_training_until_it_is_excluded(heads: Path, name: str) -> None:
    case, _, _, defect = VOLUMES[name]
    plant(heads, [name])
    (finding,) = stopping(report_on("tumor", heads))
    assert (finding.defect, finding.cases) == (defect, (case,))
    assert case in finding.says
    assert finding.fix.endswith(".")
    assert refused("tumor", heads) == {finding.says}
    assert report_on("tumor", heads, excluded=(case,)).ready
    assert refused("tumor", heads, (case,)) == set()


def test_all_bad_volumes_are_named_at_once(heads: Path) -> None:
    plant(heads, list(VOLUMES))
    found = stopping(report_on("tumor", heads))
    assert {(finding.cases, finding.defect) for finding in found} == {
        ((case,), defect) for case, _, _, defect in VOLUMES.values()
    }
    assert refused("tumor", heads) == {finding.says for finding in found}
    assert refused("tumor", heads, tuple(case for case, *_ in VOLUMES.values())) == set()


def test_a_case_without_tumor_is_left_out_and_warned_of(heads: Path) -> None:
    scaled(heads / "P3" / "seg.nii.gz", 3, 0)
    report = report_on("tumor", heads)
    assert report.ready
    (warning,) = (finding for finding in report.findings if finding.defect is Defect.EMPTY_MASK)
    assert warning.cases == ("P3",)
    assert report.facts.cases == 11


def test_volumes_are_counted_with_sizes_and_spacings(heads: Path) -> None:
    facts = report_on("tumor", heads).facts
    assert (facts.cases, facts.groups) == (12, 12)
    assert facts.sizes == {"24×20×10": 12}
    assert facts.spacings == {"2×2×10 mm": 12}
    assert set(facts.labels) == {"0", "1"}
    assert facts.training + facts.tuning + facts.held_out == 12


def test_a_bad_volume_is_shown_by_the_slice_with_most_tumor(heads: Path) -> None:
    plant(heads, ["duplicate", "NaN"])
    report = report_on("tumor", heads)
    assert report.thumbnails == 2
    with Image.open(heads.parent / "thumbnails" / f"{stopping(report)[-1].thumbnails[0]}.png") as shown:
        assert (np.asarray(shown) == (255, 214, 0)).all(axis=2).any()


def test_a_folder_without_any_tumor_is_a_finding_on_all(heads: Path) -> None:
    for i in range(12):
        scaled(heads / f"P{i}" / "seg.nii.gz", i, 0)
    (finding,) = stopping(report_on("tumor", heads))
    assert (finding.cases, finding.excludable) == ((), False)


def test_an_excluded_volume_that_is_not_there_is_a_slip(heads: Path) -> None:
    with pytest.raises(ParameterError, match="'P99', which is no case of set"):
        report_on("tumor", heads, excluded=("P99",))


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    folder = tmp_path / "tiles"
    for i in range(8):
        pixels, _ = picture(i, 256)
        numbers = sum(disc(256, (40 + 30 * k, 40 + 25 * k), 9) * np.uint8(k + 1) for k in range(4))
        save(pixels, folder / "images" / f"t{i}.png")
        save(np.asarray(numbers, np.uint8), folder / "masks" / f"t{i}.png")
    return folder


TILES: dict[str, tuple[str, str, Callable[[Path], object], Defect]] = {
    "missing labels": ("t0", "masks", Path.unlink, Defect.UNPAIRED),
    "too small": ("t1", "both", lambda p: save(np.asarray(Image.open(p))[:100], p), Defect.SIZE),
    "other size": ("t2", "masks", lambda p: save(np.ones((256, 300), np.uint8), p), Defect.SIZE),
    "16 bits": ("t3", "images", lambda p: save(np.arange(256 * 256).reshape(256, 256).astype(np.uint16), p), Defect.INTENSITY),
    "duplicate": ("t5", "images", lambda p: shutil.copy(p.with_name("t4.png"), p), Defect.DUPLICATE),
    "corrupt": ("t6", "images", lambda p: p.write_bytes(p.read_bytes()[:60]), Defect.UNREADABLE),
}


@pytest.mark.parametrize("name", TILES)
def test_a_bad_tile_stops_the_training_until_it_is_excluded(tiles: Path, name: str) -> None:
    case, part, harm, defect = TILES[name]
    for folder in ("images", "masks") if part == "both" else (part,):
        harm(tiles / folder / f"{case}.png")
    (finding,) = stopping(report_on("nuclei", tiles))
    assert (finding.defect, finding.cases) == (defect, (case,))
    assert case in finding.says
    assert refused("nuclei", tiles) == {finding.says}
    assert report_on("nuclei", tiles, excluded=(case,)).ready
    assert refused("nuclei", tiles, (case,)) == set()


def test_tiles_without_nuclei_and_nuclei_saved_as_one_are_warned_of(tiles: Path) -> None:
    save(np.zeros((256, 256), np.uint8), tiles / "masks" / "t1.png")
    save((disc(256, (128, 128), 60) * np.uint8(255)).astype(np.uint8), tiles / "masks" / "t2.png")
    report = report_on("nuclei", tiles)
    assert report.ready
    warned = {finding.defect: finding.cases for finding in report.findings if finding.severity is Severity.WARNS}
    assert warned[Defect.EMPTY_MASK] == ("t1",)
    assert warned[Defect.LABELS] == ("t2",)


def test_held_out_heads_that_taught_the_base_are_told_of(heads: Path, tmp_path: Path) -> None:
    order = order_of(TrainingRequest("tumor", str(heads), "mine"))
    there = surveyed(heads, order)
    met, base = there.sides.held_out, tmp_path / "base"
    assert met
    base.mkdir()
    write_ledger(ledger_of(there.marks(met)), base)
    (finding,) = (one for one in surveyed(heads, replace(order, base=base)).findings if one.defect is Defect.LEAKAGE)
    assert finding.severity is Severity.WARNS
    assert set(finding.cases) == {case.name for case in met}
    assert not [one for one in there.findings if one.defect is Defect.LEAKAGE]
