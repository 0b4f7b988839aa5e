"""The README says only what holds: its Python runs, its commands are understood, its models and targets exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medsynth_core import cli, launcher
from medsynth_core.engines._base import Engine, Slice, Task
from medsynth_core.models import registry
from medsynth_core.volume import Volume

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands(program: str) -> list[str]:
    lines = [line.split("#")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    quoted = re.findall(rf"`({program} [^`]+)`", README)
    return [line for line in [*lines, *quoted] if line.startswith(f"{program} ") and "--help" not in line]


@pytest.fixture(scope="module")
def starters() -> set[str]:
    return {folder.name for folder in registry.STARTER.iterdir() if (folder / "card.json").is_file()}


@pytest.fixture
def own_service(home: Path) -> Iterator[None]:
    """Whatever service the README's lines start is stopped afterwards."""
    yield
    launcher.stop(home, force=True)


@pytest.mark.usefixtures("own_service")
def test_the_python_lines_run_as_they_stand(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    for block in blocks("python")[:4]:
        exec(compile(block, "README.md", "exec", dont_inherit=True), names)
    assert names["image"].shape == (128, 128, 3)
    assert names["image"].dtype == np.uint8
    assert names["refined"].shape == names["unsure"].shape == names["rough"].shape
    assert set(np.unique(names["refined"])) == {0, 1}
    assert (names["tile"].shape, names["instances"].dtype) == ((256, 256, 3), np.uint16)
    assert names["recipe"]["seed"] == 8
    assert names["recipe"]["synthetic"] is True
    assert "4 of 4" in capsys.readouterr().out


def test_the_engine_shown_is_an_engine() -> None:
    names: dict[str, Any] = {"__name__": "readme"}
    exec(compile(blocks("python")[4], "README.md", "exec", dont_inherit=True), names)
    engine: Engine = names["ENGINE"]
    assert engine.describe().params[0].maximum == 255
    params, _ = engine.read_params({"brightness": 90})
    mask = Volume(np.eye(4, dtype=np.uint8)[None, None])
    slices = [event for event in engine.run(Task({"mask": mask}, params, seed=0)) if isinstance(event, Slice)]
    assert np.array_equal(slices[0].array[0], 90 * np.eye(4))


def test_every_msynth_command_is_understood() -> None:
    shown = commands("msynth")
    assert len(shown) > 5
    for line in shown:
        arguments = shlex.split(line)[1:]
        args, rest = cli.build_parser().parse_known_args(arguments)
        assert callable(args.run)
        assert not rest, line


def test_every_make_target_exists() -> None:
    targets = {line.split()[1] for line in commands("make")}
    assert {"demo", "test", "bench", "bench-quality"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", MAKEFILE, flags=re.MULTILINE), target


def test_every_model_that_ships_is_in_the_table_and_no_other(starters: set[str]) -> None:
    table = README.split("## Models that ship")[1].split("##")[0]
    assert set(re.findall(r"^\| `([^`]+)`", table, flags=re.MULTILINE)) == starters


def test_options_in_the_commands_are_those_of_the_cards(starters: set[str]) -> None:
    for line in (line for line in commands("msynth synthesize") if "--option" in line):
        words = shlex.split(line)
        card = next(info.card for info in registry.list_models() if info.id == words[words.index("--model") + 1])
        assert card is not None
        choices = {option.name: option.choices for option in card.options}
        for name, value in (words[i + 1].split("=") for i, word in enumerate(words) if word == "--option"):
            assert value in choices[name]


@pytest.mark.parametrize("section", [README.split("## Figures")[1].split("\n## ")[0], RESULTS])
def test_figures_name_the_command_that_repeats_them(section: str) -> None:
    tables = [
        table for table in re.findall(r"(?:^\|.*\n)+", section, flags=re.MULTILINE) if not table.startswith("| what | command")
    ]
    for table in tables:
        before = section[: section.index(table)].strip().splitlines()[-1]
        assert "make bench" in before or "<!-- study" in before, f"no command above the table {table.splitlines()[0]}"


def test_files_the_readme_names_exist() -> None:
    for path in [*re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README), "THIRD_PARTY.md", "constraints.txt"]:
        assert (ROOT / path).is_file(), path


def test_it_names_no_path_of_a_machine() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (*ROOT.glob("*.md"), ROOT / "Makefile", *ROOT.glob("scripts/*.sh"))]
    assert not [text for text in texts if re.search(r"/(home|root|work|Users)/", text)]
