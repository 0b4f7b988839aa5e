"""`msynth nuclei` and `msynth tumor` in a batch: what may be a copy is kept out, until somebody says otherwise."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import pytest
from PIL import Image

from medsynth_core import cli, cli_nuclei, cli_tumor
from medsynth_core.cli_batch import State
from medsynth_core.cli_checked import before
from medsynth_core.cli_journal import Journal
from medsynth_core.cli_nuclei_manifest import Record
from medsynth_core.copy_rule import ALLOWED, KEPT_OUT, UNLIKE, CopyRule
from medsynth_core.protocol import JobRequest, Thresholds
from medsynth_core.quality import Badge
from tests.scripted_tumor import Script, ScriptedGrower
from tests.test_cli_nuclei import CARD, ScriptedEngine

GOOD, COPY = (Badge.of(Thresholds(likeness=0.8), None, None, likeness) for likeness in (0.2, 0.95))
BADGES = {0: GOOD, 1: COPY, 2: GOOD}
"""By seed; those from 3 on have none."""
NOT_SAVED = "1 not saved: they may be copies of training images; --allow-copies saves them, and says so"


@dataclass(frozen=True)
class Command:
    """A command on its script: the names of its results by number, all their files, its manifest, what it has ordered."""

    word: str
    submitted: list[JobRequest]
    name: Callable[[int], str]
    files: tuple[str, ...]
    manifest: str
    key: str

    def run(self, *words: object) -> int:
        """Run it into the folder `out`."""
        return cli.main([self.word, "-o", "out", *map(str, words)])

    def seeds(self) -> list[int]:
        """The seeds it has ordered since this was asked last."""
        seeds = [request.seed for request in self.submitted]
        self.submitted.clear()
        return seeds

    def there(self, number: int) -> list[bool]:
        """Whether each file of a result is there."""
        return [Path("out", place.format(number)).exists() for place in self.files]

    def told(self) -> dict[str, Any]:
        """The manifest."""
        return dict(json.loads(Path("out", self.manifest).read_text()))

    def checks(self) -> list[str]:
        """What the manifest says of those that are saved."""
        return [record["copy_check"] for record in self.told()[self.key]]

    def recipe(self, number: int) -> dict[str, Any]:
        """The recipe in the image of a result."""
        return read_recipe(Path("out", self.files[0].format(number)))


def read_recipe(path: Path) -> dict[str, Any]:
    if path.suffix == ".gz":
        return dict(json.loads(nibabel.load(path).header.extensions[0].text))
    with Image.open(path) as opened:
        return dict(json.loads(opened.text["medsynth"]))  # type: ignore[attr-defined]


def nuclei(patch: pytest.MonkeyPatch) -> Command:
    engine = ScriptedEngine(badges=BADGES)
    patch.setattr(cli_nuclei, "connect", lambda **_: contextlib.nullcontext(engine))
    patch.setattr(cli_nuclei, "find_card", lambda *_: CARD)
    files = ("images/{:05d}.png", "instances/{:05d}.tif", "structures/{:05d}.npy")
    return Command("nuclei", engine.requests, "{:05d}".format, files, "manifest.json", "pairs")


def tumor(patch: pytest.MonkeyPatch) -> Command:
    script = Script(badges=BADGES)
    patch.setattr(cli_tumor, "connect", lambda **_: ScriptedGrower(script))
    files = ("image-{:03d}.nii.gz", "mask-{:03d}.nii.gz")
    return Command("tumor", script.submitted, files[0].format, files, "request.json", "volumes")


@pytest.fixture(params=[nuclei, tumor], ids=lambda made: made.__name__)
def command(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.chdir(tmp_path)
    made: Command = request.param(monkeypatch)
    return made


def test_a_batch_keeps_out_what_may_be_a_copy_and_says_so(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run("--count", 3) == 1
    printed = capsys.readouterr()
    assert all(command.there(0) + command.there(2))
    assert not any(command.there(1))
    assert NOT_SAVED in printed.err.splitlines()
    assert "quality: 2 good, 1 may be copies" in printed.err.splitlines()
    assert f"{command.name(1)}: quality: may be a copy" in printed.err
    assert command.files[0].format(0) in printed.out
    assert command.files[0].format(1) not in printed.out
    told = command.told()
    assert told["copies"] == {"checked": 3, "flagged": [command.name(1)], "kept_out": [command.name(1)], "override": ""}
    assert command.checks() == [UNLIKE, UNLIKE]
    assert [(one["seed"], one["copy_check"]) for one in told["left_out"]] == [(1, KEPT_OUT)]
    assert command.recipe(0)["copy_check"] == UNLIKE


def test_a_second_run_neither_saves_it_nor_makes_it_again(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    command.run("--count", 3)
    first = command.told()
    command.seeds()
    capsys.readouterr()
    assert command.run("--count", 3) == 1
    printed = capsys.readouterr()
    assert command.seeds() == []
    assert printed.out == ""
    assert NOT_SAVED in printed.err.splitlines()
    assert command.told() == first
    command.run("--count", 5)
    assert command.seeds() == [3, 4]
    assert command.checks() == [UNLIKE, UNLIKE, "", ""], "of the last two nobody knows"
    assert command.told()["copies"] == first["copies"]


def test_the_override_saves_what_was_kept_out_and_that_alone(command: Command) -> None:
    command.run("--count", 3)
    command.seeds()
    assert command.run("--count", 3, "--allow-copies") == 0
    assert command.seeds() == ([1] if command.word == "nuclei" else []), "the job of a volume is found again"
    assert all(command.there(1))
    assert command.recipe(1)["copy_check"] == ALLOWED
    assert command.checks() == [UNLIKE, ALLOWED, UNLIKE]
    assert command.told()["copies"]["override"] == "--allow-copies"
    assert command.told()["left_out"] == []
    assert command.run("--count", 3, "--allow-copies") == 0
    assert command.seeds() == []


def test_a_permission_taken_back_takes_the_copies_out_again(command: Command) -> None:
    assert command.run("--count", 3, "--allow-copies") == 0
    assert all(command.there(1))
    assert command.run("--count", 3) == 1
    assert not any(command.there(1))
    assert all(command.there(0) + command.there(2))
    assert command.told()["copies"]["kept_out"] == [command.name(1)]


def test_a_copy_that_was_changed_by_hand_is_not_taken_out(command: Command) -> None:
    command.run("--count", 2, "--allow-copies")
    mine = Path("out", command.files[1].format(1))
    mine.write_bytes(b"mine")
    assert command.run("--count", 2) == 1
    assert mine.read_bytes() == b"mine"


@pytest.mark.parametrize("words", [(), ("--count", 1)])
def test_a_single_result_is_saved_whatever_its_badge_and_told(
    command: Command, words: tuple[object, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.run("--seed", 1, *words) == 0
    printed = capsys.readouterr()
    assert "may be a copy" in printed.err
    assert "not saved" not in printed.err
    (record,) = command.told()[command.key]
    assert record["quality"]["grade"] == "may be a copy"
    assert "copy_check" not in read_recipe(Path("out", record["image"]))


def test_without_a_badge_nothing_is_kept_out_and_nothing_said(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run("--seed", 10, "--count", 2) == 0
    assert "copies" not in capsys.readouterr().err
    assert "copy_check" not in command.recipe(10 if command.word == "nuclei" else 0)
    assert command.told()["copies"]["checked"] == 0


def test_a_folder_of_an_older_version_is_gone_on_with_and_its_copies_are_taken_out(command: Command) -> None:
    command.run("--count", 3, "--allow-copies")
    told = command.told()
    older = [{name: value for name, value in record.items() if name != "copy_check"} for record in told[command.key]]
    kept = {name: value for name, value in told.items() if name not in ("copies", "left_out")}
    Path("out", command.manifest).write_text(json.dumps(kept | {command.key: older}))
    command.seeds()
    assert command.run("--count", 3) == 1
    assert command.seeds() == ([1] if command.word == "nuclei" else [])
    assert not any(command.there(1))
    assert all(command.there(0) + command.there(2))


def test_one_that_somebody_looked_at_leaves_the_batch_that_it_comes_to_lie_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = nuclei(monkeypatch)  # a single volume has a name of its own
    assert command.run("--seed", 1) == 0
    assert command.run("--count", 3) == 1
    assert not any(command.there(1))
    assert command.run("--seed", 1) == 0
    assert all(command.there(1))


def test_the_files_of_another_layout_say_so_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command = nuclei(monkeypatch)
    command.run("--count", 2, "--allow-copies", "--layout", "nnunet")
    found = [read_recipe(path)["copy_check"] for path in sorted(Path("out/nnunet").rglob("labelsTr/*.png"))]
    assert found == [UNLIKE, ALLOWED]


@pytest.mark.parametrize("how", ["dicom", "omezarr"])
def test_a_volume_that_is_a_folder_is_taken_out_whole(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command = tumor(monkeypatch)
    assert command.run("--count", 2, "--format", how, "--allow-copies") == 0
    assert len(list(Path("out").glob("*-001*"))) == 2
    assert command.run("--count", 2, "--format", how) == 1
    assert not list(Path("out").glob("*-001*"))
    assert len(list(Path("out").glob("*-000*"))) == 2


def test_one_that_was_being_saved_when_the_machine_stopped_does_not_count_as_kept_out(tmp_path: Path) -> None:
    journal, file = Journal(tmp_path), tmp_path / "a.png"
    record = Record("a", "", "", "", 0, {}, 0, 0.0, 0.0, (), COPY.record(), KEPT_OUT)
    journal.finish("a", "request", (), 0.0, kept=KEPT_OUT)
    assert before(journal, CopyRule(), "a", "request", [file], record) is State.LEFT_OUT
    assert before(journal, CopyRule(), "a", "another request", [file], record) is None
    journal.begin("a", [file], "request")
    assert before(journal, CopyRule(), "a", "request", [file], record) is None
