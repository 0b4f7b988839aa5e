"""The list of jobs: found again, starred, run again exactly, written as Python; against the real service."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qt
import slicer
from MedSynthLib.growing import RECIPE
from MedSynthLib.primary_button import Mode

from medsynth_core import job_words
from medsynth_core.client import connect
from medsynth_core.engines.fake import slice_pixels
from medsynth_core.protocol import JobInfo, JobRequest, JobState, OutputInfo, Thresholds
from medsynth_core.quality import KEY, Badge
from tests.slicer_extension.main_thread import MainThread

PLACE = tuple(map(tuple, np.eye(4).tolist()))
IMAGE, HIDDEN = (
    OutputInfo("image", "image", (1, 2, 8, 8), "uint8", PLACE),
    OutputInfo("kept", "state", (1, 2, 8, 8), "float32", PLACE),
)


def job(name: str = "a", starred: bool = False, **given: Any) -> JobInfo:
    request = JobRequest("tumor", "lgg-flair", given, 7, {"volume_ml": 20.0, "place": "given"}, "napari", "for the talk")
    return JobInfo(name, JobState.DONE, request, 0.0, outputs=(IMAGE, HIDDEN), starred=starred)


def done(panel: Any, home: Path, **params: Any) -> JobInfo:
    """A finished job of another client, shown in the list and clicked."""
    with connect(home, start=False, name="napari") as napari:
        made = napari.submit("fake", **params).wait()
    MainThread().until(lambda: any(j.id == made.id and j.state.ended for j in panel.history.jobs) or panel.refresh_history(), 60)
    panel._ui.historyTable.cellClicked.emit([j.id for j in panel.history.jobs].index(made.id), 0)
    return made


def test_what_was_chosen_stays_chosen_while_other_jobs_come(lone_panel: Any) -> None:
    lone_panel.jobs.close()
    history = lone_panel.history
    history.show((job("a"), job("b")))
    lone_panel._ui.historyTable.cellClicked.emit(1, 0)
    history.show((job("c"), job("a"), job("b", starred=True)))
    assert history.chosen is not None
    assert history.chosen.id == "b"
    assert lone_panel._ui.historyTable.currentRow() == 2
    assert lone_panel._ui.starButton.text == "Unstar"
    assert history.texts()[2][0] == "★ tumor · lgg-flair"
    lone_panel._ui.searchBox.setText("nothing of this name")
    assert history.texts() == []
    assert not lone_panel._ui.againButton.enabled
    lone_panel._ui.searchBox.setText("")
    lone_panel._ui.starredBox.setChecked(True)
    assert [j.id for j in history.jobs] == ["b"]


def test_a_measured_result_says_how_good_it_is_when_its_state_is_pointed_at(lone_panel: Any) -> None:
    lone_panel.jobs.close()
    badge = Badge.of(Thresholds(likeness=0.8), None, None, 0.93)
    lone_panel.history.show((replace(job("a"), recipe={KEY: badge.record()}), job("b")))
    tips = [lone_panel._ui.historyTable.item(row, job_words.STATE).toolTip for row in range(2)]
    assert ["It may be a copy" in str(tip() if callable(tip) else tip) for tip in tips] == [True, False]


def test_a_star_is_kept_by_the_service_and_taken_away_again(panel: Any, home: Path) -> None:
    made, main = done(panel, home, slices=2, size=8), MainThread()
    for text, starred in (("Star", True), ("Unstar", False)):
        assert panel._ui.starButton.text == text
        panel._ui.starButton.click()
        main.until(lambda starred=starred: panel.history.chosen.starred == starred or panel.refresh_history(), 60)
        with connect(home, start=False) as client:
            assert client.job(made.id).info().starred == starred


def test_a_job_with_arrays_runs_again_exactly(panel: Any, home: Path) -> None:
    mask = np.zeros((8, 8), np.uint8)
    made = done(panel, home, seed=11, slices=3, size=8, mask=mask)
    panel._ui.againButton.click()
    MainThread().until(lambda: panel.button.mode is Mode.READY, 60)
    node = panel.growing.nodes()["image"]
    assert node.GetName() == "[Synthetic] fake"
    assert [bool(np.array_equal(slicer.util.arrayFromVolume(node)[z], slice_pixels(11, z, 8)[0])) for z in range(3)] == [True] * 3
    assert '"seed": 11' in node.GetAttribute(RECIPE)
    with connect(home, start=False) as client:
        newest = client.jobs()[0]
        assert newest.id != made.id
        assert (newest.request.inputs, newest.request.client) == (made.request.inputs, "slicer")


def test_a_job_that_was_forgotten_meanwhile_is_said(panel: Any, home: Path) -> None:
    made = done(panel, home, slices=2, size=8, mask=np.ones((8, 8), np.uint8))
    with connect(home, start=False) as client:
        client.forget(made.id)
    panel.jobs.close()
    panel.history.show((made,))
    panel._ui.openButton.click()
    MainThread().until(lambda: panel._ui.messageLabel.text, 30)
    assert panel.button.mode is Mode.READY


@pytest.mark.parametrize("arrays", [{}, {"mask": np.zeros((8, 8), np.uint8)}], ids=["parameters", "arrays"])
def test_the_python_that_is_copied_makes_the_same_result(
    panel: Any, home: Path, monkeypatch: pytest.MonkeyPatch, arrays: dict[str, Any]
) -> None:
    done(panel, home, seed=5, slices=2, size=8, **arrays)
    panel._ui.pythonButton.click()
    text = str(qt.QApplication.clipboard().text())
    monkeypatch.setattr("medsynth_core.client.connect", lambda: connect(home, start=False))
    said: dict[str, Any] = {}
    exec(text, said)
    said["engine"].close()
    assert np.array_equal(said["image"].array[:, 1], slice_pixels(5, 1, 8))
