"""`msynth dataset` with a scripted engine: what is written, what is left out, what a second run does, what is refused."""

from __future__ import annotations

import argparse
import json
import shlex
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medsynth_core import formats
from medsynth_core.cli_batch import State
from medsynth_core.cli_dataset import add_dataset_arguments, wish_of
from medsynth_core.cli_dataset_filter import Judge, Judges, PlainJudge, Verdict
from medsynth_core.cli_dataset_manifest import NOT_CHECKED
from medsynth_core.cli_dataset_order import Order, make_order
from medsynth_core.cli_dataset_run import Maker
from medsynth_core.cli_making import Progress
from medsynth_core.copy_rule import ALLOWED, KEPT_OUT, UNLIKE
from medsynth_core.errors import InputError, LabelError, MedSynthError, ModelError, ParameterError, ShapeError
from medsynth_core.protocol import Thresholds
from medsynth_core.quality import Badge
from medsynth_core.volume import Volume
from tests.scripted_dataset import ABLE, Factory, SeedJudge


def mask(side: int = 32, top: int = 8, left: int = 8, size: int = 10, value: int = 2) -> np.ndarray:
    labels = np.zeros((side, side), np.uint8)
    labels[top : top + size, left : left + size] = value
    return labels


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    folder = tmp_path / "masks"
    folder.mkdir()
    for name, labels in (("a", mask()), ("b", mask(top=14, size=6, value=5)), ("c", mask(48, 20, 20, 20))):
        Image.fromarray(labels).save(folder / f"{name}.png")
    return folder


def order(*words: str) -> Order:
    parser = argparse.ArgumentParser()
    add_dataset_arguments(parser)
    args, args.rest = parser.parse_known_args([str(word) for word in words])
    return make_order(wish_of(args), ABLE)


def make(wish: Order, engine: Factory | None = None, judge: Judge | None = None) -> list[Any]:
    told: list[Progress] = []
    maker = Maker(engine or Factory(), wish, judge or PlainJudge(), told.append)  # type: ignore[arg-type]
    outcomes = list(maker.run())
    maker.finish()
    assert len(told) == len(outcomes)
    return outcomes


def manifest(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "manifest.json").read_text()))


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_each_sample_is_an_image_its_mask_and_a_recipe(tmp_path: Path, masks: Path) -> None:
    out = tmp_path / "out"
    outcomes = make(order("toy", "--masks", masks, "--count", 9, "-o", out, "--seed", 40, "--steps", 3))
    assert [one.state for one in outcomes] == [State.DONE] * 9
    told = manifest(out)
    assert told["synthetic"]
    assert (told["model"]["id"], told["model"]["license"]) == ("toy", "CC0")
    assert [one["seed"] for one in told["samples"]] == list(range(40, 49))
    assert Counter(one["mask_recipe"]["source"] for one in told["samples"]) == {1: 3, 2: 3, 3: 3}
    assert any("lesion_of" in one["mask_recipe"] for one in told["samples"])
    first = told["samples"][0]
    assert (first["params"], first["noted"], first["flags"]) == ({"steps": 3}, {"got_area": 7}, ["beyond"])
    for one in told["samples"]:
        image, labels = (np.asarray(Image.open(out / one[part])) for part in ("image", "mask"))
        assert image.shape == (*labels.shape, 3)
        assert set(np.unique(labels)) <= {0, 2, 5}
        assert ((image.mean(axis=-1) > 100) == (labels > 0)).mean() > 0.99


def test_every_file_says_that_it_is_synthetic(tmp_path: Path, masks: Path) -> None:
    out = tmp_path / "out"
    make(
        order("toy", "--masks", masks, "--count", 1, "-o", out, "--layout", "stardist", "--layout", "coco", "--layout", "nnunet")
    )
    for path in out.rglob("*.png"):
        with Image.open(path) as opened:
            assert json.loads(opened.text["medsynth"])["synthetic"] is True, path  # type: ignore[attr-defined]
            assert "trainedAlgorithmicMedia" in opened.text["XML:com.adobe.xmp"]  # type: ignore[attr-defined]
    for path in out.rglob("*.tif"):
        with Image.open(path) as opened:
            assert json.loads(opened.tag_v2[270])["synthetic"] is True, path  # type: ignore[attr-defined]
    for place in ("coco/annotations.json", "nnunet/Dataset900_Toy/dataset.json"):
        assert '"synthetic": true' in (out / place).read_text()


