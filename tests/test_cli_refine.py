"""`msynth refine` of one image: what goes in, what comes out, and one sentence for what cannot be. On a script, then for real."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medsynth_core import cli, cli_refine, formats
from medsynth_core.client import connect
from medsynth_core.errors import ServiceUnavailableError
from medsynth_core.launcher import clean_environment
from medsynth_core.volume import Volume
from tests.engines.refine.conftest import write_refiner
from tests.running import RunningService
from tests.scripted_refine import COARSE, REFINER, Script, ScriptedRefiner

OBLIQUE = np.array([[0.8, -0.3, 0.1, -90.5], [0.3, 0.9, -0.2, 126.25], [0.0, 0.2, 3.0, -72.0], [0, 0, 0, 1]])
SIZE = (40, 44)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    made = Script()
    monkeypatch.setattr(cli_refine, "connect", lambda **_: ScriptedRefiner(made))
    return made


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with image.png and mask.png, in which the command is run."""
    monkeypatch.chdir(tmp_path)
    save(Path("image.png"), frame())
    save(Path("mask.png"), square(255))
    return tmp_path


def frame() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (*SIZE, 3), dtype=np.uint8)


def square(value: int = 1) -> np.ndarray:
    pixels = np.zeros(SIZE, np.uint8)
    pixels[10:24, 12:30] = value
    return pixels


