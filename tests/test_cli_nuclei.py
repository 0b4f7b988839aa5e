"""`msynth nuclei` with a scripted engine: what is written, what a second run does, the layouts of other tools."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import loadmat

from medsynth_core import formats
from medsynth_core.cli_batch import State
from medsynth_core.cli_layouts import Layout, lay_out, run_lengths
from medsynth_core.cli_nuclei import add_nuclei_arguments, laid, nuclei_of
from medsynth_core.cli_nuclei_order import Order, declared_params, make_order
from medsynth_core.cli_nuclei_run import Maker
from medsynth_core.errors import InputError, JobError, ParameterError
from medsynth_core.protocol import EngineInfo, JobInfo, JobRequest, JobState, ModelCard
from medsynth_core.quality import KEY, Badge
from medsynth_core.volume import Volume

CARD = ModelCard("toy", "Toy", "nuclei", 3, (32, 32), (), "CC0", "none", sha256={"a": "b"})


class ScriptedJob:
    """A job that is done as soon as it is submitted."""

    def __init__(self, request: JobRequest, problem: Exception | None, badge: Badge | None) -> None:
        self.id, self._request, self._problem, self.cancelled = f"job {request.seed}", request, problem, False
        self._badge = {} if badge is None else {KEY: badge.record()}

    def result(self, name: str) -> Volume:
        if self._problem is not None:
            raise self._problem
        rng = np.random.default_rng(self._request.seed)
        field = np.zeros((1, 1, 32, 32), np.uint16)
        field[..., 2:9, 3:9], field[..., 2:9, 9:15], field[..., 20:28, 10:20] = 3, 7, 9
        made = {
            "image": rng.integers(0, 255, (3, 1, 32, 32), dtype=np.uint8),
            "instances": field,
            "structure": np.zeros((3, 1, 32, 32), np.float32),
        }
        return Volume(made[name])

    def info(self) -> JobInfo:
        recipe: dict[str, Any] = {
            "synthetic": True,
            "got_nuclei": 3,
            "got_density": 192.0,
            "got_size": 54.0,
            "flag_density": "beyond",
        }
        return JobInfo(self.id, JobState.DONE, self._request, 0.0, 1.0, 2.0, recipe=recipe | self._badge)

    def cancel(self) -> None:
        self.cancelled = True


class ScriptedEngine:
    """Takes every job; those of `failing` seeds fail, and those of `badges` have theirs."""

    def __init__(
        self, failing: tuple[int, ...] = (), problem: Exception | None = None, badges: dict[int, Badge] | None = None
    ) -> None:
        self.jobs: list[ScriptedJob] = []
        self.requests: list[JobRequest] = []
        self._failing, self._problem = failing, problem or JobError("it failed")
        self._badges = badges or {}

    def capabilities(self) -> ScriptedEngine:
        return self

    def engine(self, name: str) -> EngineInfo:
        return EngineInfo(name, "", params=declared_params())

    def submit(self, engine: str, model: str, seed: int, **given: Any) -> ScriptedJob:
        scalars = {name: value for name, value in given.items() if not isinstance(value, Volume)}
        names = {name: "" for name, value in given.items() if isinstance(value, Volume)}
        self.requests.append(JobRequest(engine, model, names, seed, scalars))
        problem = self._problem if seed in self._failing else None
        self.jobs.append(ScriptedJob(self.requests[-1], problem, self._badges.get(seed)))
        return self.jobs[-1]


def order(folder: Path, *words: str) -> Order:
    parser = argparse.ArgumentParser()
    add_nuclei_arguments(parser)
    return make_order(parser.parse_args(["-o", str(folder), *words]))


def make(folder: Path, *words: str, engine: ScriptedEngine | None = None, again: bool = False) -> list[Any]:
    return list(Maker(engine or ScriptedEngine(), order(folder, *words), CARD, again).run())  # type: ignore[arg-type]


def test_a_pair_is_an_image_instances_a_structure_and_a_line_in_the_manifest(tmp_path: Path) -> None:
    outcomes = make(tmp_path / "out", "--count", "3", "--seed", "5", "--density", "20", "--size", "300")
    assert [one.state for one in outcomes] == [State.DONE] * 3
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["synthetic"]
    assert manifest["model"]["license"] == "CC0"
    assert [pair["seed"] for pair in manifest["pairs"]] == [5, 6, 7]
    pair = manifest["pairs"][0]
    assert (pair["nuclei"], pair["asked"], pair["flags"]) == (3, {"density": 20.0, "size": 300.0}, ["beyond"])
    instances = formats.read_mask(tmp_path / "out" / pair["instances"]).array
    assert instances.dtype == np.uint16
    assert set(np.unique(instances)) == {0, 3, 7, 9}
    assert np.load(tmp_path / "out" / pair["structure"]).shape == (3, 32, 32)
    assert formats.read(tmp_path / "out" / pair["image"]).array.shape == (3, 1, 32, 32)


def test_a_second_run_makes_only_what_is_missing(tmp_path: Path) -> None:
    make(tmp_path / "out", "--count", "3")
    (tmp_path / "out" / "images" / "00001.png").unlink()
    engine = ScriptedEngine()
    states = [one.state for one in make(tmp_path / "out", "--count", "4", engine=engine)]
    assert sorted(states) == sorted([State.SKIPPED, State.DONE, State.SKIPPED, State.DONE])
    assert [request.seed for request in engine.requests] == [1, 3]
    assert len(json.loads((tmp_path / "out" / "manifest.json").read_text())["pairs"]) == 4


def test_what_a_killed_run_left_half_written_is_gone_after_the_next_and_nothing_else_is(tmp_path: Path) -> None:
    make(tmp_path / "out", "--count", "1")
    left, mine = tmp_path / "out" / "images" / f".{'0a' * 16}.partial", tmp_path / "out" / "images" / "mine.partial"
    left.write_bytes(b"half")
    mine.write_bytes(b"mine")
    make(tmp_path / "out", "--count", "2")
    assert not left.exists()
    assert mine.exists()


def test_other_wishes_make_all_anew_and_a_file_changed_by_hand_is_not_replaced(tmp_path: Path) -> None:
    make(tmp_path / "out", "--count", "2")
    (tmp_path / "out" / "structures" / "00000.npy").write_bytes(b"mine")
    first, second = make(tmp_path / "out", "--count", "2", "--density", "9")
    assert (first.state, second.state) == (State.FAILED, State.DONE)
    assert "not as this command made it" in str(first.problem)
    assert (tmp_path / "out" / "structures" / "00000.npy").read_bytes() == b"mine"


def test_a_pair_that_fails_stops_no_other_and_a_run_closed_early_cancels_its_jobs(tmp_path: Path) -> None:
    states = [one.state for one in make(tmp_path / "out", "--count", "3", engine=ScriptedEngine((1,)))]
    assert states == [State.DONE, State.FAILED, State.DONE]
    engine = ScriptedEngine()
    running = Maker(engine, order(tmp_path / "other", "--count", "9"), CARD, False).run()  # type: ignore[arg-type]
    next(running)
    running.close()
    assert [job.cancelled for job in engine.jobs] == [False, True]
    assert (tmp_path / "other" / "manifest.json").exists()


def test_stain_and_nuclei_are_handed_to_the_engine(tmp_path: Path) -> None:
    image, field = np.zeros((3, 1, 9, 9), np.uint8), np.ones((1, 1, 9, 9), np.uint16)
    formats.write(tmp_path / "stain.png", Volume(image), {})
    formats.write_mask(tmp_path / "some.tif", Volume(field), {})
    engine = ScriptedEngine()
    words = ("--stain", str(tmp_path / "stain.png"), "--mask", str(tmp_path / "some.tif"), "--given", "complete")
    make(tmp_path / "out", *words, engine=engine)
    assert set(engine.requests[0].inputs) == {"image", "mask"}
    assert engine.requests[0].params == {"given": "complete"}


@pytest.mark.parametrize(
    ("words", "problem", "kind"),
    [
        (("--count", "0"), "--count is 0", ParameterError),
        (("--given", "complete"), "hand some in with --mask", ParameterError),
        (("--density", "-1"), "density is -1", ParameterError),
    ],
)
def test_what_cannot_be_made_is_said_before_the_engine_is_asked(
    tmp_path: Path, words: tuple[str, ...], problem: str, kind: type[Exception]
) -> None:
    with pytest.raises(kind, match=problem):
        order(tmp_path / "out", *words)


def test_a_folder_that_is_a_file_and_a_strange_manifest_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        order(tmp_path / "file")
    there = order(tmp_path / "out")
    (tmp_path / "out" / "manifest.json").write_text("[]")
    with pytest.raises(InputError, match="not as this command wrote it"):
        Maker(ScriptedEngine(), there, CARD, False)  # type: ignore[arg-type]


def test_the_layouts_hold_the_same_nuclei(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    make(folder, "--count", "2")
    wish = order(folder, "--count", "2")
    pieces = wish.pieces
    for layout in Layout:
        lay_out(layout, folder, nuclei_of(CARD), laid(wish, CARD))
    field = formats.read_mask(pieces[0].instances).array[0, 0]
    np.testing.assert_array_equal(formats.read_mask(folder / "stardist" / "masks" / "00000.tif").array[0, 0], field)
    image = formats.read(pieces[0].image).array
    np.testing.assert_array_equal(formats.read(folder / "stardist" / "images" / "00000.tif").array, image)
    labels = loadmat(folder / "hovernet" / "Labels" / "00000.mat")
    np.testing.assert_array_equal(labels["inst_map"] > 0, field > 0)
    assert len(labels["inst_type"]) == len(labels["inst_centroid"]) == labels["inst_map"].max() == 3
    coco = json.loads((folder / "coco" / "annotations.json").read_text())
    assert len({a["id"] for a in coco["annotations"]}) == 6
    first = coco["annotations"][0]
    assert (first["bbox"], first["area"]) == ([3, 2, 6, 7], 42)
    np.testing.assert_array_equal(decoded(first["segmentation"]), field == 3)
    assert (folder / "coco" / coco["images"][1]["file_name"]).exists()


def decoded(mask: dict[str, Any]) -> np.ndarray:
    """Return the mask of run lengths, as pycocotools decodes them."""
    runs = np.repeat(np.arange(len(mask["counts"])) % 2, mask["counts"])
    return runs.reshape(mask["size"], order="F").astype(bool)


@pytest.mark.parametrize("filled", [(), (0,), (5,), (0, 1, 5)])
def test_run_lengths_begin_with_zeros(filled: tuple[int, ...]) -> None:
    mask = np.zeros((2, 3), bool)
    mask.ravel()[list(filled)] = True
    counts = run_lengths(mask)
    assert sum(counts) == 6
    np.testing.assert_array_equal(decoded({"counts": counts, "size": [2, 3]}), mask)