def test_the_same_words_give_the_same_bytes_and_another_seed_others(tmp_path: Path, masks: Path) -> None:
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        make(order("toy", "--masks", masks, "--count", 4, "-o", tmp_path / out, "--seed", seed))
    first, second, other = (tree(tmp_path / out) for out in "abc")
    assert first == second
    assert first["masks/00000.png"] != other["masks/00000.png"]


def test_a_run_stopped_anywhere_and_gone_on_with_ends_the_same(tmp_path: Path, masks: Path) -> None:
    words = ("toy", "--masks", str(masks), "--count", "6")
    make(order(*words, "-o", tmp_path / "whole"), judge=SeedJudge(poor=(1, 4)))
    for made in range(1, 6):
        out = tmp_path / f"out{made}"
        running = Maker(Factory(), order(*words, "-o", out), SeedJudge(poor=(1, 4)), lambda far: None).run()  # type: ignore[arg-type]
        for _ in range(made):
            next(running)
        running.close()
        engine = Factory()
        states = Counter(one.state for one in make(order(*words, "-o", out), engine, SeedJudge(poor=(1, 4))))
        assert states[State.SKIPPED] + states[State.LEFT_OUT] >= made
        assert len(engine.jobs) < 8
        assert tree(out) == tree(tmp_path / "whole")


def test_what_is_left_out_is_made_up_for_and_on_record(tmp_path: Path, masks: Path) -> None:
    out = tmp_path / "out"
    outcomes = make(order("toy", "--masks", masks, "--count", 4, "-o", out), judge=SeedJudge(poor=(1,), copies=(2,)))
    assert [one.state for one in outcomes] == [State.DONE, State.LEFT_OUT, State.LEFT_OUT, *[State.DONE] * 3]
    told = manifest(out)
    assert [one["name"] for one in told["samples"]] == ["00000", "00003", "00004", "00005"]
    assert [(one["seed"], one["copy"]) for one in told["left_out"]] == [(1, False), (2, True)]
    assert "adherence below 0.5" in told["left_out"][0]["reason"]
    assert told["copies"] == {"checked": 5, "flagged": ["00002"], "kept_out": ["00002"], "override": ""}
    assert {one["copy_check"] for one in told["samples"]} == {UNLIKE}
    assert not list(out.glob("*/00001.*")) + list(out.glob("*/00002.*"))


def test_copies_leave_only_when_somebody_says_so_and_their_files_tell(tmp_path: Path, masks: Path) -> None:
    out = tmp_path / "out"
    words = ("toy", "--masks", str(masks), "--count", "3", "-o", str(out))
    make(order(*words), judge=SeedJudge(copies=(1,)))
    assert manifest(out)["left_out"][0]["reason"] == KEPT_OUT
    engine = Factory()
    make(order(*words, "--allow-copies"), engine, SeedJudge(copies=(1,)))
    assert [job.request.seed for job in engine.jobs] == [1]
    told = manifest(out)
    assert told["copies"]["override"] == "--allow-copies"
    assert [one["copy_check"] for one in told["samples"]][:2] == [UNLIKE, ALLOWED]
    with Image.open(out / "images" / "00001.png") as opened:
        assert json.loads(opened.text["medsynth"])["copy_check"] == ALLOWED  # type: ignore[attr-defined]


def badge(likeness: float) -> Badge:
    return Badge.of(Thresholds(likeness=0.8), None, None, likeness)


def test_what_the_badge_calls_a_possible_copy_is_kept_out_unless_overridden(tmp_path: Path, masks: Path) -> None:
    out, badges = tmp_path / "out", {0: badge(0.3), 1: badge(0.9), 2: badge(0.4)}
    words = ("toy", "--masks", str(masks), "--count", "3", "-o", str(out))
    make(order(*words), Factory(badges=badges))
    told = manifest(out)
    assert told["copies"] == {"checked": 3, "flagged": ["00001"], "kept_out": ["00001"], "override": ""}
    assert [one["copy_check"] for one in told["samples"]] == [UNLIKE, UNLIKE, NOT_CHECKED]
    assert told["samples"][0]["quality"]["grade"] == "good"
    assert told["samples"][2]["quality"] == {}
    make(order(*words, "--allow-copies"), Factory(badges=badges))
    told = manifest(out)
    assert [one["copy_check"] for one in told["samples"]][1] == ALLOWED
    assert told["copies"]["override"] == "--allow-copies"


def test_a_judge_that_has_looked_for_copies_outweighs_the_badge(tmp_path: Path, masks: Path) -> None:
    out = tmp_path / "out"
    words = ("toy", "--masks", str(masks), "--count", "2", "-o", str(out))
    make(order(*words), Factory(badges={0: badge(0.9), 1: badge(0.1)}), SeedJudge(copies=(1,)))
    assert manifest(out)["copies"]["kept_out"] == ["00001"]


