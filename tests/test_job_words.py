"""The list of jobs says the same in every viewer, and finds a job by what is known of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from medsynth_core import job_words
from medsynth_core.job_script import as_python
from medsynth_core.lamp import Lamp
from medsynth_core.protocol import JobInfo, JobRequest, JobState, OutputInfo, Thresholds
from medsynth_core.quality import KEY, Badge

PLACE = tuple(map(tuple, np.eye(4).tolist()))
IMAGE, HIDDEN = (
    OutputInfo("image", "image", (1, 2, 8, 8), "uint8", PLACE),
    OutputInfo("kept", "state", (1, 2, 8, 8), "float32", PLACE),
)


def job(state: JobState = JobState.DONE, inputs: dict[str, Any] | None = None, **facts: Any) -> JobInfo:
    request = JobRequest("tumor", "lgg-flair", inputs or {}, 7, {"volume_ml": 20.0, "place": "given"}, "napari", "for the talk")
    return JobInfo("a1", state, request, 1e9, outputs=(IMAGE, HIDDEN), **facts)


@pytest.mark.parametrize("words", ["", "TUMOR", "lgg talk", "napari done", "flair"])
def test_a_job_is_found_by_words_of_its_engine_model_program_state_or_note(words: str) -> None:
    assert job_words.fits(job(), words, False)
    assert not job_words.fits(job(), f"{words} nuclei", False)
    assert not job_words.fits(job(), words, True)
    assert job_words.fits(job(starred=True), words, True)


def test_a_row_says_what_how_far_from_where_and_when() -> None:
    running = job(JobState.RUNNING, done=3, total=64, starred=True)
    assert job_words.row(running, 1e9 + 300) == ("★ tumor · lgg-flair", "running 3/64", "napari", "5 min")
    assert len(job_words.row(running, 1e9)) == len(job_words.COLUMNS)


def test_only_a_finished_result_that_was_measured_has_a_quality() -> None:
    measured = {KEY: Badge.of(Thresholds(likeness=0.8), None, None, 0.93).record()}
    told = job_words.quality(job(recipe=measured))
    assert told is not None
    assert (told.lamp, told.word) == (Lamp.RED, "may be a copy")
    assert "0.93" in told.tip
    assert "not judged" in told.tip
    assert job_words.quality(job(JobState.FAILED, recipe=measured)) is None
    assert job_words.quality(job(recipe={})) is None


def test_a_quality_in_words_of_a_newer_service_is_not_guessed_at() -> None:
    told = job_words.quality(job(recipe={KEY: {"grade": "superb", "likeness": {"grade": "superb", "says": "?"}}}))
    assert told is not None
    assert told.lamp is Lamp.OFF


def test_a_failed_job_says_why_and_one_that_was_stopped_does_not_count_on() -> None:
    assert job_words.state_text(job(JobState.FAILED, error="no memory")) == "failed: no memory"
    assert job_words.state_text(job(JobState.FAILED)) == "failed"
    assert job_words.state_text(job(JobState.CANCELLED, done=3, total=64)) == "cancelled"


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "now"), (59, "now"), (300, "5 min"), (3600 * 3, "3 h"), (86400 * 3, "3 d"), (-100, "now")]
)
def test_ages_are_said_as_people_say_them(seconds: int, said: str) -> None:
    assert job_words.age_text(1e9 - seconds, 1e9) == said


def test_only_what_is_there_can_be_opened_and_only_what_ended_starred() -> None:
    states = (None, JobState.QUEUED, JobState.RUNNING, JobState.CANCELLED, JobState.FAILED, JobState.DONE)
    jobs = [job(state) if state else None for state in states]
    assert [job_words.can_open(each) for each in jobs] == [False, False, False, False, False, True]
    assert [job_words.can_star(each) for each in jobs] == [False, False, False, True, True, True]
    assert job_words.star_word(job(starred=True)) is job_words.UNSTAR
    assert {job_words.star_word(each) for each in jobs} == {job_words.STAR}


def test_python_without_arrays_says_every_parameter() -> None:
    text = as_python(job())
    assert "engine.submit('tumor', model='lgg-flair', seed=7, volume_ml=20.0, place='given')" in text
    assert 'image = job.result("image")' in text
    assert "kept" not in text


def test_python_of_a_job_with_arrays_repeats_the_job_that_holds_them() -> None:
    text = as_python(job(inputs={"mask": "0" * 64}))
    assert 'engine.repeat(engine.job("a1").info())' in text
    assert "submit" not in text
    compile(text, "copied", "exec")
