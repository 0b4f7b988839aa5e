"""What every viewer says of a run, its button, its growth and its uncertain places: one set of words."""

from __future__ import annotations

from pathlib import Path

import pytest

from medsynth_core import growth_words, uncertain_walk
from medsynth_core.errors import InputError
from medsynth_core.run import RunProgress
from medsynth_core.run_button import Mode, face
from medsynth_core.sentences import sentence
from medsynth_core.uncertain_walk import Walk

ROOT = Path(__file__).parent.parent
VIEWERS = (ROOT / "napari_medsynth", ROOT / "slicer_extension")


def test_the_button_says_its_verb_then_cancel_then_that_it_cancels() -> None:
    shown = [face(mode, "Refine", "Refine it") for mode in Mode]
    assert [(each.text, each.enabled) for each in shown] == [("Refine", True), ("Cancel", True), ("Cancelling…", False)]
    assert "Esc" in shown[1].tip


def test_a_blocked_button_says_why_but_a_run_can_always_be_cancelled() -> None:
    blocked = face(Mode.READY, "Refine", "Refine it", "Nothing is painted.")
    assert (blocked.tip, blocked.enabled) == ("Nothing is painted.", False)
    assert face(Mode.RUNNING, "Refine", "Refine it", "Nothing is painted.").enabled


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (RunProgress(0.5, 12.4, "slice 3"), "slice 3 · 12 s left"),
        (RunProgress(0.5, 0.44, "slice 3"), "slice 3 · 0.4 s left"),
        (RunProgress(0.5, 300.0, ""), "5 min left"),
        (RunProgress(0.0, None, "queued"), "queued"),
        (RunProgress(0.0, None, ""), ""),
    ],
)
def test_progress_is_said_in_one_line(progress: RunProgress, line: str) -> None:
    assert progress.line == line


def test_a_walk_goes_round_and_says_where_it_is() -> None:
    walk = Walk([(1, 2), (3, 4)])
    assert (walk.text, walk.tip) == ("", uncertain_walk.NEXT_TIP)
    assert [walk.next() for _ in range(3)] == [(1, 2), (3, 4), (1, 2)]
    assert walk.text == "1 of 2"


def test_a_walk_to_nowhere_says_why() -> None:
    assert (Walk(None).next(), Walk(None).tip) == (None, "Looking…")
    assert (Walk(()).next(), Walk(()).tip) == (None, "The result is sure everywhere")


def test_a_slice_that_was_replaced_counts_when_it_came_last() -> None:
    assert growth_words.in_order([3, 4, 3, 5, 4]) == [3, 5, 4]
    assert growth_words.in_order([]) == []


def test_the_newest_mark_is_opaque_and_all_before_are_fainter() -> None:
    marks = [growth_words.opacity(place, 5) for place in range(5)]
    assert marks == sorted(marks)
    assert marks[-1] == 1
    assert marks[0] > growth_words.FAINTEST


def test_half_a_volume_says_that_it_is_and_which_half() -> None:
    noted = growth_words.unfinished({"seed": 7, "partial": False}, "a1", [5, 4, 6, 5])
    assert noted == {"seed": 7, "partial": True, "job": "a1", "slices": [4, 5, 6]}


def test_an_error_is_shown_as_a_sentence() -> None:
    assert sentence(InputError("no image is chosen")) == "No image is chosen"
    assert sentence("") == ""


@pytest.mark.parametrize(
    "word",
    [
        '"Copy as Python"',
        '"Run again"',
        '"Next uncertain place"',
        '"drafting…"',
        '"settling…"',
        '"Show log"',
        '"Resume"',
        '"Stop and keep the best"',
        ">Resume<",
        ">Copy as Python<",
        ">Next uncertain place<",
    ],
)
def test_no_viewer_has_words_of_its_own_for_what_both_say(word: str) -> None:
    files = [path for folder in VIEWERS for path in folder.rglob("*") if path.suffix in (".py", ".ui")]
    assert files
    assert not [path.name for path in files if word in path.read_text("utf-8")]
