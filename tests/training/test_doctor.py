"""The doctor on folders of pairs: every defect is named with file and fix, and the training refuses exactly what STOPS."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medsynth_core.engines._base import get_engine
from medsynth_core.engines._doctor import examine
from medsynth_core.engines._training import order_of, prepared
from medsynth_core.errors import ParameterError, TrainingDataError
from medsynth_core.protocol_training import Defect, DoctorReport, Finding, Severity, TrainingRequest
from medsynth_core.training.ledger import ledger_of, mark_of, write_ledger
from medsynth_core.training.likeness import likeness_of
from medsynth_core.training.pairs import is_held_out
from tests.toy_pairs import disc, picture, save, write_pairs

COUNT = 24


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A sound folder of 24 pairs."""
    return write_pairs(tmp_path / "data", COUNT)


def request_on(folder: Path, **changes: object) -> TrainingRequest:
    return replace(TrainingRequest("synthesize", str(folder), "mine", preset="toy"), **changes)  # type: ignore[arg-type]


def report_on(folder: Path, **changes: object) -> DoctorReport:
    return examine(request_on(folder, **changes), folder.parent / "thumbnails")


def stopping(report: DoctorReport) -> tuple[Finding, ...]:
    return tuple(finding for finding in report.findings if finding.severity is Severity.STOPS)


def refused(request: TrainingRequest) -> tuple[str, ...]:
    """What a training says when it refuses this request; nothing if it would start."""
    try:
        prepared(request, order_of(request))
    except TrainingDataError as problem:
        return problem.offenders or (str(problem),)
    return ()


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


def three_values(path: Path) -> None:
    lesion = (np.asarray(Image.open(path)) > 0).astype(np.uint8)
    lesion[:3, :3] = 2
    save(lesion, path)


def deep(path: Path) -> None:
    grey = np.asarray(Image.open(path).convert("L")).astype(np.uint16)
    path.unlink()
    save(grey * 257, path)


def copy_of_another(path: Path) -> None:
    shutil.copy(path.with_name("case00.png"), path)


DEFECTS: dict[str, tuple[str, str, Callable[[Path], object], Defect, str]] = {
    "missing mask": ("case01", "masks", Path.unlink, Defect.UNPAIRED, "case01.png: image without a mask"),
    "missing image": ("case02", "images", Path.unlink, Defect.UNPAIRED, "case02.png: mask without an image"),
    "other size": (
        "case03",
        "masks",
        lambda p: save(np.ones((32, 31), np.uint8), p),
        Defect.SIZE,
        "case03: image is 32×32, mask 32×31",
    ),
    "empty": (
        "case04",
        "masks",
        lambda p: save(np.zeros((32, 32), np.uint8), p),
        Defect.EMPTY_MASK,
        "case04.png: the mask is empty",
    ),
    "three label values": ("case05", "masks", three_values, Defect.LABELS, "case05.png: the mask holds the values 0, 1 and 2"),
    "16 bits": ("case06", "images", deep, Defect.INTENSITY, "case06.png: the image is 16 bits, most are 8 bits"),
    "duplicate": ("case07", "images", copy_of_another, Defect.DUPLICATE, "case07.png: it shows the same pixels as case00.png"),
    "corrupt": ("case08", "images", truncate, Defect.UNREADABLE, "case08.png cannot be read as PNG"),
    "one value": (
        "case09",
        "images",
        lambda p: save(np.full((32, 32, 3), 9, np.uint8), p),
        Defect.INTENSITY,
        "case09.png: the image holds one value",
    ),
}


def plant(folder: Path, names: list[str]) -> None:
    """Harm a folder, after its masks were numbered 0 and 1."""
    for path in (folder / "masks").iterdir():
        save((np.asarray(Image.open(path)) > 0).astype(np.uint8), path)
    for name in names:
        case, part, harm, _, _ = DEFECTS[name]
        harm(folder / part / f"{case}.png")


