"""Slicer's panel and a real napari, each in a process of its own, on one service: each sees and opens the other's jobs."""

from __future__ import annotations

import hashlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from MedSynthLib.growing import RECIPE, SYNTHETIC
from MedSynthLib.primary_button import Mode
from MedSynthLib.segments import new_segmentation

from medsynth_core.engines.fake import slice_pixels
from medsynth_core.launcher import clean_environment
from tests.running import PYTHON, RunningService
from tests.slicer_extension.main_thread import MainThread
from tests.slicer_extension.napari_hand import ANSWER, SHAPE
from tests.slicer_extension.painting import paint
from tests.slicer_extension.test_slicer_conversion import oblique, put_under, volume_node, world_of
from tests.slicer_extension.test_slicer_panel import CARD, fake_page

ROOT = Path(__file__).parents[2]
LOOK_FOR_NAPARI = "import importlib.util, sys; sys.exit(importlib.util.find_spec('napari') is None)"


class Napari:
    """The other viewer, as the test talks to it."""

    def __init__(self, home: Path) -> None:
        given = {"PYTHONPATH": f"{ROOT / 'backend'}{os.pathsep}{ROOT}", "NAPARI_CONFIG": str(home / "napari.yaml")}
        command = ["sh", str(ROOT / "scripts" / "with_display.sh"), PYTHON, "-m", "tests.slicer_extension.napari_hand"]
        self._errors = home / "napari-errors.txt"
        with open(self._errors, "wb") as errors:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**clean_environment(os.environ), **given},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def ask(self, deed: str, **words: Any) -> Any:
        """Let the person do something and return what comes of it; fails with what the person says did not work."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([deed, words]) + "\n")
        self._process.stdin.flush()
        answer = self._answers.get(timeout=90)
        assert answer is not None, f"napari ended: {self._errors.read_text()[-2000:]}"
        result, problem = answer
        assert not problem, problem
        return result

    def until_state(self, of: str, fits: Any) -> int:
        """Return the row of the newest job of a program once its state is as told; Slicer goes on meanwhile."""
        found: list[int] = []
        MainThread().until(lambda: found.append(self._row(of, fits)) or found[-1] >= 0, 60)
        return found[-1]

    def close(self) -> None:
        """End it, and the screen that was made for it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(15)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _row(self, of: str, fits: Any) -> int:
        rows = self.ask("jobs")
        return next((n for n, (_, state, program, _) in enumerate(rows) if program == of and fits(state)), -1)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(ANSWER):
                self._answers.put(json.loads(line[len(ANSWER) :]))
        self._answers.put(None)


@pytest.fixture
def napari(service: RunningService, home: Path) -> Iterator[Napari]:
    """A real viewer on the same service."""
    if subprocess.run([PYTHON, "-c", LOOK_FOR_NAPARI], check=False).returncode:
        pytest.skip(f"{PYTHON} has no napari: run make test-slicer, which names the environment that has, MEDSYNTH_TEST_PYTHON")
    if sys.platform == "linux" and not os.environ.get("DISPLAY") and shutil.which("xvfb-run") is None:
        pytest.skip("there is no screen for napari and no xvfb-run to make one: see scripts/system_libraries.sh")
    made = Napari(home)
    yield made
    made.close()


def progress_of(state: str, slices: int) -> bool:
    """Whether a state says how far a running job is, beyond its beginning."""
    return state.startswith("running ") and state.endswith(f"/{slices}") and not state.startswith("running 0/")


def digest(voxels: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(voxels).tobytes()).hexdigest()


def slicer_opens_what_napari_asked_for(panel: Any, napari: Napari) -> None:
    main, size = MainThread(), SHAPE[0]
    napari.ask("run", seed=3, slices=60, size=size, delay_ms=50.0)
    main.until(lambda: panel.history.texts() and progress_of(panel.history.texts()[0][1], 60), 30)
    assert panel.history.texts()[0][::2] == ("fake", "napari")
    main.until(lambda: panel.history.texts()[0][1] == "done", 30)
    panel._ui.historyTable.cellDoubleClicked.emit(0, 0)
    main.until(lambda: slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode"), 30)
    node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
    assert (node.GetName(), node.GetAttribute(SYNTHETIC)) == ("[Synthetic] fake", "true")
    assert '"seed": 3' in node.GetAttribute(RECIPE)
    voxels = slicer.util.arrayFromVolume(node)
    assert all(np.array_equal(voxels[z], slice_pixels(3, z, size)[0]) for z in range(60))
    for (row, column), (y, x) in napari.ask("layer", name="lesion")["corners"]:  # what was painted on
        assert np.abs(world_of(node, column, row, 0) - (x, y, 0)).max() < 1e-3
    there = napari.ask("layer", name="[Synthetic] fake")  # what napari itself made of it
    assert there["voxels"] == digest(voxels)
    for (z, row, column), place in there["corners"]:
        assert np.abs(world_of(node, column, row, z) - place[::-1]).max() < 1e-3


def napari_opens_what_slicer_asked_for(panel: Any, widget: Any, napari: Napari) -> None:
    grid = volume_node(oblique(), np.zeros((4, 16, 16), np.uint8))
    put_under(grid)
    widget.logic.settings().image, widget.logic.settings().seed = grid, 5
    widget.logic.settings().mask = new_segmentation(grid, CARD.labels, "lesion")
    paint(widget.logic.settings().mask, grid)
    fake_page(panel, slices=40, size=16, delay_ms=60.0)
    panel.check()
    panel._ui.runButton.click()
    assert panel.button.mode is Mode.RUNNING
    napari.until_state("slicer", lambda state: progress_of(state, 40))
    MainThread().until(lambda: panel.button.mode is Mode.READY, 60)
    there = napari.ask("open", row=napari.until_state("slicer", lambda state: state == "done"))
    node = panel.growing.nodes()["image"]
    assert there["voxels"] == digest(slicer.util.arrayFromVolume(node))
    assert there["shape"] == [40, 16, 16]
    assert (there["name"], there["synthetic"]) == ("[Synthetic] fake", True)
    for (z, row, column), place in there["corners"]:
        assert np.abs(world_of(node, column, row, z) - place[::-1]).max() < 1e-3
        assert np.abs(world_of(grid, column, row, z) - place[::-1]).max() < 1e-3


def test_each_viewer_shows_the_other_s_jobs_while_they_run_and_opens_their_results_in_place(
    panel: Any, widget: Any, napari: Napari, tmp_path: Path
) -> None:
    slicer_opens_what_napari_asked_for(panel, napari)
    napari_opens_what_slicer_asked_for(panel, widget, napari)
    assert (
        {row[2] for row in panel.history.texts()} == {"napari"} | {row[2] for row in napari.ask("jobs")} == {"napari", "slicer"}
    )
    napari.ask("picture", path=str(tmp_path / "napari.png"))


def test_the_list_of_an_engine_that_is_away_neither_starts_it_nor_complains(panel: Any, home: Path) -> None:
    main = MainThread()
    panel.session.stop_engine()
    main.until(lambda: not (home / "connection.json").exists() and panel.session.status is None, 30)
    for _ in range(5):
        panel.refresh_history()
        main.rest(0.1)
    assert panel._ui.messageLabel.text == ""
    assert not (home / "connection.json").exists()
    assert not [t for t in threading.enumerate() if t.name == "medsynth-errand"], "questions pile up"