def test_a_permission_taken_back_takes_the_copies_out_again(tmp_path: Path, masks: Path) -> None:
    out = tmp_path / "out"
    words = ("toy", "--masks", str(masks), "--count", "3", "-o", str(out))
    make(order(*words, "--allow-copies"), judge=SeedJudge(copies=(1,)))
    engine = Factory()
    make(order(*words), engine, SeedJudge(copies=(1,)))
    assert [job.request.seed for job in engine.jobs] == [1, 3]
    assert [one["name"] for one in manifest(out)["samples"]] == ["00000", "00002", "00003"]
    assert manifest(out)["copies"]["kept_out"] == ["00001"]
    assert not (out / "images" / "00001.png").exists()


def test_a_volume_under_way_when_the_command_was_killed_is_not_begun_again(tmp_path: Path) -> None:
    words = ("toy-tumor", "--sample", "--count", "2", "-o", str(tmp_path / "out"))
    first = Factory()
    running = Maker(first, order(*words), PlainJudge(), lambda far: None).run()  # type: ignore[arg-type]
    next(running)  # the second is under way now
    del running
    second = Factory(known={"job-1": first.jobs[1]})
    states = [one.state for one in make(order(*words), second)]
    assert states == [State.SKIPPED, State.DONE]
    assert not second.jobs


def test_keep_all_notes_what_judges_say_and_leaves_out_copies_alone(tmp_path: Path, masks: Path) -> None:
    out = tmp_path / "out"
    judge = SeedJudge(poor=(0, 1), copies=(1,))
    make(order("toy", "--masks", masks, "--count", 2, "-o", out, "--keep-all"), judge=judge)
    samples = manifest(out)["samples"]
    assert [one["name"] for one in samples] == ["00000", "00002"]
    assert "adherence below 0.5" in samples[0]["flags"]


def test_it_gives_up_after_four_times_as_many_as_wanted(tmp_path: Path, masks: Path) -> None:
    outcomes = make(order("toy", "--masks", masks, "--count", 3, "-o", tmp_path / "out"), judge=SeedJudge(poor=tuple(range(200))))
    assert [one.state for one in outcomes] == [State.LEFT_OUT] * 12


def test_without_changes_the_masks_come_back_as_they_are(tmp_path: Path, masks: Path) -> None:
    out = tmp_path / "out"
    make(order("toy", "--masks", masks, "--count", 3, "-o", out, "--augment", "none"))
    for name, number in (("a", 0), ("b", 1), ("c", 2)):
        made = np.asarray(Image.open(out / "masks" / f"{number:05d}.png"))
        np.testing.assert_array_equal(made, np.asarray(Image.open(masks / f"{name}.png")))
    assert set(manifest(out)["samples"][0]["mask_recipe"]) == {"source", "source_sha256"}


def test_flip_alone_mirrors_and_nothing_else(tmp_path: Path, masks: Path) -> None:
    out = tmp_path / "out"
    make(order("toy", "--masks", masks / "a.png", "--count", 8, "-o", out, "--augment", "flip"))
    source = np.asarray(Image.open(masks / "a.png"))
    made = {np.asarray(Image.open(path)).tobytes() for path in (out / "masks").iterdir()}
    assert made == {source.tobytes(), np.ascontiguousarray(source[:, ::-1]).tobytes()}


def test_names_of_mask_files_do_not_travel_with_the_data_set(tmp_path: Path, masks: Path) -> None:
    (masks / "a.png").rename(masks / "miller-anna.png")
    make(order("toy", "--masks", masks, "--count", 3, "-o", tmp_path / "out", "--layout", "coco"))
    assert not [place for place, content in tree(tmp_path / "out").items() if b"miller" in content]


def test_nuclei_and_tumors_draw_their_own_masks(tmp_path: Path) -> None:
    make(order("toy-nuclei", "--sample", "--count", 2, "-o", tmp_path / "nuclei"))
    field = formats.read_mask(tmp_path / "nuclei" / "masks" / "00001.tif").array
    assert (field.dtype, set(np.unique(field))) == (np.uint16, {0, 3, 7, 300})
    make(order("toy-tumor", "--sample", "--count", 1, "-o", tmp_path / "tumors"))
    made = formats.read(tmp_path / "tumors" / "images" / "00000.nii.gz")
    assert made.size == (8, 48, 48)
    np.testing.assert_allclose(np.abs(np.diag(made.affine)), (1, 1, 2, 1))