@pytest.mark.parametrize("name", DEFECTS)
def test_one_defect_is_named_with_file_and_fix_and_excluding_it_mends_the_folder(here: Path, name: str) -> None:
    case, _, _, defect, said = DEFECTS[name]
    plant(here, [name])
    (finding,) = stopping(report_on(here))
    assert (finding.defect, finding.cases, finding.excludable) == (defect, (case,), True)
    assert finding.says.startswith(said)
    assert finding.fix.endswith(".")
    assert refused(request_on(here)) == (finding.says,)
    assert report_on(here, excluded=(case,)).ready
    assert refused(request_on(here, excluded=(case,))) == ()


def test_a_folder_with_every_defect_names_each_and_trains_once_all_are_excluded(here: Path) -> None:
    plant(here, list(DEFECTS))
    found = stopping(report_on(here))
    assert {(finding.cases, finding.defect) for finding in found} == {
        ((case,), defect) for case, _, _, defect, _ in DEFECTS.values()
    }
    assert set(refused(request_on(here))) == {finding.says for finding in found}
    every = tuple(case for case, *_ in DEFECTS.values())
    for left in every:
        assert refused(request_on(here, excluded=tuple(case for case in every if case != left))), left
    assert refused(request_on(here, excluded=every)) == ()
    assert report_on(here, excluded=every).facts.cases == COUNT - len(DEFECTS)


def test_the_doctor_says_the_same_for_refine(here: Path) -> None:
    plant(here, list(DEFECTS))
    request = TrainingRequest("refine", str(here), "mine", preset="toy")
    found = stopping(examine(request, here.parent / "thumbnails"))
    assert set(refused(request)) == {finding.says for finding in found}
    assert len(found) == len(DEFECTS)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"base": "brain-slice"}, "base brain-slice has 1 of 3 channels: choose another base or use --grey"),
        ({"base": "polyp", "grey": True}, "base polyp has 3 of 1 channels: choose another base"),
        ({"preset": "flow-map"}, "preset flow-map distils a trained model"),
        ({"engine": "refine", "preset": "coarse-published", "base": "refiner"}, "a coarse network starts anew"),
        ({"engine": "refine", "base": "polyp-coarse"}, "base is polyp-coarse, a coarse network"),
    ],
)
def test_a_base_that_does_not_go_with_the_rest_stops_before_the_training_does(
    here: Path, changes: dict[str, object], said: str
) -> None:
    request = request_on(here, **changes)
    (finding,) = stopping(report_on(here, **changes))
    assert said in finding.says
    assert (finding.cases, finding.excludable) == ((), False)
    with pytest.raises(ParameterError) as refusal:
        prepared(request, order_of(request))
    assert str(refusal.value) == finding.says


@pytest.mark.parametrize(("engine", "base"), [("synthesize", "polyp"), ("refine", "refiner")])
def test_a_base_of_the_same_kind_stops_nothing(here: Path, engine: str, base: str) -> None:
    assert report_on(here, engine=engine, base=base).ready


def test_every_engine_that_can_be_trained_has_a_doctor() -> None:
    for name in ("synthesize", "refine", "tumor", "nuclei"):
        assert get_engine(name).recipe is not None
        assert get_engine(name).examine is not None


def test_a_sound_folder_is_counted_and_ready(here: Path) -> None:
    report = report_on(here)
    assert report.ready
    assert (report.facts.cases, report.facts.groups, report.facts.channels) == (COUNT, COUNT, 3)
    assert report.facts.training + report.facts.tuning + report.facts.held_out == COUNT
    assert report.facts.sizes == {"32×32": COUNT}
    assert sum(report.facts.labels.values()) == pytest.approx(1)
    assert 0 <= report.facts.intensity[0] < report.facts.intensity[1] <= 255


def test_an_excluded_name_that_is_no_case_is_a_slip(here: Path) -> None:
    with pytest.raises(ParameterError, match="'case99', which is no case of data"):
        report_on(here, excluded=("case99",))


