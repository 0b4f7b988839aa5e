"""What stands in the way of a training that is made up, what its order says, and the words for all of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from medsynth_core.protocol import from_json, to_json
from medsynth_core.protocol_training import (
    Defect,
    DoctorReport,
    Facts,
    Finding,
    Severity,
    TrainingInfo,
    TrainingLine,
    TrainingRequest,
    TrainingState,
)
from medsynth_core.training_form import LONGEST_ID, TrainingForm, blocking, foreground, plain_id
from medsynth_core.training_words import VALIDATION, curves, fact_lines, in_a_form, label_shares, show_time, state_line

FACTS = Facts(3, 3, 1, 1, 1, {"4×4": 3}, {}, {"10": 0.1, "0": 0.895, "2": 0.005}, (0, 255), 3)
SOUND = DoctorReport("synthesize", FACTS)
FORM = TrainingForm(data="/cases", name="My polyps")
INFO = TrainingInfo("id", TrainingState.RUNNING, TrainingRequest("synthesize", "/cases", "mine"), 0.0)


def stop(*cases: str, excludable: bool = True) -> Finding:
    return Finding(Defect.SIZE, Severity.STOPS, cases, "of another size", "Give more.", excludable)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("My polyps", "my-polyps"),
        ("  Zürich, Polypen (2) ", "zurich-polypen-2"),
        ("../../etc/passwd", "etc-passwd"),
        (".hidden", "hidden"),
        ("図", ""),
        ("a" * 80, "a" * LONGEST_ID),
        ("v1.2_b", "v1.2_b"),
    ],
)
def test_a_name_becomes_a_plain_one(name: str, said: str) -> None:
    assert plain_id(name) == said


def test_nothing_blocks_a_named_training_on_a_sound_folder() -> None:
    assert blocking(FORM, SOUND, False, ["polyp"], ()) == ""


@pytest.mark.parametrize(
    ("form", "report", "looking", "said"),
    [
        (replace(FORM, data=""), SOUND, False, "Choose the folder"),
        (FORM, SOUND, True, "still looks"),
        (FORM, None, False, "Let the doctor look"),
        (FORM, DoctorReport("synthesize", FACTS, (stop("a"), stop("b"))), False, "2 findings stop the training: exclude"),
        (FORM, DoctorReport("synthesize", FACTS, (stop("a"), stop(excludable=False))), False, "Give more."),
        (replace(FORM, name=" "), SOUND, False, "Give the model a name"),
        (replace(FORM, name="図"), SOUND, False, "with a letter or a digit"),
        (replace(FORM, name="Polyp"), SOUND, False, "There is a model polyp already"),
        (replace(FORM, name="mine"), SOUND, False, "Another training makes mine"),
    ],
)
def test_what_blocks_a_training_is_said(form: TrainingForm, report: DoctorReport | None, looking: bool, said: str) -> None:
    assert said in blocking(form, report, looking, ["polyp"], (INFO,))


def test_a_training_that_has_ended_well_takes_no_name_but_that_of_its_model() -> None:
    assert blocking(replace(FORM, name="mine"), SOUND, False, [], (replace(INFO, state=TrainingState.DONE),)) == ""
    assert blocking(replace(FORM, name="mine"), SOUND, False, [], (replace(INFO, state=TrainingState.FAILED),)) != ""


def test_a_case_is_left_out_once_and_taken_in_again_with_its_finding() -> None:
    both = FORM.without((stop("a", "b"), stop("b", "c")))
    assert both.request().excluded == ("a", "b", "c")
    assert both.without((stop("a"),)) == both
    assert both.with_again(both.excluded[0]).request().excluded == ("c",)


def test_the_doctor_is_asked_anew_for_what_changes_the_data_alone() -> None:
    asked = FORM.look()
    for same in ({"name": "Other"}, {"license": "CC0"}, {"steps": 9}, {"batch": 3}, {"seed": 4}, {"judge": False}):
        assert replace(FORM, **same).look() == asked  # type: ignore[arg-type]
    for other in ({"data": "/others"}, {"engine": "refine"}, {"grey": True}, {"group_by": "patient"}, {"labels": {"1": "a"}}):
        assert replace(FORM, **other).look() != asked  # type: ignore[arg-type]
    assert replace(FORM, labels={"1": "a"}).look() == replace(FORM, labels={"1": "b"}).look()


def test_only_what_an_engine_heeds_is_ordered() -> None:
    full = replace(
        FORM, grey=True, labels={"1": "polyp", "2": " "}, volumes={"modality": "t1ce ", "masks": ""}, unlabeled="/more"
    )
    orders = {name: replace(full, engine=name).request() for name in ("synthesize", "refine", "tumor", "nuclei")}
    assert {name: order.grey for name, order in orders.items()} == dict.fromkeys(orders, False) | {
        "synthesize": True,
        "refine": True,
    }
    assert orders["synthesize"].labels == {"1": "polyp"}, "a value without a name is not named"
    assert orders["nuclei"].labels == {}
    assert {name for name, order in orders.items() if order.volumes} == {"tumor"}
    assert orders["tumor"].volumes == {"modality": "t1ce"}
    assert {name for name, order in orders.items() if order.unlabeled} == {"synthesize"}
    assert orders["refine"].license == "not stated"


def test_a_judge_is_ordered_unless_it_is_left_out() -> None:
    assert FORM.request().judge
    assert not replace(FORM, judge=False).request().judge


def test_a_form_survives_being_remembered() -> None:
    form = replace(FORM, labels={"1": "polyp"}).without((stop("a"),))
    assert from_json(TrainingForm, to_json(form)) == form


def test_label_values_are_in_the_order_of_numbers_without_the_ground() -> None:
    assert foreground(SOUND) == ("2", "10")
    assert foreground(replace(SOUND, facts=replace(FACTS, labels={"0": 0.9, "255": 0.1}))) == ("1",), "white means 1"
    assert label_shares(FACTS.labels) == "0: 90 %, 2: 0.5 %, 10: 10 %"


def test_facts_leave_out_what_there_is_none_of() -> None:
    assert "Spacing" not in fact_lines(FACTS)
    assert fact_lines(FACTS)["Size"] == "4×4"


def test_a_state_is_said_in_words() -> None:
    running = replace(INFO, step=1340, steps=20_000, seconds_left=7500.0)
    assert state_line(running).replace("\N{NARROW NO-BREAK SPACE}", ",") == "step 1,340 of 20,000, 2 h 5 min left"
    assert state_line(INFO) == "reads the cases"
    assert state_line(replace(INFO, state=TrainingState.QUEUED)) == "waits for its turn"
    assert show_time(59) == "59 s"


def test_curves_hold_every_term_and_nothing_that_a_logarithm_has_no_place_for() -> None:
    lines = (
        TrainingLine(1, {"noise": 1.0}),
        TrainingLine(2, {"noise": 0.0, "cross_entropy": 3.0}, 0.5),
        TrainingLine(3, {}, float("nan")),
    )
    assert curves(lines) == {VALIDATION: ((2, 0.5),), "noise": ((1, 1.0),), "cross entropy": ((2, 3.0),)}


def test_options_of_the_command_line_are_fields_of_the_form() -> None:
    said = in_a_form("Name patients in a table, with --metadata and --group-by, or exclude the cases.")
    assert said == 'Name patients in a table, with "Table" and "Group by", or exclude the cases.'