def test_nuclei_given_are_painted_and_keep_their_numbers(tmp_path: Path) -> None:
    field = np.zeros((32, 32), np.uint16)
    field[4:12, 4:12], field[18:26, 14:28] = 300, 41000
    formats.write_mask(tmp_path / "some.tif", Volume(field[None, None]), {})
    engine = Factory()
    make(order("toy-nuclei", "--masks", tmp_path / "some.tif", "--count", 2, "-o", tmp_path / "out"), engine)
    assert [(set(job.request.inputs), job.request.params) for job in engine.jobs] == [({"mask"}, {"given": "keep"})] * 2
    made = formats.read_mask(tmp_path / "out" / "masks" / "00001.tif").array
    assert set(np.unique(made)) == {0, 300, 41000}


def test_one_failure_stops_no_other_and_files_of_others_are_not_replaced(tmp_path: Path, masks: Path) -> None:
    out = tmp_path / "out"
    words = ("toy", "--masks", str(masks), "--count", "4", "-o", str(out))
    assert [one.state for one in make(order(*words), Factory((1,)))] == [State.DONE, State.FAILED, State.DONE, State.DONE]
    (out / "masks" / "00002.png").write_bytes(b"mine")
    outcomes = make(order(*words, "--option", "steps=2"))
    assert [one.state for one in outcomes].count(State.FAILED) == 1
    assert (out / "masks" / "00002.png").read_bytes() == b"mine"


def test_no_more_jobs_are_begun_than_are_wanted(tmp_path: Path, masks: Path) -> None:
    engine = Factory()
    make(order("toy", "--masks", masks, "--count", 5, "-o", tmp_path / "out"), engine)
    assert len(engine.jobs) == 5


def test_stop_ends_it_from_outside_and_what_is_made_stays(tmp_path: Path, masks: Path) -> None:
    engine = Factory()
    maker = Maker(engine, order("toy", "--masks", masks, "--count", 50, "-o", tmp_path / "out"), PlainJudge(), lambda far: None)  # type: ignore[arg-type]
    made = 0
    for _ in maker.run():
        made += 1
        if made == 3:
            maker.stop()
    assert made == 3
    assert len(manifest(tmp_path / "out")["samples"]) == 3
    assert len(engine.jobs) <= 4


def test_the_command_of_a_wish_is_the_wish(tmp_path: Path, masks: Path) -> None:
    texts = (
        "--augment flip swap --lesion 2 --seed 3 --layout coco --option steps=2 --keep-all --allow-copies",
        "--augment none",
        "",
    )
    for text in texts:
        wish = order("toy", "--masks", masks, "--count", 4, "-o", tmp_path / "a folder", *text.split()).wish
        assert order(*shlex.split(wish.command)[2:]).wish == wish


@pytest.mark.parametrize(
    ("words", "kind", "problem"),
    [
        ("toy --masks {} --count 0", ParameterError, "--count is 0"),
        ("toy --masks {} --count 20000", ParameterError, "between 1 and 10000"),
        ("strange --masks {} --count 2", ModelError, "strange"),
        ("toy-coarse --masks {} --count 2", ModelError, "makes no images"),
        ("toy-refiner --sample --count 2", ModelError, "makes no images"),
        ("refine --sample --count 2", ModelError, "refine"),
        ("toy --masks {}/none --count 2", InputError, "does not exist"),
        ("toy --sample --count 2", ParameterError, "hand some in with --masks"),
        ("toy-tumor --masks {} --count 2", ParameterError, "grows its masks itself"),
        ("toy-tumor --sample --count 2 --layout coco", ParameterError, "holds flat images"),
        ("toy-nuclei --masks {} --count 2 --augment swap", ParameterError, "leave it out for nuclei"),
        ("toy --masks {} --count 2 --augment none flip", ParameterError, "none stands alone"),
        ("toy --masks {} --count 2 --lesion 3", ParameterError, "--lesion is 3: it must be one of 2, 5"),
        ("toy --masks {} --count 2 --option steps=99", ParameterError, "steps is 99"),
        ("toy --masks {} --count 2 --option pace=9", ParameterError, "pace is not a parameter"),
        ("toy --masks {} --count 2 --group-by patient", ParameterError, "name its folder with --real"),
    ],
)
def test_what_cannot_be_made_is_said_before_anything_runs(
    tmp_path: Path, masks: Path, words: str, kind: type[MedSynthError], problem: str
) -> None:
    with pytest.raises(kind, match=problem):
        order(*words.format(masks).split(), "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("labels", "kind", "problem"),
    [
        (np.zeros((32, 32), np.uint8), InputError, "odd.tif: mask is empty"),
        (mask(value=3), LabelError, "odd.tif: mask holds the label 3"),
        (np.stack([mask()] * 3), ShapeError, "odd.tif: mask has 3 slices"),
        (mask().astype(np.float32) + 0.5, InputError, "odd.tif: mask holds fractions"),
    ],
)
def test_a_mask_that_cannot_be_painted_is_named(
    tmp_path: Path, masks: Path, labels: np.ndarray, kind: type[MedSynthError], problem: str
) -> None:
    import tifffile

    tifffile.imwrite(masks / "odd.tif", labels, photometric="minisblack")
    with pytest.raises(kind, match=problem):
        order("toy", "--masks", masks, "--count", 2, "-o", tmp_path / "out")