def test_offenders_are_shown_small_with_the_rim_of_the_mask(here: Path) -> None:
    plant(here, ["16 bits", "missing mask", "corrupt"])
    report = report_on(here)
    numbers = sorted({number for finding in report.findings for number in finding.thumbnails})
    assert numbers == list(range(report.thumbnails))
    assert report.thumbnails == 3, "of a corrupt image the mask is shown"
    (deep_one,) = (finding for finding in stopping(report) if finding.cases == ("case06",))
    with Image.open(here.parent / "thumbnails" / f"{deep_one.thumbnails[0]}.png") as shown:
        assert max(shown.size) <= 128
        assert (np.asarray(shown) == (255, 214, 0)).all(axis=2).any()


def test_a_large_image_is_shown_small(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "data", 3, side=400)
    shutil.copy(folder / "images" / "case00.png", folder / "images" / "case02.png")
    report_on(folder)
    with Image.open(tmp_path / "thumbnails" / "0.png") as shown:
        assert shown.size == (128, 128)


def test_a_duplicate_with_another_mask_says_so(here: Path) -> None:
    shutil.copy(here / "images" / "case00.png", here / "images" / "case01.png")
    (finding,) = stopping(report_on(here))
    assert finding.says.endswith("with another mask")
    assert "right" in finding.fix
    assert report_on(here, excluded=("case00",)).ready, "either may be left out"


def test_a_value_named_is_no_mistake_and_one_not_named_is(here: Path) -> None:
    plant(here, ["three label values"])
    assert report_on(here, labels={"1": "lesion", "2": "edge"}).ready
    (finding,) = stopping(report_on(here, labels={"1": "lesion"}))
    assert "holds the label 2, named are 0, 1" in finding.says


def test_masks_of_many_classes_are_no_mistake(here: Path) -> None:
    for i in range(COUNT):
        labels = disc(32, (10, 10), 6) * np.uint8(3) + disc(32, (24, 24), 4) * np.uint8(1 + i % 3)
        save(labels.astype(np.uint8), here / "masks" / f"case{i:02d}.png")
    assert report_on(here).ready


def test_a_black_and_white_mask_among_numbers_is_named(here: Path) -> None:
    plant(here, [])
    save(picture(5)[1] * np.uint8(255), here / "masks" / "case05.png")
    (finding,) = stopping(report_on(here))
    assert finding.says == "case05.png: the mask holds 0 and 255 where most hold label numbers"


@pytest.mark.parametrize(("value", "said"), [(128, "0, 128 and 255"), (1, "0, 1 and 255"), (254, "0, 254 and 255")])
def test_a_third_value_among_black_and_white_masks_is_named(here: Path, value: int, said: str) -> None:
    lesion = picture(5)[1] * np.uint8(255)
    lesion[:2, :2] = value
    save(lesion, here / "masks" / "case05.png")
    save(picture(6)[1], here / "masks" / "case06.png")
    found = {finding.cases: finding.says for finding in stopping(report_on(here))}
    assert found[("case05",)] == f"case05.png: the mask holds {said} where most hold 0 and 255"
    assert found[("case06",)] == "case06.png: the mask holds 0 and 1 where most hold 0 and 255"
    assert refused(request_on(here)) == tuple(found[key] for key in sorted(found))
    assert refused(request_on(here, excluded=("case05", "case06"))) == ()


def test_white_means_one_and_must_be_named_so(here: Path) -> None:
    assert report_on(here, labels={"1": "lesion"}).ready
    assert len(stopping(report_on(here, labels={"2": "lesion"}))) == COUNT
    assert refused(request_on(here, labels={"2": "lesion"}))


def test_look_alikes_are_told_and_stay_on_one_side(here: Path) -> None:
    pixels = picture(0)[0]
    save((pixels * 0.9).astype(np.uint8), here / "images" / "case01.png")
    (told,) = (finding for finding in report_on(here).findings if finding.defect is Defect.NEAR_DUPLICATE)
    assert (told.severity, told.cases) == (Severity.TELLS, ("case01",))
    assert report_on(here).facts.groups == COUNT - 1


def flipped(here: Path, number: int, of: int) -> None:
    """Plant the mirror image of a case, saved anew as an export would: its pixels are those of no other."""
    save((picture(of)[0][:, ::-1] * 0.98 + 2).astype(np.uint8), here / "images" / f"case{number:02d}.png")


