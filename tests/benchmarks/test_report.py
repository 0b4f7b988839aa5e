"""What a benchmark prints and writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.report import Figure, figure_rows, print_table, write_json
from benchmarks.speed import in_turns


def test_a_figure_says_whether_it_meets_its_bar() -> None:
    assert [Figure("x", value, "ms", 10.0).verdict for value in (9.9, 10.0, 10.1)] == ["met", "met", "missed"]
    assert Figure("x", 1.0, "ms").verdict == ""


def test_the_table_shows_the_bar_beside_the_value(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(figure_rows([Figure("empty call", 1.234, "ms", 3.0), Figure("ratio", 0.5, "")]))
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split("|")[1:5] == [" empty call ", " 1.23 ms ", " ≤ 3 ms ", " met "]
    assert len({len(line) for line in lines}) == 1


def test_the_json_says_what_was_measured_and_where(tmp_path: Path) -> None:
    path = write_json(tmp_path / "new", "speed", {"repeats": 3}, [Figure("empty call", 1.0, "ms", 3.0)])
    written = json.loads(path.read_text("utf-8"))
    assert written["settings"] == {"repeats": 3}
    assert written["rows"][0]["name"] == "empty call"
    assert {"cores", "torch", "load", "gpu"} <= set(written["machine"])
    assert list(path.parent.iterdir()) == [path]


def test_calls_that_are_compared_take_turns() -> None:
    order: list[str] = []
    in_turns(lambda seed: order.append(f"a{seed}"), lambda seed: order.append(f"b{seed}"), repeats=2)
    assert order == ["a0", "b0", "a1", "b1", "a2", "b2"]
