"""`msynth tumor` and docs/tumor.md with the real service and a model of random weights: stopped, killed, gone on with."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medsynth_core import cli, formats
from medsynth_core.client import Client, connect
from medsynth_core.launcher import clean_environment
from medsynth_core.models.folder import finish_folder
from medsynth_core.protocol import JobInfo, JobState
from tests.formats.dicom_files import series
from tests.running import RunningService, wait_for
from tests.test_cli_refine import complaint
from tests.toy_tumor import CARD, write_tumor_model

DOCS = (Path(__file__).parent.parent / "docs" / "tumor.md").read_text(encoding="utf-8")
MODEL = "toy-tumor"
SMALL = ("--shape", 9, 20, 24, "--spacing", 5, 8, 8)
LONG = ("--shape", 60, 16, 16, "--spacing", 2.4, 8, 8, "--guidance", 1)
"""Half a second of work: time enough to be stopped in."""
SLICES = 180
"""Of image, mask and latents together."""


@pytest.fixture(scope="module")
def engine(shared_service: RunningService) -> Iterator[Client]:
    """A client of a service that has the toy model under two names: its own, and that of the model in the documents."""
    models = shared_service.home / "models"
    for name in (MODEL, "lgg-flair"):
        folder = models / name
        folder.mkdir(parents=True)
        write_tumor_model(folder)
        finish_folder(folder, replace(CARD, id=name))
    with connect(home=shared_service.home, start=False) as connected:
        connected.refresh_models()
        yield connected


@pytest.fixture(autouse=True)
def env(engine: Client, shared_service: RunningService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Commands meet that service and work in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDSYNTH_HOME", str(shared_service.home))
    return clean_environment(os.environ)


def start(env: dict[str, str], folder: str, *words: object) -> subprocess.Popen[str]:
    """Start the command in a process of its own, which can be stopped."""
    command = [sys.executable, "-m", "medsynth_core.cli", "tumor", "-o", folder, "--model", MODEL, *map(str, words)]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def grow(folder: str, *words: object) -> int:
    """Run the command in this process, to its end; return the exit status."""
    return cli.main([str(word) for word in ("tumor", "-o", folder, "--model", MODEL, *words)])


def told(folder: str) -> dict[str, Any]:
    return dict(json.loads(Path(folder, "request.json").read_text())["volumes"][0])


def newest(engine: Client, before: set[str]) -> JobInfo | None:
    return next((job for job in engine.jobs() if job.id not in before), None)


def wait_slices(engine: Client, before: set[str], count: int) -> JobInfo:
    """Wait until the job that is not one of those before has made some slices, and return it."""
    wait_for(lambda: (job := newest(engine, before)) is not None and job.slices_done >= count, 120)
    job = newest(engine, before)
    assert job is not None
    assert job.state is JobState.RUNNING
    return job


def same(a: str, b: str) -> bool:
    return all(Path(a, name).read_bytes() == Path(b, name).read_bytes() for name in ("image.nii.gz", "mask.nii.gz"))


def test_the_seed_decides_every_byte_and_what_was_got_is_what_lies_in_the_mask() -> None:
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert grow(folder, *SMALL, "--volume-ml", 30, "--seed", seed) == 0
    assert same("a", "b")
    assert not same("a", "c")
    image, mask = formats.read(Path("a/image.nii.gz")), formats.read_mask(Path("a/mask.nii.gz"))
    assert image.size == mask.size == (9, 20, 24)
    np.testing.assert_allclose(image.affine @ [11.5, 9.5, 4, 1], [0, 0, 0, 1], atol=1e-5)
    np.testing.assert_allclose(np.diag(mask.affine), [-8, -8, 5, 1])
    record = told("a")
    assert record["asked"] == {"volume_ml": 30.0, "shape": [9, 20, 24], "spacing_mm": [5.0, 8.0, 8.0]}
    assert record["resolved"]["volume_ml"] == pytest.approx(30)
    assert {"sphericity", "surface_cm2", "center_mm", "extent_mm"} <= record["resolved"].keys()
    assert record["got"]["volume_ml"] == pytest.approx(mask.array.sum() * 5 * 8 * 8 / 1000)
    assert len(record["model_sha256"]) == 64
    assert record["seconds"] > 0


def test_a_request_that_no_tumor_can_meet_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    words = r"center_mm is \(95, 0, 0\): it lies outside the head"
    complaint(capsys, grow("a", *SMALL, "--center-mm", 95, 0, 0), 2, words)
    assert grow("a", "--count", 2, "--volume-ml", 900) == 1
    told = capsys.readouterr().err
    assert re.search(r"0 done; 2 failed.*\n  image-000.nii.gz: volume_ml is 900.*\n  image-001", told)
    assert not [path for path in Path("a").iterdir() if not path.name.startswith(".")]


def test_a_dicom_background_comes_back_around_the_lesion() -> None:
    upright = [1, 0, 0, 0, 1, 0]

    def larger(number: int, ds: Any) -> None:
        pixels = np.zeros((40, 40), np.int16)
        pixels[4:36, 4:36] = 300 + 20 * number
        ds.Rows = ds.Columns = 40
        ds.PixelSpacing, ds.PixelData = [4.0, 4.0], pixels.tobytes()
        ds.ImagePositionPatient = ["-80", "-80", str(6 * number)]

    series(Path("scan"), 12, orientation=upright, change=larger)
    assert grow("out", "--background", "scan", "--format", "dicom", "--steps", 2) == 0
    before = formats.read(Path("scan"))
    image, mask = formats.read_pair(Path("out/image"), Path("out/mask.dcm"))
    assert image.array.dtype == before.array.dtype
    np.testing.assert_allclose(image.affine, before.affine, atol=1e-4)
    assert mask.array.any()
    assert told("out")["asked"] == {"steps": 2, "background": "the DICOM background"}


@pytest.fixture(scope="module")
def undisturbed(engine: Client, tmp_path_factory: pytest.TempPathFactory, shared_service: RunningService) -> str:
    """The folder of a long volume that nobody disturbed."""
    folder = str(tmp_path_factory.mktemp("undisturbed") / "whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDSYNTH_HOME", str(shared_service.home))
        assert grow(folder, *LONG) == 0
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_stops_and_the_same_command_goes_on_to_the_same_bytes(
    env: dict[str, str], engine: Client, undisturbed: str
) -> None:
    before = {job.id for job in engine.jobs()}
    process = start(env, "out", *LONG)
    stopped = wait_slices(engine, before, 3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert err == "stopped: run the same command again to go on from the slices that are made\nmsynth: interrupted\n"
    wait_for(lambda: engine.job(stopped.id).state is JobState.CANCELLED, 20)
    assert sorted(path.name for path in Path("out").iterdir()) == [".msynth-tumor.json"]
    made = engine.job(stopped.id).info().slices_done
    assert made < SLICES
    assert grow("out", *LONG) == 0
    assert {job.id for job in engine.jobs()} - before == {stopped.id}, "a second job was started"
    assert engine.job(stopped.id).info().slices_done == SLICES
    assert same("out", undisturbed)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_command_that_was_killed_finds_its_job_again(env: dict[str, str], engine: Client, undisturbed: str) -> None:
    before = {job.id for job in engine.jobs()}
    process = start(env, "out", *LONG)
    running = wait_slices(engine, before, 3)
    process.kill()
    process.communicate(timeout=20)
    assert grow("out", *LONG) == 0
    assert {job.id for job in engine.jobs()} - before == {running.id}
    assert same("out", undisturbed)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_where_the_job_is_gone_the_same_seed_gives_the_same_bytes(env: dict[str, str], engine: Client, undisturbed: str) -> None:
    before = {job.id for job in engine.jobs()}
    process = start(env, "out", *LONG)
    running = wait_slices(engine, before, 3)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    wait_for(lambda: engine.job(running.id).state is JobState.CANCELLED, 20)
    engine.forget(running.id)
    assert grow("out", *LONG) == 0
    assert same("out", undisturbed)


# docs/tumor.md


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCS, flags=re.DOTALL)


def test_the_python_of_the_page_runs_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    for block in blocks("python"):
        exec(compile(block, "tumor.md", "exec", dont_inherit=True), names)
    assert names["image"].size == names["mask"].size == (24, 128, 128)
    came = [line.split()[:2] for line in capsys.readouterr().out.splitlines()[:-1]]
    order = [int(z) for name, z in came if name == "image"]
    assert sorted(order) == list(range(24))
    assert len(came) == 48
    for i in range(1, 24):
        assert order[i] in (min(order[:i]) - 1, max(order[:i]) + 1), "it did not grow both ways from one slice"


def test_the_commands_of_the_page_are_understood() -> None:
    lines = [line.split("#")[0] for block in blocks("sh") for line in block.splitlines()]
    assert len(lines) >= 5
    for line in lines:
        args, rest = cli.build_parser().parse_known_args(shlex.split(line)[1:])
        assert args.run is cli.tumor
        assert not rest
    words = set(re.findall(r"--[a-z][a-z-]+", DOCS))
    known = {option for action in cli.build_parser()._subparsers._group_actions for option in _options(action)}
    assert words <= known


def _options(action: Any) -> set[str]:
    parser = action.choices["tumor"]
    return {option for one in parser._actions for option in one.option_strings}