def test_a_mirrored_duplicate_is_named_as_such_and_left_out_by_name(here: Path) -> None:
    flipped(here, 1, of=0)
    flipped(here, 5, of=3)
    report = report_on(here)
    (finding,) = (finding for finding in report.findings if finding.defect is Defect.DUPLICATE)
    assert (finding.severity, finding.cases, finding.excludable) == (Severity.WARNS, ("case01", "case05"), True)
    assert finding.says.startswith("2 images are others with left and right exchanged: ")
    assert "case01.png is a mirrored duplicate of case00.png" in finding.says
    assert report.facts.groups == COUNT - 2, "both stay on one side"
    again = report_on(here, excluded=finding.cases)
    assert not [one for one in again.findings if one.defect in (Defect.DUPLICATE, Defect.NEAR_DUPLICATE)]


def test_a_mirrored_duplicate_of_another_patient_on_the_other_side_is_warned_of(here: Path) -> None:
    held_out = next(f"p{i}" for i in range(100) if is_held_out(f"p{i}"))
    learned = next(f"p{i}" for i in range(100) if not is_held_out(f"p{i}"))
    flipped(here, 1, of=0)
    report = report_on(here, **table(here, lambda i: held_out if i == 1 else learned))
    (finding,) = (finding for finding in report.findings if finding.defect is Defect.LEAKAGE)
    assert (finding.severity, finding.cases) == (Severity.WARNS, ("case01",))
    assert "case01 is like case00 (mirrored, correlation" in finding.says