def save(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def save_volume(path: Path, array: np.ndarray, affine: np.ndarray = OBLIQUE) -> Path:
    formats.write(path, Volume(array, affine), {})
    return path


def run(*words: object) -> int:
    return cli.main([str(word) for word in words])


def refine(*words: object) -> int:
    return run("refine", "image.png", "mask.png", "-o", "out.png", *words)


def complaint(capsys: pytest.CaptureFixture[str], status: int, expected: int, words: str) -> None:
    """The command ended with `expected`, wrote nothing to stdout and one sentence with `words` to stderr."""
    printed = capsys.readouterr()
    assert status == expected, printed.err
    assert not printed.out
    assert re.search(words, printed.err), printed.err
    assert printed.err.startswith("msynth: ")
    assert printed.err.count("\n") == 1


def test_the_refined_mask_has_the_grid_and_the_values_of_the_mask(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    assert refine() == 0
    made = np.asarray(Image.open("out.png"))
    assert made.shape == SIZE
    assert set(np.unique(made)) == {0, 255}
    assert made[9, 20] == 255
    assert capsys.readouterr().out == "out.png\n"
    assert script.submitted[0].model == "refiner"


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_a_volume_keeps_its_place_its_type_and_its_labels(script: Script, dtype: type) -> None:
    labels = np.stack([square(1), square(7), square(0)])[None].astype(dtype)
    save_volume(Path("i.nii.gz"), np.ones((1, 3, *SIZE), np.int16))
    save_volume(Path("m.nii.gz"), labels)
    assert run("refine", "i.nii.gz", "m.nii.gz", "-o", "o.nii.gz") == 0
    made = formats.read_mask(Path("o.nii.gz"))
    np.testing.assert_allclose(made.affine, OBLIQUE, atol=1e-5)
    assert made.array.dtype == np.dtype(dtype)
    assert set(np.unique(made.array)) == {0, 1, 7}


def test_the_uncertainty_is_written_beside_it(script: Script) -> None:
    assert refine("--uncertainty", "unsure.png") == 0
    unsure = np.asarray(Image.open("unsure.png"))
    np.testing.assert_array_equal(unsure > 0, np.asarray(Image.open("out.png")) != np.asarray(Image.open("mask.png")))


@pytest.mark.parametrize(
    ("words", "name"),
    [(["mask.png"], "label 255"), (["mask.png", "--label", "255=liver"], "liver"), (["--coarse", "polyp-coarse"], "polyp")],
)
def test_labels_are_named_where_the_format_can_say_it(script: Script, words: list[str], name: str) -> None:
    assert run("refine", "image.png", *words, "-o", "out.ome.zarr") == 0
    assert name in Path("out.ome.zarr/zarr.json").read_text("utf-8")


def test_every_parameter_of_the_engine_is_a_flag(script: Script) -> None:
    words = (
        "--steps",
        1,
        "--samples=4",
        "--strength",
        "touch-up",
        "--preset",
        "gaussian",
        "--axis",
        "x",
        "--clahe",
        "--no-denoise",
    )
    assert refine(*words, "--window-center", -600, "--window-width", 1500.5, "--fill-holes", 9, "--seed", 5) == 0
    assert script.submitted[0].seed == 5
    assert script.submitted[0].params == {
        "steps": 1,
        "samples": 4,
        "strength": "touch-up",
        "preset": "gaussian",
        "axis": "x",
        "clahe": True,
        "denoise": False,
        "window_center": -600.0,
        "window_width": 1500.5,
        "fill_holes": 9,
    }


def test_what_is_not_given_is_left_to_the_engine(script: Script) -> None:
    assert refine() == 0
    assert script.submitted[0].params == {}


def test_locked_strokes_travel_with_the_job(script: Script) -> None:
    save(Path("locked.png"), square(3))
    assert refine("--locked", "locked.png") == 0
    assert sorted(script.given[0]) == ["image", "locked", "mask"]


def test_a_coarse_network_makes_a_mask_needless(script: Script) -> None:
    assert run("refine", "image.png", "-o", "out.png", "--coarse", "polyp-coarse") == 0
    assert sorted(script.given[0]) == ["image"]
    assert script.submitted[0].params == {"coarse": "polyp-coarse"}


def test_the_mask_may_stand_behind_the_flags(script: Script) -> None:
    assert run("refine", "image.png", "-o", "out.png", "--steps", 2, "mask.png") == 0
    assert sorted(script.given[0]) == ["image", "mask"]


def test_with_json_the_recipe_is_printed_and_says_that_nothing_is_synthetic(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refine("--json") == 0
    recipe = json.loads(capsys.readouterr().out)
    assert recipe == {"engine": "refine", "model": "refiner", "output": "out.png", "seed": 0, "synthetic": False}


def test_a_label_that_was_kept_is_told(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    script.kept = {f"z {z}": "label 2" for z in range(9)}
    assert refine() == 0
    told = capsys.readouterr().err
    assert "image.png: kept as it was" in told
    assert "label 2 at z 0, label 2 at z 1" in told
    assert "and 5 more" in told


def test_a_refusal_is_a_failure_in_one_sentence(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    script.fails = {int(frame().flat[0]): "refused"}
    complaint(capsys, refine(), 1, "the script failed: try again")
    assert not Path("out.png").exists()


def test_the_report_is_written(script: Script) -> None:
    assert refine("--report", "page.html", "--uncertainty", "u.png", "--strength", "correct") == 0
    page = Path("page.html").read_text("utf-8")
    for words in ("image.png", "What changed", "Uncertainty", "correct", REFINER.license, "1.5 s"):
        assert words in page


def test_the_help_tells_every_parameter(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("refine", "--help")
    text = " ".join(capsys.readouterr().out.split())
    for info in cli_refine.declared_params():
        assert f"--{info.name.replace('_', '-')}" in text
    assert "{touch-up,correct,redraw}" in text
    assert "1 to 50; default 6" in text


def test_the_declared_parameters_are_those_of_the_engine() -> None:
    from medsynth_core.engines._base import get_engine

    assert cli_refine.declared_params() == get_engine("refine").describe().params


def wrong_masks() -> dict[str, tuple[Callable[[], Path], str]]:
    half, nan, negative = (square().astype(np.float32) for _ in range(3))
    half[0, 0], nan[0, 0], negative[0, 0] = 0.5, np.nan, -1
    return {
        "empty": (lambda: save(Path("m.png"), square(0)), "m.png is empty: paint roughly .* --coarse"),
        "negative": (lambda: save_volume(Path("m.tif"), negative[None, None]), "m.tif holds the value -1"),
        "fractions": (lambda: save_volume(Path("m.tif"), half[None, None]), "m.tif: mask holds fractions"),
        "NaN": (lambda: save_volume(Path("m.tif"), nan[None, None]), "m.tif: mask holds NaN"),
        "another size": (lambda: save(Path("m.png"), square()[:-1]), r"39.*40"),
        "color": (lambda: save(Path("m.png"), frame()), "color picture"),
        "missing": (lambda: Path("none.png"), "none.png does not exist"),
        "folder": (lambda: Path(), "is a folder"),
        "no bytes": (lambda: touch(Path("m.png"), b""), "0 bytes"),
        "text": (lambda: touch(Path("m.png"), b"words"), "unknown kind"),
        "truncated": (lambda: touch(Path("m.png"), Path("mask.png").read_bytes()[:60]), "damaged or cut short"),
        "mislabeled": (lambda: touch(Path("m.nii"), Path("mask.png").read_bytes()), "named as NIfTI but holds PNG"),
        "several channels": (lambda: save_volume(Path("m.ome.zarr"), np.zeros((2, 1, *SIZE), np.uint8)), "2 channels"),
    }


def touch(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("what", list(wrong_masks()))
def test_a_wrong_mask_gets_one_sentence_and_no_job(script: Script, capsys: pytest.CaptureFixture[str], what: str) -> None:
    make, words = wrong_masks()[what]
    complaint(capsys, run("refine", "image.png", make(), "-o", "out.png"), 2, words)
    assert not script.submitted
    assert not Path("out.png").exists()


@pytest.mark.parametrize("shift_mm", [0.1, 30.0])
def test_a_mask_in_another_place_is_refused(script: Script, capsys: pytest.CaptureFixture[str], shift_mm: float) -> None:
    moved = OBLIQUE.copy()
    moved[0, 3] += shift_mm
    save_volume(Path("i.nii"), np.ones((1, 1, *SIZE), np.int16))
    save_volume(Path("m.nii"), square()[None, None], moved)
    complaint(capsys, run("refine", "i.nii", "m.nii", "-o", "o.nii"), 2, "different places: resample the mask")
    assert not script.submitted


def test_a_mask_whose_axes_run_otherwise_comes_back_as_it_was(script: Script) -> None:
    turned = OBLIQUE @ np.array([[-1, 0, 0, SIZE[1] - 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    save_volume(Path("i.nii"), np.ones((1, 1, *SIZE), np.int16))
    save_volume(Path("m.nii"), square()[None, None, :, ::-1], turned)
    assert run("refine", "i.nii", "m.nii", "-o", "o.nii", "--report", "page.html") == 0
    np.testing.assert_array_equal(script.given[0]["mask"].array[0, 0], square())
    made = formats.read_mask(Path("o.nii"))
    np.testing.assert_allclose(made.affine, turned, atol=1e-4)
    assert made.array[0, 0, 12, SIZE[1] - 1 - 12] == 1


def test_whole_numbers_stored_as_floats_are_labels(script: Script) -> None:
    save_volume(Path("m.tif"), square(2).astype(np.float32)[None, None])
    assert run("refine", "image.png", "m.tif", "-o", "o.tif") == 0
    made = formats.read_mask(Path("o.tif")).array
    assert made.dtype == np.float32
    assert set(np.unique(made)) == {0, 2}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["image.png", "-o", "out.png"], "there is no MASK: .*--coarse MODEL"),
        (["image.png", "mask.png"], "-o/--output"),
        (["image.png", "mask.png", "-o", "out.png", "--coarse", "polyp-coarse"], "a MASK and a --coarse network"),
        (["image.png", "mask.png", "-o", "out.gif"], "suffix"),
        (["image.png", "mask.png", "-o", "none/out.png"], "folder none does not exist"),
        (["image.png", "mask.png", "-o", "mask.png"], "mask.png is one of the inputs"),
        (["image.png", "mask.png", "-o", "image.png"], "image.png is one of the inputs"),
        (["image.png", "mask.png", "-o", "out.png", "--uncertainty", "out.png"], "would hold mask and uncertainty"),
        (["image.png", "mask.png", "-o", "out.png", "--uncertainty", "mask.png"], "mask.png is one of the inputs"),
        (["image.png", "mask.png", "-o", "out.png", "--uncertainty", "u.txt"], "suffix"),
        (["image.png", "mask.png", "-o", "out.png", "--report", "page.pdf"], r"name it \.html"),
        (["image.png", "mask.png", "-o", "out.png", "--report", "none/page.html"], "cannot be written"),
        (["image.png", "mask.png", "-o", "out.png", "--locked", "none.png"], "none.png does not exist"),
        (["image.png", "mask.png", "-o", "out.png", "--steps", "0"], "steps is 0"),
        (["image.png", "mask.png", "-o", "out.png", "--steps", "many"], "steps is 'many'"),
        (["image.png", "mask.png", "-o", "out.png", "--strength", "brutal"], "one of touch-up, correct, redraw"),
        (["image.png", "mask.png", "-o", "out.png", "--model", "liver"], "model is 'liver': it must be one of refiner, other;"),
        (["image.png", "mask.png", "-o", "out.png", "--model", "polyp-coarse"], "it must be one of refiner, other;"),
        (["image.png", "-o", "out.png", "--coarse", "refiner"], "coarse is 'refiner': it must be one of polyp-coarse;"),
        (["image.png", "mask.png", "-o", "out.png", "--label", "one=polyp"], "label value is 'one'"),
        (["image.png", "mask.png", "-o", "out.png", "--wobble", "1"], "--wobble is not known here"),
        (["image.png", "mask.png", "third.png", "-o", "out.png"], "third.png is not known here"),
        (["none.png", "mask.png", "-o", "out.png"], "none.png does not exist"),
    ],
)
def test_wrong_words_get_one_sentence_and_no_job(
    script: Script, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    before = {path.name: path.read_bytes() for path in Path().glob("*.png")}
    complaint(capsys, run("refine", *words), 2, sentence)
    assert not script.submitted
    assert {path.name: path.read_bytes() for path in Path().glob("*.png")} == before


@pytest.mark.parametrize(("code", "status"), [("job_failed", 1), ("worker_died", 1), ("out_of_memory", 1), ("bad_input", 2)])
def test_a_job_that_fails_says_why(script: Script, capsys: pytest.CaptureFixture[str], code: str, status: int) -> None:
    script.fails = {int(frame().flat[0]): code}
    complaint(capsys, refine(), status, "the script failed: try again")
    assert not Path("out.png").exists()


def test_where_no_model_is_installed_it_is_said_how_to_add_one(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    script.models = ()
    complaint(capsys, refine(), 2, "model is 'refiner': none of refine is installed; add one with msynth models add FOLDER")


def test_trouble_with_the_service_is_told(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    script.raises = ServiceUnavailableError("the service is away")
    complaint(capsys, refine(), 1, "the service is away")


def test_ctrl_c_cancels_the_job(script: Script, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(_: object) -> Iterator[Any]:
        raise KeyboardInterrupt

    monkeypatch.setattr("tests.scripted_refine.ScriptedJob.__iter__", interrupted)
    complaint(capsys, refine(), 130, "interrupted")
    assert script.cancelled == ["job1"]


def test_progress_with_time_left_is_shown_on_a_terminal_only(
    script: Script, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refine()
    assert not capsys.readouterr().err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    refine()
    assert re.search(r"1 of 4, 0 s left", capsys.readouterr().err)


def test_names_may_hold_spaces_and_any_letters(script: Script) -> None:
    folder = Path("größe 大 [x]")
    folder.mkdir()
    for name in ("image.png", "mask.png"):
        Path(name).rename(folder / name)
    assert run("refine", folder / "image.png", folder / "mask.png", "-o", folder / "out é.png") == 0
    assert (folder / "out é.png").is_file()


def test_an_older_result_is_replaced_only_by_a_whole_one(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(Path("out.png"), b"an older mask")
    script.fails = {int(frame().flat[0]): "worker_died"}
    assert refine() == 1
    assert Path("out.png").read_bytes() == b"an older mask"


# for real, with random weights


@pytest.fixture(scope="module")
def real(shared_service: RunningService) -> Iterator[dict[str, str]]:
    """The environment of a service that has a refiner of random weights."""
    folder = shared_service.home / "models" / "toy-refiner"
    folder.mkdir(parents=True)
    write_refiner(folder)
    with connect(home=shared_service.home, start=False) as engine:
        engine.refresh_models()
        yield {**clean_environment(os.environ), "MEDSYNTH_HOME": str(shared_service.home)}


def msynth(env: dict[str, str], *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "medsynth_core.cli", *map(str, words)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=100)


def test_a_real_refinement_is_decided_by_its_seed_and_marked_as_derived(real: dict[str, str]) -> None:
    for name in ("a", "b"):
        words = ("-o", f"{name}.png", "--uncertainty", f"u{name}.png", "--model", "toy-refiner", "--samples", 2, "--json")
        done = msynth(real, "refine", "image.png", "mask.png", *words)
        assert done.returncode == 0, done.stderr
        recipe = json.loads(done.stdout)
        assert (recipe["model"], recipe["synthetic"]) == ("toy-refiner", False)
        assert recipe["reach_px"] > 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    assert Path("ua.png").read_bytes() == Path("ub.png").read_bytes()
    assert set(np.unique(np.asarray(Image.open("a.png")))) <= {0, 255}


def test_a_real_volume_with_a_report(real: dict[str, str]) -> None:
    save_volume(Path("i.nii.gz"), np.random.default_rng(0).normal(100, 20, (1, 3, *SIZE)).astype(np.float32))
    save_volume(Path("m.nii.gz"), np.stack([square(1), square(5), square(0)])[None])
    done = msynth(real, "refine", "i.nii.gz", "m.nii.gz", "-o", "o.nii.gz", "--model", "toy-refiner", "--report", "p.html")
    assert done.returncode == 0, done.stderr
    made = formats.read_mask(Path("o.nii.gz"))
    np.testing.assert_allclose(made.affine, OBLIQUE, atol=1e-5)
    assert set(np.unique(made.array)) <= {0, 1, 5}
    assert "i.nii.gz" in Path("p.html").read_text("utf-8")


def test_a_model_that_is_no_refiner_is_refused(real: dict[str, str]) -> None:
    done = msynth(real, "refine", "image.png", "mask.png", "-o", "a.png", "--model", "polyp")
    assert done.returncode == 2
    assert "model is 'polyp': it must be one of" in done.stderr
    assert COARSE.id not in done.stderr.split(";")[0]
