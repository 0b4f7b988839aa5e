"""`msynth`: what it prints and saves, and one sentence for everything that can be wrong. On a script, then for real."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medsynth_core import cli, cli_synthesize, formats, places
from medsynth_core.client import connect
from medsynth_core.errors import ApiVersionError, ServiceUnavailableError, StorageFullError
from medsynth_core.formats import limits
from medsynth_core.launcher import clean_environment
from medsynth_core.models import registry
from medsynth_core.models.card import read_card, write_card
from medsynth_core.models.folder import finish_folder
from medsynth_core.volume import Volume, affine_from_spacing
from tests.running import RunningService
from tests.scripted import FRAME, Script, ScriptedClient

OBLIQUE = np.array([[0.8, -0.3, 0.1, -90.5], [0.3, 0.9, -0.2, 126.25], [0.0, 0.2, 3.0, -72.0], [0, 0, 0, 1]])


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    made = Script()
    monkeypatch.setattr(cli_synthesize, "connect", lambda **_: ScriptedClient(made))
    return made


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    return save_mask(tmp_path / "mask.png", square())


def square(size: int = 24, value: int = 255) -> np.ndarray:
    pixels = np.zeros((size, size + 4), np.uint8)
    pixels[4:12, 6:14] = value
    return pixels


def save_mask(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def save_volume(path: Path, array: np.ndarray, affine: np.ndarray | None = None) -> Path:
    formats.write(path, Volume(array, np.eye(4) if affine is None else affine), {})
    return path


def run(*words: object) -> int:
    return cli.main([str(word) for word in words])


def complaint(capsys: pytest.CaptureFixture[str], status: int, expected: int, words: str) -> None:
    """The command ended with `expected`, wrote nothing to stdout and one sentence with `words` to stderr."""
    printed = capsys.readouterr()
    assert status == expected, printed.err
    assert not printed.out
    assert re.search(words, printed.err), printed.err
    assert printed.err.startswith("msynth: ")
    assert printed.err.count("\n") == 1
    assert "Traceback" not in printed.err


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".nii", ".nii.gz", ".ome.zarr"])
def test_the_suffix_decides_the_format_and_the_size_is_the_masks(script: Script, mask: Path, tmp_path: Path, suffix: str) -> None:
    assert run("synthesize", mask, "-o", tmp_path / f"out{suffix}", "--model", "polyp") == 0
    assert formats.read(tmp_path / f"out{suffix}").array.shape == (3, 1, 24, 28)


def test_without_json_the_path_is_printed_with_it_the_recipe(
    script: Script, mask: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("synthesize", mask, "-o", tmp_path / "a.png", "--model", "polyp", "--seed", 7)
    assert capsys.readouterr().out == f"{tmp_path / 'a.png'}\n"
    run("synthesize", mask, "-o", tmp_path / "a.png", "--model", "polyp", "--seed", 7, "--json")
    assert json.loads(capsys.readouterr().out) == {"model": "polyp", "seed": 7, "synthetic": True}


def test_without_a_model_the_default_is_taken_and_named_in_the_recipe(
    script: Script, mask: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("synthesize", mask, "-o", tmp_path / "a.png", "--json") == 0
    assert json.loads(capsys.readouterr().out)["model"] == "brain-slice"


@pytest.mark.parametrize("suffix", [".png", ".nii.gz", ".ome.zarr"])
def test_count_numbers_the_files_before_the_suffix_and_the_seeds_after_the_first(
    script: Script, mask: Path, tmp_path: Path, suffix: str
) -> None:
    (tmp_path / "out").mkdir()
    assert run("synthesize", mask, "-o", tmp_path / "out" / f"a{suffix}", "--model", "polyp", "--seed", 5, "--count", 3) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"a-00{i}{suffix}" for i in range(3)]
    assert [request.seed for request in script.submitted] == [5, 6, 7]


def test_parameters_and_model_options_are_flags_of_their_own(script: Script, mask: Path, tmp_path: Path) -> None:
    words = ("--steps", 2, "--tumor", "glioma", "--plane=sagittal", "--option", "guidance=2.5")
    assert run("synthesize", mask, "-o", tmp_path / "a.png", "--model", "brain-slice", *words) == 0
    assert script.submitted[0].params == {"steps": 2, "tumor": "glioma", "plane": "sagittal", "guidance": 2.5}


def test_where_the_default_model_is_missing_the_others_are_listed(
    script: Script, mask: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script.models = (FRAME,)
    status = run("synthesize", mask, "-o", tmp_path / "a.png")
    complaint(capsys, status, 2, "model is 'brain-slice': it must be one of polyp;")


def test_geometry_is_preserved(script: Script, tmp_path: Path) -> None:
    path = save_volume(tmp_path / "m.nii.gz", square()[None, None], OBLIQUE)
    assert run("synthesize", path, "-o", tmp_path / "a.nii.gz", "--model", "polyp") == 0
    np.testing.assert_array_equal(formats.read(tmp_path / "a.nii.gz").affine, formats.read(path).affine)


def test_a_chosen_slice_of_a_stack_keeps_its_place(script: Script, tmp_path: Path) -> None:
    stack = np.stack([square(value=0), square(), square(value=0)])[None]
    path = save_volume(tmp_path / "m.nii.gz", stack, affine_from_spacing((3, 1, 1), (10, 20, 30)))
    assert run("synthesize", path, "-o", tmp_path / "a.nii.gz", "--model", "polyp", "--slice", 1) == 0
    image = formats.read(tmp_path / "a.nii.gz")
    assert image.size == (1, 24, 28)
    np.testing.assert_allclose(image.affine[:3, 3], [10, 20, 33])


def test_a_bmp_says_where_its_recipe_is(script: Script, mask: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("synthesize", mask, "-o", tmp_path / "a.bmp", "--model", "polyp") == 0
    assert "a.bmp.json" in capsys.readouterr().err


def wrong_masks() -> dict[str, tuple[Callable[[Path], Path], str]]:
    nan = np.where(square() > 0, np.nan, 0).astype(np.float32)
    stack = np.stack([square(), square()])[None]
    return {
        "empty": (lambda p: save_mask(p / "m.png", square(value=0)), "mask is empty: paint at least one pixel of polyp"),
        "unknown label": (lambda p: save_mask(p / "m.png", square(value=7)), "label 7.*0 = background, 1 = polyp"),
        "several slices": (lambda p: save_volume(p / "m.nii", stack), "2 slices: choose one with --slice, from 0 to 1"),
        "several channels": (lambda p: save_volume(p / "m.ome.zarr", np.zeros((2, 1, 4, 4), np.uint8)), "2 channels"),
        "NaN": (lambda p: save_volume(p / "m.tif", nan[None, None]), "NaN"),
        "fractions": (lambda p: save_volume(p / "m.tif", (square() / 510)[None, None].astype(np.float32)), "fractions"),
        "color": (lambda p: save_volume(p / "m.png", np.eye(3, dtype=np.uint8)[:, None, :, None]), "color picture"),
        "missing": (lambda p: p / "none.png", "none.png does not exist"),
        "folder": (lambda p: p, "is a folder"),
        "no bytes": (lambda p: touch(p / "m.png", b""), "0 bytes"),
        "truncated": (lambda p: cut(save_mask(p / "m.png", square())), "damaged or cut short"),
        "mislabelled": (lambda p: save_mask(p / "m.png", square()).rename(p / "m.nii"), "named as NIfTI but holds PNG"),
        "text": (lambda p: touch(p / "m.png", b"just some words"), "unknown kind"),
    }


def touch(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def cut(path: Path) -> Path:
    return touch(path, path.read_bytes()[:60])


@pytest.mark.parametrize("what", list(wrong_masks()))
def test_a_wrong_mask_gets_one_sentence_and_no_job(
    script: Script, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    make, words = wrong_masks()[what]
    status = run("synthesize", make(tmp_path), "-o", tmp_path / "a.png", "--model", "polyp")
    complaint(capsys, status, 2, words)
    assert not script.submitted
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["-o", "a.gif", "--model", "polyp"], r"a\.gif has a suffix that is not known: use one of .*\.nii\.gz"),
        (["-o", "none/a.png", "--model", "polyp"], "folder none does not exist"),
        (["-o", "mask.png", "--model", "polyp"], "is the mask itself"),
        (["-o", "a.png", "--model", "liver"], "model is 'liver': it must be one of brain-slice, polyp"),
        (["-o", "a.png", "--model", "polyp", "--steps", "3"], "steps is '3': it must be one of 1, 2, 4"),
        (["-o", "a.png", "--model", "polyp", "--guidance", "much"], "guidance is 'much': it must be of kind number"),
        (["-o", "a.png", "--model", "polyp", "--guidance", "99"], "guidance is 99"),
        (["-o", "a.png", "--model", "polyp", "--plane", "axial"], "--plane"),
        (["-o", "a.png", "--model", "polyp", "--option", "plane=axial"], "plane is not a parameter of this model; known: steps"),
        (["-o", "a.png", "--model", "polyp", "--option", "steps"], "option is 'steps': write it as NAME=VALUE"),
        (["-o", "a.png", "--model", "polyp", "--count", "0"], "--count is 0"),
        (["-o", "a.png", "--model", "polyp", "--seed", "x"], "--seed"),
        (["-o", "a.png", "--model", "polyp", "--slice", "1"], "--slice is 1: the mask has slices 0 to 0"),
        (["--model", "polyp"], "-o/--output"),
    ],
)
def test_wrong_words_get_one_sentence_and_no_job(
    script: Script,
    mask: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    before = mask.read_bytes()
    complaint(capsys, run("synthesize", "mask.png", *words), 2, sentence)
    assert not script.submitted
    assert mask.read_bytes() == before


def test_a_suffix_is_refused_before_the_service_is_even_asked(
    mask: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli_synthesize, "connect", lambda **_: pytest.fail("the service was asked"))
    complaint(capsys, run("synthesize", mask, "-o", tmp_path / "a.gif"), 2, "suffix")


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to(
    script: Script, mask: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    complaint(capsys, run("synthesize", mask, "-o", tmp_path / "closed" / "a.png", "--model", "polyp"), 2, "cannot be written to")


def test_a_model_that_cannot_be_used_says_why(
    script: Script, mask: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script.models = (replace(FRAME, id="other"),)
    complaint(capsys, run("synthesize", mask, "-o", tmp_path / "a.png", "--model", "polyp"), 2, "must be one of other")


@pytest.mark.parametrize(
    ("code", "status"), [("job_failed", 1), ("worker_died", 1), ("out_of_memory", 1), ("model_tampered", 2), ("unknown_label", 2)]
)
def test_a_job_that_fails_says_why(
    script: Script, mask: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], code: str, status: int
) -> None:
    script.fails_with = code
    complaint(
        capsys, run("synthesize", mask, "-o", tmp_path / "a.png", "--model", "polyp"), status, "the script failed: try again"
    )
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize("problem", [ServiceUnavailableError("the service is away"), ApiVersionError("speaks API version 9")])
def test_trouble_with_the_service_is_told(
    script: Script, mask: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], problem: Exception
) -> None:
    script.raises = problem  # type: ignore[assignment]
    complaint(capsys, run("synthesize", mask, "-o", tmp_path / "a.png", "--model", "polyp"), 1, str(problem))


def test_a_full_disk_at_save_keeps_the_old_file(
    script: Script, mask: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "a.png").write_bytes(b"an older picture")
    monkeypatch.setattr(limits.os, "fsync", full)
    complaint(
        capsys, run("synthesize", mask, "-o", tmp_path / "a.png", "--model", "polyp"), 1, "the disk is full; free some space"
    )
    assert (tmp_path / "a.png").read_bytes() == b"an older picture"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "home", "mask.png"]
    assert StorageFullError.code == "storage_full"


def test_ctrl_c_cancels_every_job_and_ends_with_130(
    script: Script, mask: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cancelled: list[str] = []

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tests.scripted.ScriptedJob.cancel", lambda job: cancelled.append(job.id))
    monkeypatch.setattr("tests.scripted.ScriptedJob.__iter__", interrupted)
    complaint(capsys, run("synthesize", mask, "-o", tmp_path / "a.png", "--model", "polyp", "--count", 3), 130, "interrupted")
    assert cancelled == ["job1", "job2", "job3"]


def test_what_is_saved_before_a_failure_stays(
    script: Script, mask: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write, calls = formats.write, []

    def second_fails(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 2:
            raise StorageFullError("the disk is full")
        return write(*given)

    monkeypatch.setattr(formats, "write", second_fails)
    assert run("synthesize", mask, "-o", tmp_path / "a.png", "--model", "polyp", "--count", 3) == 1
    assert (tmp_path / "a-000.png").exists()
    assert not (tmp_path / "a-001.png").exists()


def test_progress_is_shown_on_a_terminal_only(
    script: Script, mask: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run("synthesize", mask, "-o", tmp_path / "a.png", "--model", "polyp")
    assert not capsys.readouterr().err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    run("synthesize", mask, "-o", tmp_path / "a.png", "--model", "polyp")
    assert re.search(r"of 4.* s left", capsys.readouterr().err)


def test_what_breaks_inside_is_one_sentence_too(
    script: Script, mask: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli_synthesize, "read_params", lambda *_: 1 / 0)
    complaint(capsys, run("synthesize", mask, "-o", tmp_path / "a.png", "--model", "polyp"), 1, "broke .ZeroDivisionError")


@pytest.mark.parametrize(
    "words", [["paint"], ["models"], ["engine", "fly"], ["models", "show"], ["engine", "status", "--loud"], []]
)
def test_unknown_commands_get_one_sentence(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    complaint(capsys, run(*words), 2, "see msynth")


def test_version_and_help_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--version"], ["--help"], ["synthesize", "--help"]):
        with pytest.raises(SystemExit) as ended:
            run(*words)
        assert ended.value.code == 0
        assert "msynth" in capsys.readouterr().out


# models


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the toy preset, trained for a moment on squares."""
    from medsynth_core.cli_train import train
    from tests.test_cli_train import pairs_in, read

    folder = tmp_path_factory.mktemp("toy")
    data = pairs_in(folder / "data")
    train(read("synthesize", str(data), "-o", str(folder / "toy"), "--preset", "toy", "--label", "1=square"), lambda line: None)
    return folder / "toy"


