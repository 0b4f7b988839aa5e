"""`msynth tumor` run again: complete volumes are left alone, stopped ones go on with their job, other people's files stay."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medsynth_core import formats
from medsynth_core.cli_tumor_run import JOURNAL, _Clock
from medsynth_core.protocol import Event, EventKind, JobState
from medsynth_core.volume import Volume
from tests.scripted_tumor import SIZE, Script
from tests.test_cli_refine import complaint, run
from tests.test_cli_tumor import background, files, here, script, told, tumor

__all__ = ["here", "script"]


def contents() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path("out").iterdir() if path.name.endswith(".nii.gz")}


def stop_at(script: Script, seed: int, slices: int) -> None:
    script.stops = {seed: slices}


def test_a_second_run_leaves_a_complete_volume_alone(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    assert tumor("--seed", 5) == 0
    before = {path: path.stat().st_mtime_ns for path in Path("out").iterdir()}
    capsys.readouterr()
    assert tumor("--seed", 5) == 0
    assert len(script.submitted) == 1
    assert {path: path.stat().st_mtime_ns for path in Path("out").iterdir()} == before
    printed = capsys.readouterr()
    assert not printed.out
    assert "image.nii.gz is there already, made from the same request: --again makes it anew" in printed.err
    assert tumor("--seed", 5, "--again") == 0
    assert len(script.submitted) == 2


def test_more_of_them_are_made_later(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    tumor("--count", 2)
    first = contents()
    assert tumor("--count", 4) == 0
    assert "2 done; 2 skipped, made before from the same request" in capsys.readouterr().err
    assert [request.seed for request in script.submitted] == [0, 1, 2, 3]
    assert first.items() <= contents().items()
    assert [record["seed"] for record in told()] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "words", [("--seed", 6), ("--volume-ml", 9), ("--center-mm", 0, 0, 0), ("--model", "other"), ("--steps", 2)]
)
def test_another_request_makes_the_volume_anew(script: Script, words: tuple[object, ...]) -> None:
    tumor("--seed", 5)
    assert tumor("--seed", 5, *words) == 0
    assert len(script.submitted) == 2
    assert len(told()) == 1


def test_a_default_that_is_spelled_out_changes_nothing(script: Script) -> None:
    tumor()
    assert tumor("--guidance", 1, "--no-cleanup", "--anchor", -1) == 0
    assert len(script.submitted) == 1


def test_other_bytes_of_the_background_make_it_anew(script: Script) -> None:
    tumor("--background", background())
    tumor("--background", "flair.nii.gz")
    assert len(script.submitted) == 1
    formats.write(Path("flair.nii.gz"), Volume(np.ones((1, 4, 7, 6), np.int16)), {})
    assert tumor("--background", "flair.nii.gz") == 0
    assert len(script.submitted) == 2


def lose(name: str) -> Callable[[], None]:
    return lambda: Path("out", name).unlink()


@pytest.mark.parametrize("lost", ["image.nii.gz", "mask.nii.gz", "request.json"])
def test_a_lost_file_is_written_again_without_computing(script: Script, lost: str) -> None:
    tumor()
    before = Path("out", lost).read_bytes()
    Path("out", lost).unlink()
    assert tumor() == 0
    assert len(script.submitted) == 1
    assert script.computed == SIZE[0]
    if lost != "request.json":
        assert Path("out", lost).read_bytes() == before
    assert len(told()) == 1


def test_ctrl_c_cancels_and_says_how_to_go_on(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    stop_at(script, 0, 3)
    assert tumor() == 130
    assert script.cancelled == ["job1"]
    assert "stopped: run the same command again to go on" in capsys.readouterr().err
    assert files() == []


def test_after_ctrl_c_the_same_job_goes_on_and_gives_the_same_bytes(script: Script) -> None:
    run("tumor", "-o", "whole")
    stop_at(script, 0, 3)
    tumor()
    script.computed = 0
    assert tumor() == 0
    assert script.resumed == ["job2"]
    assert len(script.submitted) == 2
    assert script.computed == SIZE[0] - 3
    for name in ("image.nii.gz", "mask.nii.gz"):
        assert Path("out", name).read_bytes() == Path("whole", name).read_bytes()


def test_where_the_service_has_forgotten_the_job_it_starts_again_from_the_same_seed(script: Script) -> None:
    run("tumor", "-o", "whole")
    stop_at(script, 0, 3)
    tumor()
    script.jobs.clear()
    assert tumor() == 0
    assert len(script.submitted) == 3
    assert Path("out/image.nii.gz").read_bytes() == Path("whole/image.nii.gz").read_bytes()


def test_a_job_that_ran_on_while_the_command_was_dead_is_only_fetched(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:  # the command is killed: nothing cancels, nothing is saved
        patch.setattr("tests.scripted_tumor.ScriptedJob.cancel", lambda _: None)
        stop_at(script, 0, 2)
        tumor()
    job = script.jobs["job1"]
    for _ in job:
        pass
    assert job.state is JobState.DONE
    script.computed = 0
    assert tumor() == 0
    assert (len(script.submitted), script.computed) == (1, 0)
    assert files() == ["image.nii.gz", "mask.nii.gz", "request.json"]


def test_ctrl_c_in_a_batch_keeps_what_is_done_and_goes_on_with_the_rest(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    stop_at(script, 1, 2)
    assert tumor("--count", 3) == 130
    assert "1 done; 2 not made" in capsys.readouterr().err
    assert script.cancelled == ["job2", "job3"]  # the one under way, and the next that waited behind it
    assert tumor("--count", 3) == 0
    assert script.resumed == ["job2", "job3"]
    assert len(script.submitted) == 3
    assert [record["seed"] for record in told()] == [0, 1, 2]


def test_another_request_does_not_go_on_with_the_stopped_job(script: Script) -> None:
    stop_at(script, 0, 2)
    tumor("--volume-ml", 20)
    assert tumor("--volume-ml", 30) == 0
    assert script.resumed == []
    assert [request.params for request in script.submitted] == [{"volume_ml": 20.0}, {"volume_ml": 30.0}]


def test_a_job_that_failed_is_tried_again(script: Script) -> None:
    script.fails = {0: "worker_died"}
    assert tumor() == 1
    script.fails = {}
    assert tumor() == 0
    assert script.resumed == ["job1"]
    assert len(script.submitted) == 1


def test_a_volume_half_noted_when_the_machine_stopped_is_written_again(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """Image and mask were saved, and the power went before the journal said so."""
    with monkeypatch.context() as patch:
        patch.setattr("medsynth_core.cli_journal.Journal.finish", lambda *_, **__: None)
        tumor()
    assert tumor() == 0
    assert len(script.submitted) == 1
    assert tumor("--again") == 0


def test_somebody_elses_files_are_never_overwritten(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    Path("out").mkdir()
    Path("out/mask.nii.gz").write_bytes(b"painted by hand")
    complaint(capsys, tumor(), 2, "mask.nii.gz is there already and not as this command made it: move it away, or add --again")
    assert Path("out/mask.nii.gz").read_bytes() == b"painted by hand"
    assert not script.submitted
    assert tumor("--again") == 0


@pytest.mark.parametrize("content", ["{", "[]", '{"mine": 1}', '{"format": 9, "volumes": []}', '{"format": 1, "volumes": [{}]}'])
def test_somebody_elses_request_is_never_overwritten(script: Script, capsys: pytest.CaptureFixture[str], content: str) -> None:
    Path("out").mkdir()
    Path("out/request.json").write_text(content)
    complaint(capsys, tumor(), 2, "request.json is there already and not as this command wrote it")
    assert Path("out/request.json").read_text() == content
    assert tumor("--again") == 0


def test_a_damaged_journal_is_told_and_again_starts_over(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    tumor()
    capsys.readouterr()
    Path("out", JOURNAL).write_text("{")
    complaint(capsys, tumor(), 2, "add --again to start over")
    assert tumor("--again") == 0
    assert json.loads(Path("out", JOURNAL).read_text())["results"].keys() == {"image.nii.gz"}


def test_results_may_be_moved_with_their_journal(script: Script) -> None:
    tumor()
    Path("out").rename("elsewhere")
    assert run("tumor", "-o", "elsewhere") == 0
    assert len(script.submitted) == 1


def test_only_computing_counts_as_time() -> None:
    """10 s in the queue, 5 s of work, an hour cancelled, 2 s of work."""
    clock = _Clock()
    life = [
        (0, "queued"),
        (10, "running"),
        (15, "cancelling"),
        (15, "cancelled"),
        (3600, "queued"),
        (3601, "running"),
        (3603, "done"),
    ]
    for number, (at, state) in enumerate(life, 1):
        clock.take(Event(number, "job", EventKind.STATE, 1000.0 + at, state=JobState(state)))
    assert clock.seconds == pytest.approx(7)
