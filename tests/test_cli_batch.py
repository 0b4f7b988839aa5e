"""`msynth refine` of many images: what is paired, what goes on when one fails, what a second run leaves alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medsynth_core import cli_refine, formats
from medsynth_core.cli_journal import NAME
from medsynth_core.cli_progress import duration, how_far
from medsynth_core.client import connect
from medsynth_core.errors import InputError, ServiceUnavailableError
from medsynth_core.file_pairs import search
from medsynth_core.formats import limits
from medsynth_core.launcher import clean_environment
from medsynth_core.volume import Volume
from tests.engines.refine.conftest import write_refiner
from tests.formats.dicom_files import series
from tests.running import RunningService, wait_for
from tests.scripted_refine import Script, ScriptedRefiner
from tests.test_cli_refine import complaint, run, save, save_volume, square

SIZE = (40, 44)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    made = Script()
    monkeypatch.setattr(cli_refine, "connect", lambda **_: ScriptedRefiner(made))
    return made


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with images/ and masks/ of a, b and c, in which the command is run."""
    monkeypatch.chdir(tmp_path)
    for i, name in enumerate("abc"):
        put(f"images/{name}.png", shade(10 + i))
        put(f"masks/{name}.png", square(255))
    return tmp_path


def shade(value: int) -> np.ndarray:
    return np.full((*SIZE, 3), value, np.uint8)


def put(place: str, pixels: np.ndarray) -> Path:
    path = Path(place)
    path.parent.mkdir(parents=True, exist_ok=True)
    return save(path, pixels)


def refine(*words: object) -> int:
    return run("refine", "images", "masks", "-o", "out", *words)


def made(folder: str = "out") -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in Path(folder).rglob("*") if p.is_file() and p.name != NAME)


def seen(script: Script) -> list[int]:
    """The shades of the images that were computed, and forget them."""
    shades = sorted(int(given["image"].array.flat[0]) for given in script.given)
    script.given.clear()
    return shades