def test_models_are_added_listed_shown_and_verified(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = read_card(toy).id
    assert run("models", "add", toy) == 0
    assert run("models", "list") == 0
    assert "1 = square" in capsys.readouterr().out
    assert run("models", "show", name) == 0
    assert json.loads(capsys.readouterr().out)["id"] == name
    assert run("models", "verify", name) == 0
    assert run("models", "verify", toy) == 0
    assert "as they were written" in capsys.readouterr().out
    complaint(capsys, run("models", "add", toy), 2, "is there already")


def test_an_unknown_model_lists_those_there_are(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registry.add(toy)
    complaint(capsys, run("models", "show", "liver"), 2, f"model is 'liver': it must be one of .*{read_card(toy).id}")


def weights_of(folder: Path) -> Path:
    return next((folder / "denoiser").rglob("*.safetensors"))


def tampered(folder: Path) -> None:
    weights = weights_of(folder)
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)


def missing(folder: Path) -> None:
    weights_of(folder).unlink()


def newer(folder: Path) -> None:
    write_card(folder, replace(read_card(folder), format_version=99))


def without_card(folder: Path) -> None:
    (folder / "card.json").unlink()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [(tampered, "is not the file its card names"), (missing, "missing"), (newer, "update MedSynth"), (without_card, "card")],
)
def test_a_spoiled_model_is_refused(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], None], words: str
) -> None:
    shutil.copytree(toy, tmp_path / "copy")
    spoil(tmp_path / "copy")
    complaint(capsys, run("models", "verify", tmp_path / "copy"), 2, words)
    complaint(capsys, run("models", "add", tmp_path / "copy"), 2, words)
    assert not list(places.models_folder().iterdir())


