"""Live mode in Slicer: a draft after each stroke, the full quality after a pause, the newest alone, and nothing piles up."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import qt
import slicer
import vtk
from MedSynthLib import conversion
from MedSynthLib.growing import RECIPE
from MedSynthLib.live_painting import LivePainting
from MedSynthLib.segments import new_segmentation

from medsynth_core.errors import MedSynthError
from medsynth_core.live import SETTLE_S
from medsynth_core.protocol import EngineInfo, InputInfo, LabelInfo, ModelCard, OutputInfo, ParamInfo, ParamKind
from medsynth_core.run import Ending, Made, RunRequest
from medsynth_core.volume import Volume
from tests.slicer_extension.main_thread import MainThread
from tests.slicer_extension.test_slicer_conversion import oblique, volume_node
from tests.slicer_extension.test_slicer_review import Desk

STEPS = ParamInfo("steps", "Steps", ParamKind.INTEGER, 6, 1, 50)
REFINE = EngineInfo(
    "refine",
    "better",
    inputs=(InputInfo("image", "Image", "image"), InputInfo("mask", "Mask", "labels")),
    params=(STEPS,),
    synthetic=False,
)
PAINT = EngineInfo("synthesize", "an image", inputs=(InputInfo("mask", "Mask", "labels"),), params=(STEPS,), one_slice=True)
CARD = ModelCard("toy", "Toy", "refine", 1, (8, 8), (LabelInfo(1, "tumor", "#f28e2b"),), "CC0", "none")
SHAPE = (4, 12, 16)


class FakeRun:
    """A run that answers when the test says so."""

    def __init__(self, request: RunRequest) -> None:
        self.request, self.cancelled = request, False

    def cancel(self) -> None:
        self.cancelled = True


class Bench(Desk):
    """A volume, a segment on it, an engine's page, and a live mode whose runs are the test's own."""

    def __init__(self, engine: EngineInfo = REFINE) -> None:
        super().__init__()
        self.liveRow = qt.QWidget(self.page)
        self.liveBox, self.liveLabel = qt.QCheckBox(self.liveRow), qt.QLabel(self.liveRow)
        self.pinButton = qt.QPushButton(self.liveRow)
        self.grid = volume_node(oblique(), np.zeros(SHAPE, np.uint8))
        self.mask = new_segmentation(self.grid, CARD.labels, "lesion")
        self.form = types.SimpleNamespace(
            engine=engine, card=CARD, used=frozenset(), chosen={}, values=lambda: {"steps": self.steps}
        )
        self.settings = types.SimpleNamespace(image=self.grid, mask=self.mask, seed=3, shown_only=False)
        self.runs: list[Any] = []
        self.steps, self.main = 6, MainThread()
        self.view = slicer.vtkMRMLSliceNode()
        self.view.SetSingletonTag("Red")
        self.view.SetLayoutName("Red")
        self.view = slicer.mrmlScene.AddNode(self.view)
        self.look_at(1)
        self.live = LivePainting(self, self.start, self.review)
        self.live.watch(self.form, self.settings)

    def start(self, request: RunRequest) -> Any:
        self.runs.append(FakeRun(request))
        return self.runs[-1]

    def look_at(self, k: int) -> None:
        affine = conversion.affine_of(self.grid)
        axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
        to_ras = np.eye(4)
        to_ras[:3, :3], to_ras[:3, 3] = axes, (affine @ [8, 6, k, 1])[:3]
        self.view.GetSliceToRAS().DeepCopy(slicer.util.vtkMatrixFromArray(to_ras))

    def stroke(self, x: int, k: int = 1) -> None:
        labels = conversion.labels_of(self.mask, self.grid, {self.ids[0]: 1}).array
        labels[0, k, 2:6, x : x + 3] = 1
        conversion.fill_segments(self.mask, Volume(labels, conversion.affine_of(self.grid)), {1: self.ids[0]})

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(self.mask.GetSegmentation().GetSegmentIDs())

    def answer(self, run: Any, value: int = 1, output: str = "mask", kind: str = "labels") -> None:
        affine = next(v for n, v in run.request.inputs.items() if n == "mask").affine
        info = OutputInfo(output, kind, (1, 1, *SHAPE[1:]), "uint8", tuple(map(tuple, affine.tolist())))
        self.live.announced(run, info)
        self.live.grew(run, output, 0, np.full((1, *SHAPE[1:]), value, np.uint8))
        self.live.made(run, Made(3, {}, {"synthetic": kind == "image"}, "job", 0.1))
        self.live.ended(run, Ending.DONE, None)

    def previews(self) -> list[Any]:
        return [n for n in slicer.util.getNodesByClass("vtkMRMLSegmentationNode") if n is not self.mask]


@pytest.fixture
def bench() -> Iterator[Bench]:
    """Live mode, switched on, on one stroke whose draft was asked for."""
    made = Bench()
    made.stroke(2)
    made.liveBox.setChecked(True)
    yield made
    made.live.end()


def test_switched_on_it_works_on_what_is_there_draft_first_then_in_full(bench: Bench) -> None:
    assert [run.request.params for run in bench.runs] == [{"steps": 1}]
    assert bench.runs[0].request.inputs["mask"].size == (1, *SHAPE[1:])
    bench.answer(bench.runs[0])
    assert bench.liveLabel.text.startswith("draft")
    bench.main.until(lambda: len(bench.runs) == 2, SETTLE_S + 5)
    assert bench.runs[1].request.params == {"steps": 6}
    bench.answer(bench.runs[1])
    assert bench.liveLabel.text.startswith("final")
    bench.main.rest(SETTLE_S + 0.2)
    assert len(bench.runs) == 2


def test_a_stroke_is_heard_of_and_the_newest_wins(bench: Bench) -> None:
    bench.stroke(5)
    bench.stroke(8)
    bench.main.until(lambda: len(bench.runs) == 2)
    assert bench.runs[0].cancelled
    assert bench.runs[1].request.inputs["mask"].array[0, 0, 3, 9] == 1
    bench.answer(bench.runs[0])  # too late
    assert bench.previews() == []
    bench.main.rest(0.2)
    assert len(bench.runs) == 2  # never queued: one is under way


def test_what_was_not_painted_starts_nothing(bench: Bench) -> None:
    bench.answer(bench.runs[0])
    bench.main.until(lambda: len(bench.runs) == 2)
    bench.answer(bench.runs[1])
    bench.mask.GetSegmentation().GetNthSegment(0).SetColor(0.1, 0.2, 0.3)
    bench.mask.GetSegmentation().InvokeEvent(slicer.vtkSegmentation.SourceRepresentationModified)
    bench.stroke(2)  # the same pixels again
    bench.stroke(3, k=3)  # another slice than the shown one
    bench.main.rest(0.3)
    assert len(bench.runs) == 2


def test_another_slice_is_no_edit_but_a_stroke_on_it_is(bench: Bench) -> None:
    bench.answer(bench.runs[0])
    bench.look_at(2)
    bench.live.watch(bench.form, bench.settings)
    bench.main.rest(SETTLE_S + 0.2)
    assert len(bench.runs) == 1
    bench.stroke(4, k=2)
    bench.main.until(lambda: len(bench.runs) == 2)


def test_the_form_counts_too(bench: Bench) -> None:
    bench.answer(bench.runs[0])
    bench.steps = 9
    bench.live.watch(bench.form, bench.settings)
    assert len(bench.runs) == 2


def test_the_preview_is_one_node_written_anew_and_apply_writes_it_without_another_run(bench: Bench) -> None:
    bench.answer(bench.runs[0])
    first = bench.previews()
    bench.main.until(lambda: len(bench.runs) == 2)
    bench.answer(bench.runs[1])
    assert bench.previews() == first
    assert len(first) == 1
    bench.review.apply()
    bench.live.settle()  # as the panel does
    bench.main.rest(SETTLE_S + 0.2)
    assert len(bench.runs) == 2
    assert conversion.labels_of(bench.mask, bench.grid, {bench.ids[0]: 1}).array[0, 1].all()
    assert bench.previews() == []
    bench.stroke(0, k=1)
    bench.review.undo()
    bench.main.rest(0.2)


def test_nothing_starts_under_the_hand() -> None:
    interactor = vtk.vtkRenderWindowInteractor()
    view = types.SimpleNamespace(sliceView=lambda: types.SimpleNamespace(interactor=lambda: interactor))
    manager = types.SimpleNamespace(sliceViewNames=lambda: ("Red",), sliceWidget=lambda name: view)
    made, usual = Bench(), slicer.app.layoutManager
    slicer.app.layoutManager = lambda: manager
    try:
        made.stroke(2)
        made.liveBox.setChecked(True)
        interactor.InvokeEvent("LeftButtonPressEvent")
        made.stroke(5)
        made.main.rest(0.2)
        assert len(made.runs) == 1
        interactor.InvokeEvent("LeftButtonReleaseEvent")
        made.main.until(lambda: len(made.runs) == 2)
        made.liveBox.setChecked(False)
        interactor.InvokeEvent("LeftButtonPressEvent")  # nobody listens any more
        made.liveBox.setChecked(True)
        assert len(made.runs) == 3
    finally:
        slicer.app.layoutManager = usual
        made.live.end()


def test_an_engine_of_images_shows_one_image_under_the_paint() -> None:
    made = Bench(PAINT)
    made.stroke(2)
    made.liveBox.setChecked(True)
    made.answer(made.runs[0], 77, "image", "image")
    made.main.until(lambda: len(made.runs) == 2)
    made.answer(made.runs[1], 99, "image", "image")
    (node,) = made.live.preview.nodes().values()
    assert node.GetName() == "[Synthetic] lesion live"
    assert (slicer.util.arrayFromVolume(node) == 99).all()
    assert not made.applyButton.isVisibleTo(made.page)
    made.live.end()


def test_a_pinned_result_stays_and_the_next_stroke_makes_another_one() -> None:
    made = Bench(PAINT)
    made.stroke(2)
    made.liveBox.setChecked(True)
    assert not made.pinButton.isVisibleTo(made.page)  # there is nothing yet
    made.answer(made.runs[0], 77, "image", "image")
    (pinned,) = made.live.preview.nodes().values()
    assert made.pinButton.isVisibleTo(made.page)
    made.pinButton.click()
    assert pinned.GetName() == "[Synthetic] lesion"
    assert not made.pinButton.isVisibleTo(made.page)
    made.stroke(7)
    made.main.until(lambda: len(made.runs) == 2)
    made.answer(made.runs[1], 99, "image", "image")
    (fresh,) = made.live.preview.nodes().values()
    assert fresh is not pinned
    assert (slicer.util.arrayFromVolume(pinned) == 77).all()
    assert (slicer.util.arrayFromVolume(fresh) == 99).all()
    assert pinned.GetAttribute(RECIPE) == '{"synthetic": true}'
    made.pinButton.click()
    assert fresh.GetName() == "[Synthetic] lesion_1"
    made.live.end()
    assert pinned.GetScene() is not None


def test_an_outline_is_applied_not_pinned(bench: Bench) -> None:
    bench.answer(bench.runs[0])
    assert bench.applyButton.isVisibleTo(bench.page)
    assert not bench.pinButton.isVisibleTo(bench.page)


def test_a_result_that_was_deleted_cannot_be_pinned() -> None:
    made = Bench(PAINT)
    made.stroke(2)
    made.liveBox.setChecked(True)
    made.answer(made.runs[0], 77, "image", "image")
    slicer.mrmlScene.RemoveNode(next(iter(made.live.preview.nodes().values())))
    made.live.watch(made.form, made.settings)
    assert not made.pinButton.isVisibleTo(made.page)
    made.live.pin()
    made.live.end()


def test_what_cannot_be_sent_is_said_and_the_next_stroke_is_tried_again() -> None:
    made = Bench()
    made.liveBox.setChecked(True)
    assert made.runs == []
    assert "othing is painted" in made.liveLabel.text
    made.stroke(2)
    made.main.until(lambda: made.runs)
    assert made.live.ended(made.runs[0], Ending.FAILED, MedSynthError("no")) is not None
    assert made.liveLabel.text == "failed"
    made.live.end()


def test_switched_off_or_with_the_scene_gone_nothing_runs_any_more(bench: Bench) -> None:
    bench.liveBox.setChecked(False)
    assert bench.runs[0].cancelled
    bench.stroke(7)
    bench.main.rest(0.2)
    assert len(bench.runs) == 1
    bench.liveBox.setChecked(True)
    slicer.mrmlScene.RemoveNode(bench.mask)
    bench.answer(bench.runs[-1])  # of segments that are gone
    assert bench.previews() == []
    bench.live.end()
    bench.live.end()


def test_undo_and_redo_are_edits(bench: Bench) -> None:
    history = slicer.vtkSegmentationHistory()
    history.SetSegmentation(bench.mask.GetSegmentation())
    history.SaveState()
    bench.stroke(9)
    bench.main.until(lambda: len(bench.runs) == 2)
    history.RestorePreviousState()
    bench.main.until(lambda: len(bench.runs) == 3)
    assert not bench.runs[2].request.inputs["mask"].array[0, 0, :, 9:].any()
    history.RestoreNextState()
    bench.main.until(lambda: len(bench.runs) == 4)
