"""`msynth tumor`: what goes in, what lies in the folder afterwards, and one sentence for what cannot be. On a script."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest

from medsynth_core import cli_tumor, formats
from medsynth_core.cli_tumor_order import declared_params, plain_params
from medsynth_core.cli_tumor_run import JOURNAL
from medsynth_core.errors import ServiceUnavailableError, StorageFullError
from medsynth_core.tumor_words import TRIPLES
from medsynth_core.volume import Volume
from tests.formats.dicom_files import PATIENT, series
from tests.scripted_tumor import SIZE, SPACING, Script, ScriptedGrower
from tests.test_cli_refine import OBLIQUE, complaint, run


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    made = Script()
    monkeypatch.setattr(cli_tumor, "connect", lambda **_: ScriptedGrower(made))
    return made


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tumor(*words: object) -> int:
    return run("tumor", "-o", "out", *words)


def files(folder: str = "out") -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir() if path.name != JOURNAL)


def told(folder: str = "out") -> list[dict[str, Any]]:
    content = json.loads(Path(folder, "request.json").read_text())
    assert content["synthetic"] is True
    return list(content["volumes"])


def background(name: str = "flair.nii.gz", dtype: type = np.int16) -> Path:
    voxels = np.random.default_rng(0).integers(0, 900, (1, 4, 7, 6)).astype(dtype)
    formats.write(Path(name), Volume(voxels, OBLIQUE), {})
    return Path(name)


# what comes out


def test_image_and_mask_lie_in_the_folder_and_nothing_else_but_the_request(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tumor() == 0
    assert files() == ["image.nii.gz", "mask.nii.gz", "request.json"]
    assert capsys.readouterr().out.split() == [str(Path("out", name)) for name in ("image.nii.gz", "mask.nii.gz")]
    assert script.submitted[0].params == {}
    assert (script.submitted[0].model, script.submitted[0].seed) == ("lgg-flair", 0)


def test_the_state_a_job_resumes_from_is_never_fetched(script: Script) -> None:
    assert tumor("--format", "omezarr") == 0
    assert "latents" in [output.name for output in script.jobs["job1"].info().outputs]
    assert sorted(script.fetched) == ["image", "mask"]


@pytest.mark.parametrize("how", ["nifti", "omezarr"])
def test_both_files_lie_in_one_place_whose_origin_is_the_middle(script: Script, how: str) -> None:
    assert tumor("--format", how) == 0
    suffix = {"nifti": ".nii.gz", "omezarr": ".ome.zarr"}[how]
    image, mask = formats.read(Path(f"out/image{suffix}")), formats.read_mask(Path(f"out/mask{suffix}"))
    np.testing.assert_array_equal(image.affine, mask.affine)
    np.testing.assert_allclose(np.diag(image.affine), [-SPACING[2], -SPACING[1], SPACING[0], 1])
    middle = (np.array(SIZE)[::-1] - 1) / 2
    np.testing.assert_allclose(image.affine @ [*middle, 1], [0, 0, 0, 1], atol=1e-6)
    assert set(np.unique(mask.array)) == {0, 1}
    assert mask.array.dtype == np.uint8


def test_every_file_says_that_it_is_synthetic(script: Script) -> None:
    assert tumor("--seed", 7) == 0
    assert run("tumor", "-o", "zarr", "--format", "omezarr") == 0
    for name in ("image", "mask"):
        header = nibabel.load(f"out/{name}.nii.gz").header
        assert bytes(header["descrip"]).startswith(b"Synthetic image made by MedSynth")
        recipe = json.loads(header.extensions[0].text)
        assert (recipe["synthetic"], recipe["seed"]) == (True, 7)
        attributes = json.loads(Path(f"zarr/{name}.ome.zarr/zarr.json").read_text())["attributes"]
        assert attributes["medsynth"]["synthetic"] is True
    assert "tumor" in Path("zarr/mask.ome.zarr/zarr.json").read_text()


def test_the_request_says_what_was_asked_what_was_filled_in_and_what_was_got(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = {f"asked_center_{axis}_mm": float(i) for i, axis in enumerate("xyz")}
    script.notes = drawn | {"got_center_x_mm": 0.5, "flag_volume": "volume 20 ml is beyond the trained 1 to 15 ml"}
    assert tumor("--volume-ml", 20, "--seed", 5, "--shape", 0, 64, 64) == 0
    (record,) = told()
    assert record["asked"] == {"volume_ml": 20.0, "shape": [0, 64, 64]}
    assert record["resolved"] == {"volume_ml": 20.0, "center_mm": [0.0, 1.0, 2.0]}
    assert record["got"] == {"volume_ml": 19.5, "center_x_mm": 0.5}
    assert record["flags"] == ["volume 20 ml is beyond the trained 1 to 15 ml"]
    assert (record["seed"], record["model"], record["model_sha256"]) == (5, "lgg-flair", "sha-lgg-flair")
    assert record["seconds"] >= 0
    assert "image.nii.gz: volume 20 ml is beyond the trained" in capsys.readouterr().err


def test_with_json_the_record_is_printed(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    assert tumor("--json", "--count", 2) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == told()


def test_a_count_numbers_files_and_seeds(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    assert tumor("--count", 3, "--seed", 40) == 0
    assert files() == [*(f"{n}-00{i}.nii.gz" for n in ("image", "mask") for i in range(3)), "request.json"]
    assert [request.seed for request in script.submitted] == [40, 41, 42]
    assert [record["seed"] for record in told()] == [40, 41, 42]
    assert re.search(r"3 done; \d+ s", capsys.readouterr().err)


def test_a_background_gives_its_grid_its_type_and_its_place(script: Script) -> None:
    assert tumor("--background", background(), "--volume-ml", 3) == 0
    image, mask = formats.read(Path("out/image.nii.gz")), formats.read_mask(Path("out/mask.nii.gz"))
    assert image.size == mask.size == (4, 7, 6)
    assert image.array.dtype == np.int16
    for made in (image, mask):
        np.testing.assert_allclose(made.affine, OBLIQUE, atol=1e-5)
    np.testing.assert_array_equal(script.given[0]["background"].array, formats.read(Path("flair.nii.gz")).array)
    assert told()[0]["asked"] == {"volume_ml": 3.0, "background": "flair.nii.gz"}


# dicom


def test_as_dicom_the_image_is_a_series_and_the_mask_a_segmentation_on_it(script: Script) -> None:
    assert tumor("--format", "dicom", "--seed", 3) == 0
    assert files() == ["image", "mask.dcm", "request.json"]
    image, mask = formats.read_pair(Path("out/image"), Path("out/mask.dcm"))
    made = script.jobs["job1"]
    np.testing.assert_array_equal(image.array, made.result("image").array)
    np.testing.assert_array_equal(mask.array, made.result("mask").array)
    np.testing.assert_allclose(image.affine, made.result("image").affine, atol=1e-6)
    slices = [pydicom.dcmread(path) for path in sorted(Path("out/image").iterdir())]
    seg = pydicom.dcmread("out/mask.dcm")
    assert len(slices) == SIZE[0]
    for ds in (*slices, seg):
        assert ds.SyntheticData == "YES"
        assert str(ds.PatientID).startswith("SYNTHETIC-")
        assert ds.SeriesDescription.startswith("Synthetic image made by MedSynth")
        assert ds.StudyInstanceUID == slices[0].StudyInstanceUID
    assert slices[0].ImageType[:2] == ["DERIVED", "SECONDARY"]
    assert slices[0].ContributingEquipmentSequence[0].PurposeOfReferenceCodeSequence[0].CodeValue == "109100"
    assert seg.SegmentSequence[0].SegmentLabel == "tumor"


def test_a_dicom_background_leaves_no_trace_of_its_patient(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    series(Path("scan"), 4)
    assert tumor("--format", "dicom", "--background", "scan", "--volume-ml", 1) == 0
    source = pydicom.dcmread(next(Path("scan").iterdir()))
    made = [path for path in Path("out").rglob("*") if path.is_file()]
    assert len(made) == 4 + 3
    for path in made:
        content = path.read_bytes()
        for word in (PATIENT, "Quixote", "LAMANCHA", "WINDMILL", str(source.SOPInstanceUID)):
            assert word.encode() not in content, path
    image = formats.read(Path("out/image"))
    np.testing.assert_allclose(image.affine, formats.read(Path("scan")).affine, atol=1e-4)
    assert pydicom.dcmread("out/image/0001.dcm").Modality == "CT"
    assert told()[0]["asked"]["background"] == "the DICOM background"
    assert PATIENT not in capsys.readouterr().out


def test_the_same_volume_is_the_same_series(script: Script) -> None:
    for folder in ("a", "b"):
        assert run("tumor", "-o", folder, "--format", "dicom", "--seed", 9) == 0
    for path in Path("a/image").iterdir():
        assert path.read_bytes() == Path("b/image", path.name).read_bytes()


# what is asked


def test_every_parameter_has_a_word(script: Script) -> None:
    words = ("--volume-ml", 12.5, "--sphericity", 0.8, "--steps", 4, "--guidance", 2, "--anchor", 7, "--cleanup")
    threes = ("--center-mm", -30, 12.5, -4, "--extent-mm", 30, 25, 0, "--shape", 40, 96, 80, "--spacing", 3, 2, 2.5)
    assert tumor(*words, *threes, "--seed", 9, "--model", "other") == 0
    assert script.submitted[0].params == {
        "volume_ml": 12.5,
        "sphericity": 0.8,
        "steps": 4,
        "guidance": 2.0,
        "anchor": 7,
        "cleanup": True,
        "place": "given",
        "center_x_mm": -30.0,
        "center_y_mm": 12.5,
        "center_z_mm": -4.0,
        "extent_x_mm": 30.0,
        "extent_y_mm": 25.0,
        "extent_z_mm": 0.0,
        "slices": 40,
        "height": 96,
        "width": 80,
        "slice_mm": 3.0,
        "row_mm": 2.0,
        "column_mm": 2.5,
    }
    assert told()[0]["asked"]["center_mm"] == [-30.0, 12.5, -4.0]


def test_no_parameter_of_the_engine_is_left_without_a_word() -> None:
    threes = {part for parts in TRIPLES.values() for part in parts}
    assert {info.name for info in declared_params()} == {info.name for info in plain_params()} | threes | {"place"}


def test_the_help_tells_every_word(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("tumor", "--help")
    text = " ".join(capsys.readouterr().out.split())
    for word in (
        "--volume-ml",
        "--center-mm X Y Z",
        "--shape Z Y X",
        "--background",
        "--cleanup",
        "0 to 1000 ml",
        "world RAS mm",
    ):
        assert word in text
    with pytest.raises(SystemExit):
        run("--help")
    assert "grow a tumor volume" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--volume-ml", "-3"], r"volume_ml is -3: it must lie at or above 0 and at or below 1000"),
        (["--volume-ml", "nan"], "volume_ml is nan: it must lie"),
        (["--volume-ml", "big"], "volume_ml is 'big': it must be of kind number"),
        (["--center-mm", "1", "2"], "expected 3 arguments"),
        (["--center-mm", "900", "0", "0"], "center_x_mm is 900: it must lie"),
        (["--center-mm", "0", "here", "0"], "center_y_mm is 'here': it must be of kind number"),
        (["--extent-mm", "10", "10", "-1"], "extent_z_mm is -1"),
        (["--shape", "10", "64", "64.5"], "width is '64.5': it must be of kind integer"),
        (["--spacing", "0", "0", "99"], "column_mm is 99"),
        (["--sphericity", "1.2"], "sphericity is 1.2"),
        (["--steps", "0"], "steps is 0"),
        (["--count", "0"], "--count is 0: it must lie between 1 and 1000"),
        (["--count", "5000"], "--count is 5000"),
        (["--count", "many"], "--count: invalid int"),
        (["--format", "png"], "invalid choice: 'png'"),
        (["--model", "liver"], "model is 'liver': it must be one of lgg-flair, other;"),
        (["--wobble", "1"], "--wobble is not known here"),
        (["stray"], "stray is not known here"),
        (["--series", "2"], "--series chooses in a DICOM folder"),
        (["--background", "none.nii.gz"], "none.nii.gz does not exist"),
        (["--background", "words.nii"], "words.nii is of an unknown kind"),
        (["--background", "color.ome.zarr"], "color.ome.zarr has 3 channels: a background is grey"),
        (["--background", "flair.nii.gz", "--shape", "9", "9", "9"], "--shape and --background are given"),
        (["--background", "flair.nii.gz", "--spacing", "1", "1", "1"], "--spacing and --background are given"),
        (["--background", "real.nii.gz", "--format", "dicom"], "float32: a DICOM series holds uint8, uint16, int16"),
        (["--background", "lean.nii.gz", "--format", "dicom"], "not at right angles"),
        (["--background", "scan", "--series", "9"], "no series number 9"),
    ],
)
def test_wrong_words_get_one_sentence_no_job_and_no_folder(
    script: Script, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    background()
    background("real.nii.gz", np.float32)
    Path("words.nii").write_text("words")
    formats.write(Path("color.ome.zarr"), Volume(np.zeros((3, 2, 4, 4), np.uint8)), {})
    leaning = np.eye(4)
    leaning[0, 2] = 0.5
    formats.write(Path("lean.nii.gz"), Volume(np.zeros((1, 2, 4, 4), np.uint8), leaning), {})
    series(Path("scan"), 2)
    complaint(capsys, tumor(*words), 2, sentence)
    assert not script.submitted
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("folder", "sentence"), [("none/out", "folder none does not exist"), ("flair.nii.gz", "flair.nii.gz is a file")]
)
def test_a_folder_that_cannot_be_is_told(script: Script, capsys: pytest.CaptureFixture[str], folder: str, sentence: str) -> None:
    background()
    complaint(capsys, run("tumor", "-o", folder), 2, sentence)


def test_a_background_is_never_replaced(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    Path("out").mkdir()
    before = background("out/image.nii.gz").read_bytes()
    complaint(capsys, tumor("--background", "out/image.nii.gz"), 2, "would replace the background")
    series(Path("scan"), 2)
    complaint(capsys, run("tumor", "-o", "scan", "--background", "scan"), 2, "would replace the background")
    assert Path("out/image.nii.gz").read_bytes() == before
    assert not script.submitted


# what fails


@pytest.mark.parametrize(("code", "status"), [("job_failed", 1), ("refused", 1), ("bad_parameter", 2), ("out_of_memory", 1)])
def test_a_job_that_fails_says_why_and_leaves_nothing(
    script: Script, capsys: pytest.CaptureFixture[str], code: str, status: int
) -> None:
    script.fails = {0: code}
    complaint(capsys, tumor(), status, "the script failed: try again")
    assert files() == []


def test_one_of_many_that_fails_stops_none(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    script.fails = {1: "refused", 2: "bad_parameter"}
    assert tumor("--count", 4) == 1
    assert [name for name in files() if name.startswith("image")] == ["image-000.nii.gz", "image-003.nii.gz"]
    printed = capsys.readouterr().err
    assert re.search(r"2 done; 2 failed; \d+ s\n  image-001.nii.gz: the script failed: try again\n  image-002", printed)
    assert [record["seed"] for record in told()] == [0, 3]


def test_what_would_befall_all_ends_the_batch(
    script: Script, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise StorageFullError("the disk is full")

    monkeypatch.setattr(formats, "write_mask", full)
    assert tumor("--count", 4) == 1
    printed = capsys.readouterr().err
    assert "0 done; 1 failed; 3 not made" in printed
    assert "image-000.nii.gz: the disk is full" in printed
    assert script.cancelled == ["job2"]


def test_what_breaks_inside_is_one_sentence_and_the_others_go_on(
    script: Script, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write = formats.write

    def breaks(path: Path, *given: Any) -> Any:
        if "001" in path.name:
            raise MemoryError("too large")
        return write(path, *given)

    monkeypatch.setattr(formats, "write", breaks)
    assert tumor("--count", 3) == 1
    assert "image-001.nii.gz: something of ours broke (MemoryError: too large)" in capsys.readouterr().err
    assert len(told()) == 2


def test_an_empty_mask_cannot_be_a_segmentation(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    script.empty = True
    complaint(capsys, tumor("--format", "dicom"), 2, "the mask holds 0 labels")
    assert "request.json" not in files()


def test_trouble_with_the_service_is_told(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    script.raises = ServiceUnavailableError("the service is away")
    complaint(capsys, tumor(), 1, "the service is away")


def test_where_no_model_is_installed_it_is_said_how_to_add_one(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    script.models = ()
    complaint(capsys, tumor(), 2, "model is 'lgg-flair': none of tumor is installed; add one with msynth models add FOLDER")


# progress


def test_progress_with_time_left_is_shown_on_a_terminal_only(
    script: Script, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("medsynth_core.cli_progress.REDRAW_SECONDS", -1.0)
    tumor()
    assert not capsys.readouterr().err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    tumor("--again")
    assert "2 of 5, 6 s left" in capsys.readouterr().err
    tumor("--count", 3, "--again")
    printed = capsys.readouterr().err
    assert re.search(r"volume 1 of 3: 1 of 5, 24 s left", printed)  # 8 s of this one, and two more like it
    assert "volume 3 of 3: 5 of 5, 0 s left" in printed