def test_every_image_of_a_folder_gets_its_mask(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    assert refine() == 0
    assert made() == ["a.png", "b.png", "c.png"]
    printed = capsys.readouterr()
    assert sorted(printed.out.split()) == [str(Path("out") / f"{name}.png") for name in "abc"]
    assert re.fullmatch(r"3 done; \d+ s\n", printed.err)


def test_two_cases_are_in_flight_and_no_more(script: Script) -> None:
    script.job_seconds = 0.2
    assert refine() == 0
    assert script.most_running == 2


def test_a_bad_file_does_not_stop_the_rest(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    Path("images/b.png").write_bytes(b"no picture")
    script.fails = {12: "refused"}
    assert refine() == 1
    assert made() == ["a.png"]
    told = capsys.readouterr().err
    assert "1 done; 2 failed" in told
    assert re.search(r"  b: b\.png is of an unknown kind", told)
    assert "  c: the script failed: try again" in told


def test_masks_that_cannot_be_refined_fail_alone(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    put("masks/a.png", square(0))
    put("masks/b.png", square()[:-3])
    save_volume(Path("masks/c.tif"), (square().astype(np.float32) - 2)[None, None])
    Path("masks/c.png").unlink()
    put("images/d.png", shade(9))
    put("masks/d.png", square(255))
    assert refine() == 1
    told = capsys.readouterr().err
    for words in ("a: a.png is empty", r"b: mask is \(1, 37, 44\), image \(1, 40, 44\)", r"c: c.tif holds the value -2"):
        assert re.search(words, told), told
    assert made() == ["d.png"]


def test_what_breaks_inside_fails_alone(
    script: Script, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    read = formats.read_pair

    def breaks(image: Path, *given: Any) -> Any:
        if image.name == "b.png":
            raise MemoryError("too large")
        return read(image, *given)

    monkeypatch.setattr(formats, "read_pair", breaks)
    assert refine() == 1
    assert made() == ["a.png", "c.png"]
    assert "b: something of ours broke (MemoryError: too large)" in capsys.readouterr().err


# a second run


def test_a_second_run_skips_what_is_done(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    refine()
    assert seen(script) == [10, 11, 12]
    before = {name: (Path("out") / name).stat().st_mtime_ns for name in made()}
    capsys.readouterr()
    assert refine() == 0
    assert seen(script) == []
    printed = capsys.readouterr()
    assert not printed.out
    assert "0 done; 3 skipped, made before from the same files" in printed.err
    assert {name: (Path("out") / name).stat().st_mtime_ns for name in made()} == before


def change_image() -> None:
    put("images/b.png", shade(99))


def change_mask() -> None:
    put("masks/b.png", square(7))


def lose_result() -> None:
    Path("out/b.png").unlink()


@pytest.mark.parametrize("change", [change_image, change_mask, lose_result])
def test_a_changed_case_alone_is_made_again(script: Script, change: Callable[[], None]) -> None:
    refine()
    seen(script)
    change()
    assert refine() == 0
    assert len(seen(script)) == 1
    assert refine() == 0
    assert seen(script) == []


@pytest.mark.parametrize("words", [("--steps", 1), ("--seed", 3), ("--model", "other"), ("--locked", "masks"), ("--again",)])
def test_other_terms_make_all_again(script: Script, words: tuple[object, ...]) -> None:
    refine()
    seen(script)
    assert refine(*words) == 0
    assert len(seen(script)) == 3


def test_a_default_that_is_spelled_out_changes_nothing(script: Script) -> None:
    refine()
    seen(script)
    assert refine("--steps", 6) == 0
    assert seen(script) == []


def test_uncertainty_wanted_later_is_made_later(script: Script) -> None:
    refine()
    seen(script)
    assert refine("--uncertainty", "unsure") == 0
    assert len(seen(script)) == 3
    assert made("unsure") == ["a.png", "b.png", "c.png"]
    assert refine() == 0
    assert seen(script) == []


def test_a_result_that_was_corrected_by_hand_is_never_overwritten(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    refine()
    put("out/b.png", square(9))
    corrected = Path("out/b.png").read_bytes()
    assert refine("--steps", 2) == 1
    assert Path("out/b.png").read_bytes() == corrected
    assert "b.png is there already and not as this command made it: move it away, or add --again" in capsys.readouterr().err
    assert refine("--steps", 2, "--again") == 0
    assert Path("out/b.png").read_bytes() != corrected


def test_somebody_elses_file_is_never_overwritten(script: Script) -> None:
    put("out/b.png", square(9))
    assert refine() == 1
    assert made() == ["a.png", "b.png", "c.png"]
    np.testing.assert_array_equal(np.asarray(Image.open("out/b.png")), square(9))


def test_a_result_half_noted_when_the_machine_stopped_is_made_again(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mask was saved, and the power went before the journal said so."""
    with monkeypatch.context() as patch:
        patch.setattr("medsynth_core.cli_journal.Journal.finish", lambda *_: None)
        refine()
    assert made() == ["a.png", "b.png", "c.png"]
    seen(script)
    assert refine() == 0
    assert len(seen(script)) == 3


def test_a_damaged_journal_is_told_and_again_starts_over(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    refine()
    capsys.readouterr()
    for content in ("{", "[]", '{"version": 1}', '{"version": 9, "results": {}}', '{"version": 1, "results": {"a": 5}}'):
        (Path("out") / NAME).write_text(content)
        complaint(capsys, refine(), 2, "add --again to start over")
    assert refine("--again") == 0
    assert json.loads((Path("out") / NAME).read_text())["results"].keys() == set("abc")


def test_results_may_be_moved_with_their_journal(script: Script) -> None:
    refine()
    seen(script)
    Path("out").rename("elsewhere")
    assert run("refine", "images", "masks", "-o", "elsewhere") == 0
    assert seen(script) == []


# what is paired


def test_what_has_no_partner_is_told(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    Path("masks/b.png").unlink()
    put("masks/z.png", square())
    Path("images/notes.txt").write_text("words")
    assert refine() == 1
    told = capsys.readouterr().err
    assert "1 left out, as no image: notes.txt" in told
    assert "1 mask without an image: z.png" in told
    assert "b: no mask has this name" in told
    assert made() == ["a.png", "c.png"]


def test_the_same_name_twice_is_refused_for_that_name(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(shade(50)).save("images/a.jpg")
    save_volume(Path("masks/b.tif"), square()[None, None])
    assert refine() == 1
    told = capsys.readouterr().err
    assert "a: a.jpg and a.png would give results of the same name: rename one" in told
    assert "b: b.png and b.tif could both be its mask: rename one" in told
    assert made() == ["c.png"]


def test_without_masks_the_coarse_network_draws_them(script: Script) -> None:
    assert run("refine", "images", "-o", "out", "--coarse", "polyp-coarse") == 0
    assert made() == ["a.png", "b.png", "c.png"]
    assert all(list(given) == ["image"] for given in script.given)


@pytest.mark.parametrize(
    ("images", "masks", "status", "expected"),
    [
        ("images/[ab].png", "masks", 0, ["a.png", "b.png"]),
        ("images/?.png", "masks/*.png", 0, ["a.png", "b.png", "c.png"]),
        ("images/[!a].png", "masks/*", 0, ["b.png", "c.png"]),
        ("p/*_0000.png", "masks", 0, ["a.png", "b.png"]),
        ("p/*_0000.png", "masks/*.png", 0, ["a.png", "b.png"]),
        ("deep/*/flair.png", "deep/*/seg.png", 0, ["one/seg.png", "two/seg.png"]),
        ("deep/**/flair.png", "deep/**/seg.png", 0, ["one/seg.png", "two/seg.png"]),
        ("deep/t*/flair.png", "deep/*/seg.png", 0, ["two/seg.png"]),
        ("deep/*/flair.png", "deep/t*/seg.png", 1, ["two/seg.png"]),
        ("deep/*/*.png", "masks/[o]*.png", 2, []),
        ("deep", "masks", 2, []),
        ("p", "masks", 2, []),
    ],
)
def test_patterns_pair_by_names_or_by_what_the_stars_stand_for(
    script: Script, capsys: pytest.CaptureFixture[str], images: str, masks: str, status: int, expected: list[str]
) -> None:
    for name in "ab":
        put(f"p/{name}_0000.png", shade(5))
    for name in ("one", "two"):
        put(f"deep/{name}/flair.png", shade(6))
        put(f"deep/{name}/seg.png", square())
    assert run("refine", images, masks, "-o", "out") == status, capsys.readouterr().err
    assert made() == expected


def test_the_results_are_not_taken_for_inputs(script: Script) -> None:
    put("all/x_image.png", shade(5))
    put("all/x_mask.png", square())
    for _ in range(2):
        assert run("refine", "all/**/*_image.png", "all/**/*_mask.png", "-o", "all/out", "--again") == 0
        assert len(seen(script)) == 1


def test_folders_of_series_give_segmentations_on_the_same_slices(script: Script) -> None:
    for folder in ("images", "masks"):
        shutil.rmtree(folder)
        Path(folder).mkdir()
    labels = np.zeros((1, 3, 6, 5), np.uint8)
    labels[0, 1, 2:4, 2], labels[0, 2, 3, 3] = 1, 2
    for name in ("one", "two"):
        series(Path("images", name), 3)
        save_volume(Path(f"{name}.nii.gz"), labels, formats.read(Path("images", name)).affine)
        assert run("refine", f"images/{name}", f"{name}.nii.gz", "-o", f"masks/{name}.dcm") == 0
    seen(script)
    for expected in (2, 0):  # made, then left alone, and on the page both times
        assert refine("--uncertainty", "unsure", "--report", "page.html") == 0
        assert len(seen(script)) == expected
        assert "2 cases" in Path("page.html").read_text("utf-8")
    assert made() == ["one.dcm", "two.dcm"]
    assert made("unsure") == ["one.nii.gz", "two.nii.gz"]
    after = formats.read_pair(Path("images/one"), Path("out/one.dcm"))[1]
    assert [set(np.unique(plane)) for plane in after.array[0]] == [{0}, {0, 1}, {0, 2}]
    assert after.array.astype(bool).sum() > 2 * labels.astype(bool).sum()


def test_links_in_a_circle_have_an_end(script: Script) -> None:
    for i in range(3):
        Path(f"images/loop{i}").symlink_to(Path("images").resolve(), target_is_directory=True)
    assert run("refine", "images/**/*.png", "masks/*.png", "-o", "out") == 0
    assert made() == ["a.png", "b.png", "c.png"]


def test_hidden_files_are_left_alone(tmp_path: Path) -> None:
    put("images/.hidden.png", shade(3))
    assert [found.stem for found in search("images/*.png", tmp_path / "out").found] == ["a", "b", "c"]


def test_names_may_hold_spaces_any_letters_and_brackets(script: Script) -> None:
    for folder in ("images", "masks"):
        Path(folder, "a.png").rename(Path(folder, "größe 大 [x] {y} $.png"))
    assert refine() == 0
    assert "größe 大 [x] {y} $.png" in made()
    assert refine() == 0
    assert len(seen(script)) == 3


def test_formats_may_be_mixed(script: Script) -> None:
    shutil.rmtree("images")
    shutil.rmtree("masks")
    put("images/flat.png", shade(4))
    Image.fromarray(shade(5)).save("images/photo.jpg")
    for place in ("masks/flat.png", "masks/photo.png"):
        put(place, square(255))
    save_volume(Path("images/scan.nii.gz"), np.ones((1, 2, *SIZE), np.int16))
    save_volume(Path("masks/scan.nii.gz"), np.stack([square(), square()])[None])
    formats.write(Path("images/zarr.ome.zarr"), Volume(np.ones((1, 1, *SIZE), np.uint8)), {})
    formats.write(Path("masks/zarr.ome.zarr"), Volume(square()[None, None]), {})
    Image.fromarray(square(255)).save("masks/blurred.jpg", quality=95)
    put("images/blurred.png", shade(7))
    assert refine("--uncertainty", "unsure") == 0
    files = {path.split("/")[0] for path in made()}
    assert files == {"flat.png", "photo.png", "scan.nii.gz", "zarr.ome.zarr", "blurred.png"}
    assert {path.split("/")[0] for path in made("unsure")} == files


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["images", "-o", "out"], "there is no MASK"),
        (["images", "masks", "-o", "images"], "images holds the inputs, which the results would replace"),
        (["images", "masks", "-o", "masks"], "masks holds the inputs"),
        (["images/*.png", "masks/*.png", "-o", "masks"], "masks holds the inputs"),
        (["images", "masks", "-o", "images/../masks/"], "holds the inputs"),
        (["images", "masks", "-o", "out", "--uncertainty", "out"], "give them two folders"),
        (["images", "masks", "-o", "out", "--uncertainty", "images"], "images holds the inputs"),
        (["images", "masks", "-o", "none/out"], "folder none does not exist"),
        (["images", "masks", "-o", "file"], "file is a file, and the images are many"),
        (["images", "masks/a.png", "-o", "out"], "mask is masks/a.png, one file or none"),
        (["images", "masks", "-o", "out", "--locked", "masks/a.png"], "locked is masks/a.png, one file or none"),
        (["images/*.tif", "masks", "-o", "out"], r"images/\*\.tif matches nothing"),
        (["none/*.png", "masks", "-o", "out"], "matches nothing: the folder none does not exist"),
        (["empty", "masks", "-o", "out"], "empty holds no image"),
        (["images", "empty", "-o", "out"], "empty holds no image"),
        (["images", "others", "-o", "out"], "no image of images has its mask: .*a.png and z.png"),
        (["images/[z-a].png", "masks", "-o", "out"], "is not a pattern"),
        (["images", "-o", "out", "--coarse", "refiner"], "coarse is 'refiner'"),
    ],
)
def test_wrong_words_get_one_sentence_and_no_job(
    script: Script, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    Path("file").write_text("x")
    Path("empty").mkdir()
    put("others/z.png", square())
    before = {path: path.read_bytes() for path in Path().rglob("*.png")}
    complaint(capsys, run("refine", *words), 2, sentence)
    assert not script.submitted
    assert not Path("out").exists()
    assert {path: path.read_bytes() for path in Path().rglob("*.png")} == before


# the end of a run


def test_a_service_that_is_away_ends_the_run_at_once(
    script: Script, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def away(*_: object, **__: object) -> None:
        raise ServiceUnavailableError("the service is away")

    for i in range(8):
        put(f"images/m{i}.png", shade(30 + i))
        put(f"masks/m{i}.png", square(255))
    monkeypatch.setattr(ScriptedRefiner, "submit", away)
    assert refine() == 1
    told = capsys.readouterr().err
    counts = re.search(r"(\d+) failed; (\d+) not started", told)
    assert counts
    assert int(counts[1]) <= 3
    assert int(counts[1]) + int(counts[2]) == 11


def test_a_full_disk_ends_the_run_and_leaves_no_torn_file(
    script: Script, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(limits.os, "fsync", full)
    assert refine() == 1
    assert "the disk is full" in capsys.readouterr().err
    assert made() == []


def test_progress_counts_the_cases_and_tells_the_time_left(
    script: Script, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script.job_seconds, script.fails = 0.5, {10: "refused"}
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert refine() == 1
    assert re.search(r"\d of 3, \d+ s left", capsys.readouterr().err)


def test_the_report_tells_every_case_also_those_of_an_earlier_run(script: Script) -> None:
    refine("--uncertainty", "unsure")
    put("images/d.png", shade(60))
    put("masks/d.png", square(255))
    put("images/e.png", shade(61))
    assert refine("--uncertainty", "unsure", "--report", "page.html") == 1
    page = Path("page.html").read_text("utf-8")
    for words in ("4 cases, 1 not shown", "<b>e</b>: no mask has this name", "Made in an earlier run.", "Uncertainty of a"):
        assert words in page, words


def test_a_result_that_cannot_be_shown_is_on_the_page_with_the_reason(script: Script) -> None:
    refine()
    Path("out/b.png").write_bytes(b"spoiled")
    assert refine("--report", "page.html") == 0
    page = Path("page.html").read_text("utf-8")
    assert "2 cases, 1 not shown" in page
    assert "made, but it cannot be shown: b.png is of an unknown kind" in page


def test_kept_labels_are_told_with_the_name_of_the_case(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    script.kept = {"z 0": "label 1"}
    assert refine() == 0
    assert "b: kept as it was, as the result would have left its input: label 1 at z 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "0 s"), (12, "12 s"), (99, "99 s"), (119, "2 min"), (1500, "25 min"), (9600, "2 h 40 min"), (1e6, "277 h 47 min")],
)
def test_times_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words
    assert how_far(3, 20, seconds) == f"3 of 20, {words} left"
    assert how_far(3, 20, None) == "3 of 20"


@pytest.mark.parametrize("output", ["closed", "closed/out"])
def test_a_folder_that_cannot_be_written_to(
    script: Script, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    Path("closed").mkdir()
    # asked of the system, not tried: root may write anywhere
    monkeypatch.setattr("medsynth_core.cli_plan.os.access", lambda path, _: Path(path).name != "closed")
    complaint(capsys, run("refine", "images", "masks", "-o", output), 2, "cannot be written to")


def test_nothing_found_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="quote the pattern"):
        search("images/*.dcm", tmp_path / "out")


# for real, with random weights


def environment(service: RunningService) -> dict[str, str]:
    folder = service.home / "models" / "toy-refiner"
    folder.mkdir(parents=True)
    write_refiner(folder)
    with connect(home=service.home, start=False) as engine:
        engine.refresh_models()
    return {**clean_environment(os.environ), "MEDSYNTH_HOME": str(service.home)}


COMMAND = [sys.executable, "-m", "medsynth_core.cli", "refine", "images", "masks", "-o", "out", "--model", "toy-refiner"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_real_run_that_was_interrupted_goes_on_where_it_stopped(service: RunningService) -> None:
    env = environment(service)
    for i in range(9):
        put(f"images/m{i:02d}.png", np.random.default_rng(i).integers(0, 255, (*SIZE, 3), dtype=np.uint8))
        put(f"masks/m{i:02d}.png", square(255))
    process = subprocess.Popen([*COMMAND, "--steps", "30"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    process.stdout.readline()
    asked = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert time.monotonic() - asked < 15
    assert process.returncode == 130
    assert told.endswith("msynth: interrupted\n")
    assert "Traceback" not in told
    assert not list(Path("out").glob(".*.partial"))
    whole = len(made())
    assert 1 <= whole < 12
    wait_for(lambda: service.status()["queued"] + service.status()["running"] == 0, 20)
    again = subprocess.run([*COMMAND, "--steps", "30"], env=env, capture_output=True, text=True, timeout=100)
    assert again.returncode == 0, again.stderr
    assert len(made()) == 12
    skipped = re.search(r"(\d+) done; (\d+) skipped", again.stderr)
    assert skipped
    assert int(skipped[2]) >= whole - 2