# the engine, for real


def test_the_engine_starts_tells_its_state_and_stops(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    complaint(capsys, run("engine", "status"), 1, "msynth engine start")
    complaint(capsys, run("engine", "logs"), 2, "no log yet")
    assert run("engine", "start") == 0
    assert run("engine", "status") == 0
    assert "0 queued" in capsys.readouterr().out
    assert run("engine", "status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["running"] == 0
    with connect(home=home) as engine:
        engine.submit("fake", slices=1000, delay_ms=50, size=4)
        complaint(capsys, run("engine", "stop"), 1, "has jobs.*--force")
        assert run("engine", "stop", "--force") == 0
    assert run("engine", "logs", "-n", "2") == 0
    assert capsys.readouterr().out.count("\n") == 3
    complaint(capsys, run("engine", "stop"), 1, "no service is running")


@pytest.fixture(scope="module")
def real(shared_service: RunningService, toy: Path) -> Iterator[dict[str, str]]:
    """The environment of a service that has the toy model, spoiled ones beside it."""
    models = shared_service.home / "models"
    for name, spoil in {"toy": None, "bent": tampered, "torn": missing, "future": newer}.items():
        shutil.copytree(toy, models / name)
        write_card(models / name, replace(read_card(models / name), id=name))
        finish_folder(models / name, read_card(models / name))
        if spoil is not None:
            spoil(models / name)
    with connect(home=shared_service.home, start=False) as engine:
        engine.refresh_models()
        yield {**clean_environment(os.environ), "MEDSYNTH_HOME": str(shared_service.home)}


def msynth(env: dict[str, str], *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "medsynth_core.cli", *map(str, words)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=100)


def test_a_mask_becomes_an_image_and_the_seed_decides_it(real: dict[str, str], mask: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        done = msynth(real, "synthesize", mask, "-o", tmp_path / f"{name}.png", "--model", "toy", "--seed", seed, "--json")
        assert done.returncode == 0, done.stderr
        recipe = json.loads(done.stdout)
        assert recipe["model"] == "toy"
        assert recipe["synthetic"] is True
    first, again, other = (formats.read(tmp_path / f"{name}.png").array for name in "abc")
    assert first.shape[1:] == (1, 24, 28)
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize(
    ("model", "words"), [("bent", "is not the file its card names"), ("torn", "missing"), ("future", "update MedSynth")]
)
def test_spoiled_weights_are_refused_by_the_real_service(
    real: dict[str, str], mask: Path, tmp_path: Path, model: str, words: str
) -> None:
    done = msynth(real, "synthesize", mask, "-o", tmp_path / "a.png", "--model", model)
    assert done.returncode == 2, done.stderr
    assert re.search(words, done.stderr)
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "a.png").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_real_ctrl_c_ends_with_130(real: dict[str, str], mask: Path, tmp_path: Path) -> None:
    words = ["synthesize", str(mask), "-o", str(tmp_path / "a.png"), "--model", "toy", "--count", "300", "--steps", "16"]
    process = subprocess.Popen(
        [sys.executable, "-m", "medsynth_core.cli", *words], env=real, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    process.stdout.readline()
    asked = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    *told, last = err.splitlines()
    assert last == "msynth: interrupted"
    assert all(": quality: " in line for line in told), "what was made before has its badge, and nothing else is said"
    assert time.monotonic() - asked < 10
    assert len(list(tmp_path.glob("a-*.png"))) < 300