def test_folders_that_cannot_take_it_and_strange_manifests_are_refused(tmp_path: Path, masks: Path) -> None:
    (tmp_path / "file").write_text("")
    for out, problem in ((tmp_path / "file", "is a file"), (tmp_path / "no" / "where", "does not exist")):
        with pytest.raises(InputError, match=problem):
            order("toy", "--masks", masks, "--count", 2, "-o", out)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.json").write_text("[]")
    with pytest.raises(InputError, match="not as this command wrote it"):
        make(order("toy", "--masks", masks, "--count", 2, "-o", tmp_path / "out"))


def test_a_data_set_does_not_feed_on_itself(tmp_path: Path, masks: Path) -> None:
    out = tmp_path / "out"
    make(order("toy", "--masks", masks, "--count", 2, "-o", out))
    with pytest.raises(InputError, match="a sample of this data set"):
        order("toy", "--masks", out / "masks", "--count", 4, "-o", out)


def test_black_and_white_masks_are_understood_and_samples_that_ship_are_there(tmp_path: Path) -> None:
    Image.fromarray(mask(value=255)).save(tmp_path / "white.png")
    make(order("one", "--masks", tmp_path / "white.png", "--count", 1, "-o", tmp_path / "out"))
    assert set(np.unique(np.asarray(Image.open(tmp_path / "out" / "masks" / "00000.png")))) == {0, 1}
    shipped = order("one", "--sample", "--count", 1, "-o", tmp_path / "other")
    assert shipped.masks is not None
    assert [source.path.name for source in shipped.masks.sources] == ["polyp-1-mask.png", "polyp-2-mask.png"]


@pytest.mark.parametrize(
    ("image", "labels", "flag"),
    [
        (np.full((3, 1, 8, 8), 90, np.uint8), np.ones((1, 1, 8, 8), np.uint8), "one value all over"),
        (np.full((1, 1, 8, 8), np.nan, np.float32), np.ones((1, 1, 8, 8), np.uint8), "no numbers"),
        (np.arange(64, dtype=np.uint8).reshape(1, 1, 8, 8), np.zeros((1, 1, 8, 8), np.uint8), "nothing is labeled"),
    ],
)
def test_what_shows_nothing_is_seen_without_anything_beside(image: np.ndarray, labels: np.ndarray, flag: str) -> None:
    (said,) = PlainJudge().verdict(Volume(image), Volume(labels)).flags
    assert flag in said


def test_a_good_picture_is_not_flagged_and_nobody_says_that_it_is_no_copy() -> None:
    good = Volume(np.arange(64, dtype=np.uint8).reshape(1, 1, 8, 8)), Volume(np.ones((1, 1, 8, 8), np.uint8))
    assert PlainJudge().verdict(*good) == Verdict()
    wide = Volume(good[0].array.astype(np.float32) * 1e-4)
    assert PlainJudge().verdict(wide, good[1]) == Verdict()


def test_judges_together_say_all_that_each_says() -> None:
    class Says:
        def __init__(self, verdict: Verdict) -> None:
            self.terms, self._verdict = {"n": 1}, verdict

        def verdict(self, image: Volume, labels: Volume) -> Verdict:
            return self._verdict

    nothing = Volume(np.zeros((1, 1, 2, 2), np.uint8))
    both = Judges((Says(Verdict({"a": 1.0}, ("dark",))), Says(Verdict({"b": 2.0}, (), False))))
    assert both.verdict(nothing, nothing) == Verdict({"a": 1.0, "b": 2.0}, ("dark",), False)
    assert Judges((Says(Verdict(copy=False)), Says(Verdict(copy=True)))).verdict(nothing, nothing).copy is True