def test_images_that_are_their_own_mirror_image_are_no_mirrored_duplicates(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    for i in range(20):
        half = picture(i, 64)[0][:, :32]
        save(np.concatenate([half, half[:, ::-1]], axis=1), folder / "images" / f"case{i:02d}.png")
        save(picture(i, 64)[1], folder / "masks" / f"case{i:02d}.png")
    report = report_on(folder)
    assert report.facts.groups == 20
    assert not [one for one in report.findings if one.defect is Defect.DUPLICATE]


def odd(report: DoctorReport, defect: Defect) -> list[str]:
    return [finding.says for finding in report.findings if finding.defect is defect and finding.severity is Severity.WARNS]


def test_inverted_saturated_and_dark_images_are_warned_of(tmp_path: Path) -> None:
    folder, rng = tmp_path / "data", np.random.default_rng(0)
    ground = np.linspace(20, 220, 64)[:, None].repeat(64, 1)
    images = [(ground + rng.normal(0, 15, (64, 64))).clip(0, 250) for _ in range(20)]
    images[3], images[4], images[5] = 250 - images[3], np.where(images[4] > 130, 255, images[4]), images[5] * 0.15
    for i, image in enumerate(images):
        save(image.astype(np.uint8), folder / "images" / f"case{i:02d}.png")
        save(picture(i, 64)[1], folder / "masks" / f"case{i:02d}.png")
    said = odd(report_on(folder), Defect.INTENSITY)
    assert [text for text in said if "inverted" in text and text.endswith("case03")]
    assert [text for text in said if "saturated: case04.png" in text]
    assert [text for text in said if "darker than most: case05.png" in text]
    assert len(said) == 3


def test_an_image_of_another_shape_and_a_grey_one_are_warned_of(here: Path) -> None:
    save(picture(1, 64)[0][:16], here / "images" / "case01.png")
    save(picture(1, 64)[1][:16] | 1, here / "masks" / "case01.png")
    save(picture(2)[0][..., 0], here / "images" / "case02.png")
    report = report_on(here)
    assert any("another shape" in text and "case01.png is 64×16" in text for text in odd(report, Defect.SIZE))
    assert odd(report, Defect.INTENSITY) == ["1 image is grey among color: case02"]


def table(here: Path, patient: Callable[[int], str]) -> dict[str, object]:
    csv = here.parent / "table.csv"
    csv.write_text("file,patient\n" + "".join(f"case{i:02d}.png,{patient(i)}\n" for i in range(COUNT)), "utf-8")
    return {"metadata": str(csv), "group_by": "patient"}


def names_on_both_sides() -> tuple[str, str]:
    """Two spellings of one name, one of them held out."""
    numbers = range(1000)
    return next((f"Pat {i}", f"pat {i}") for i in numbers if is_held_out(f"Pat {i}") and not is_held_out(f"pat {i}"))


def test_one_patient_under_two_spellings_on_both_sides_stops(here: Path) -> None:
    one, other = names_on_both_sides()
    columns = table(here, lambda i: one if i == 3 else other if i == 4 else f"someone {i}")
    (finding,) = stopping(report_on(here, **columns))
    assert (finding.defect, finding.cases) == (Defect.LEAKAGE, ("case03", "case04"))
    assert refused(request_on(here, **columns)) == (finding.says,)
    assert report_on(here, **columns, excluded=("case04",)).ready


def test_a_case_without_a_patient_stops(here: Path) -> None:
    columns = table(here, lambda i: "" if i == 3 else f"someone {i}")
    (finding,) = stopping(report_on(here, **columns))
    assert finding.says == "case03.png: no value of patient in table.csv"


def test_look_alikes_of_two_patients_on_both_sides_are_warned_of(here: Path) -> None:
    held_out = next(f"p{i}" for i in range(100) if is_held_out(f"p{i}"))
    learned = next(f"p{i}" for i in range(100) if not is_held_out(f"p{i}"))
    save((picture(0)[0] * 0.9).astype(np.uint8), here / "images" / "case01.png")
    report = report_on(here, **table(here, lambda i: held_out if i == 1 else learned))
    (finding,) = (finding for finding in report.findings if finding.defect is Defect.LEAKAGE)
    assert (finding.severity, finding.cases) == (Severity.WARNS, ("case01",))


def test_names_of_one_patient_on_both_sides_are_warned_of(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    for i in range(COUNT):
        pixels, lesion = picture(i)
        save(pixels, folder / "images" / f"P{i // 4:02d}_{i % 4}.png")
        save(lesion, folder / "masks" / f"P{i // 4:02d}_{i % 4}.png")
    (said,) = odd(report_on(folder), Defect.LEAKAGE)
    assert said.startswith("names look like 6 patients with several images each")


def test_what_taught_the_base_is_not_held_out_unsaid(here: Path, tmp_path: Path) -> None:
    from medsynth_core.engines.synthesize.prepare import surveyed
    from medsynth_core.training.order import TrainingOrder

    names = [f"case{i:02d}" for i in range(COUNT) if is_held_out(f"case{i:02d}")]
    pixels = {name: picture(int(name[4:]))[0] for name in names}
    marks = [mark_of(n, "", likeness_of(p.transpose(2, 0, 1)[:, None], Image.fromarray(p))) for n, p in pixels.items()]
    base = tmp_path / "base"
    base.mkdir()
    write_ledger(ledger_of(marks), base)
    survey = surveyed(here, TrainingOrder(base=base))
    (finding,) = (finding for finding in survey.findings if finding.defect is Defect.LEAKAGE)
    assert finding.cases == tuple(names)


def test_few_cases_are_warned_of_and_none_is_a_report(tmp_path: Path) -> None:
    few = report_on(write_pairs(tmp_path / "few", 3))
    assert few.ready
    assert any(finding.defect is Defect.TOO_FEW for finding in few.findings)
    (tmp_path / "none" / "images").mkdir(parents=True)
    (tmp_path / "none" / "masks").mkdir()
    none = report_on(tmp_path / "none")
    assert not none.ready
    assert not none.findings[0].excludable
    assert "holds no pairs" in none.findings[0].says


def test_the_worst_comes_first(here: Path) -> None:
    plant(here, ["16 bits", "corrupt"])
    save((picture(10)[0] * 0.9).astype(np.uint8), here / "images" / "case11.png")
    severities = [finding.severity for finding in report_on(here).findings]
    assert severities == sorted(severities, key=list(Severity).index)
    assert Severity.TELLS in severities
