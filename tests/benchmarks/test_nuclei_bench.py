"""The rows of the nuclei benchmark: they hold for what is good, do not for what is not, and none is lost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import nuclei_published, nuclei_service
from benchmarks.nuclei_copies import (
    Knowing,
    Learned,
    Pictures,
    copy_rows,
    field_crops,
    image_crops,
    planted_copies,
    shrunk,
)
from benchmarks.nuclei_fields import KNOBS, field_rows, knob_row, knob_rows, steps
from benchmarks.nuclei_looks import Shown, kid_rows, obey_rows
from benchmarks.nuclei_made import Painters, Wish, fingerprint, make
from medsynth_core.cli_progress import how_far
from medsynth_core.engines._base import Slice, Task
from medsynth_core.engines.nuclei.engine import ENGINE
from medsynth_core.engines.nuclei.model import NucleiModel, load_model
from medsynth_core.engines.nuclei.prior import Likeness, Prior
from medsynth_core.engines.nuclei.sampling import Manner
from medsynth_core.engines.nuclei.stain import Stain
from medsynth_core.engines.nuclei.tiles import Tile, cut
from medsynth_core.evaluation.asked_got import Sweep
from medsynth_core.evaluation.copies import CopySettings, build_copy_network
from medsynth_core.evaluation.features import FeatureSettings, build_features
from medsynth_core.evaluation.generator import Images
from medsynth_core.models.folder import finish_folder
from tests.engines.nuclei.conftest import make_recipe, tile
from tests.engines.nuclei.drawn import ellipses

torch.set_num_threads(1)  # toy networks: threads that wait for each other take ten times as long on a busy machine

FAST = Manner(steps=1, guidance=1.0)
STAIN = Stain((0.6, 0.7, 0.4), (0.2, 0.9, 0.3), (1.0, 0.7), (240, 240, 240))
TOY_COPIES = CopySettings(widths=(8, 16), length=32)


def fields(seeds: Sequence[int], count: int = 14, low: int = 6, high: int = 12) -> list[np.ndarray]:
    return [ellipses(seed, count + 7 * seed % 9, (256, 256), low, high) for seed in seeds]


@pytest.fixture(scope="module")
def tiles() -> tuple[Tile, ...]:
    return tuple(tile(seed, 384) for seed in range(3))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bench") / "toy"
    torch.manual_seed(0)
    recipe = make_recipe(tuple(tile(seed) for seed in range(3)))
    target.mkdir()
    recipe.save(recipe.build(), target)
    finish_folder(target, recipe.card(0))
    return target


@pytest.fixture(scope="module")
def model(folder: Path) -> NucleiModel:
    return load_model(folder)


def test_fields_like_real_ones_hold_and_others_do_not() -> None:
    real, groups = fields(range(12)), [f"slide {i // 2}" for i in range(12)]
    good = field_rows(fields(range(20, 32)), real, groups, fields(range(40, 44)))
    assert [row.held for row in good] == [True] * 4
    assert all("halves of 6 groups" in row.note for row in good)
    larger = {row.what: row.held for row in field_rows(fields(range(20, 32), 30, 12, 20), real, groups, real)}
    assert not larger["fields: area, W1 / real split half"]
    assert not larger["fields: count per 256², W1 / real split half"]


def test_patches_of_one_group_have_no_halves_and_the_rows_say_so() -> None:
    rows = field_rows(fields([1]), fields([2, 3]), ["a", "a"], fields([4]))
    assert {row.verdict for row in rows} == {"NOT MEASURED"}


def test_no_nuclei_at_all_hold_nothing() -> None:
    empty = [np.zeros((256, 256), np.int32)] * 4
    rows = field_rows(empty, fields(range(6)), list("abcdef"), fields([7]))
    assert not any(row.held for row in rows)


def test_a_knob_that_turns_holds_and_a_dead_one_does_not() -> None:
    turns = knob_row(Sweep("density", (5.0, 10.0, 20.0), ((4.0, 5.0), (9.0, 10.0), (15.0, 30.0))))
    assert (turns.held, turns.value) == (True, pytest.approx(0.956, abs=0.01))
    dead = knob_row(Sweep("density", (5.0, 10.0, 20.0), ((4.0, 5.0), (4.0, 5.0), (4.0, 5.0))))
    assert dead.held is False


def test_knobs_are_turned_over_what_training_patches_were_like(folder: Path, tmp_path: Path) -> None:
    prior = Prior(tuple(Likeness(10.0 * i, 100.0 * i, STAIN) for i in range(1, 11)), (1.0,) * 5)
    for knob, low, high in zip(KNOBS, (14.5, 145), (95.5, 955), strict=True):
        asked = steps(prior, knob, 5)
        assert (asked[0], asked[-1]) == (pytest.approx(low), pytest.approx(high))
        wish = knob.wish(3, asked[1])
        assert (wish.density or wish.size_px, wish.painted) == (asked[1], False)


def test_both_knobs_are_rows_even_of_a_model_that_has_learned_nothing(
    folder: Path, model: NucleiModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Painters, "_fresh", lambda self, wishes: (make(model, Wish(w.seed, painted=False, manner=FAST)) for w in wishes)
    )
    rows = knob_rows(Painters(folder, tmp_path, 1), model.prior, values=2, seeds=2)
    assert [row.what for row in rows] == ["knob density alone", "knob size alone"]
    assert all("2 seeds" in row.note for row in rows)


def test_a_made_pair_is_what_the_engine_gives(model: NucleiModel) -> None:
    params, options = ENGINE.read_params({"steps": 1, "guidance": 1.0}, model.card)
    given = {e.output: e.array for e in ENGINE.run(Task({}, params, 9, model, options)) if isinstance(e, Slice)}
    made = make(model, Wish(9, manner=FAST))
    assert np.array_equal(made.instances, given["instances"][0])
    assert made.image is not None
    assert np.array_equal(made.image, given["image"])
    assert Wish(9).way == Manner(ENGINE.params().steps, ENGINE.params().guidance)


def test_nuclei_handed_in_are_painted_as_they_are(model: NucleiModel) -> None:
    (field,) = fields([3])
    made = make(model, Wish(1, field=field, stain=STAIN, manner=FAST))
    assert np.array_equal(made.instances, field)
    assert made.image is not None
    assert make(model, Wish(1, field=field, painted=False)).image is None


def test_kept_pairs_are_not_made_again_and_other_wishes_have_other_places(
    folder: Path, model: NucleiModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []

    def fresh(self: Painters, wishes: list[Wish]):  # type: ignore[no-untyped-def]
        begun.extend(wish.seed for wish in wishes)
        yield from (make(model, wish) for wish in wishes)

    monkeypatch.setattr(Painters, "_fresh", fresh)
    wishes = [Wish(seed, manner=FAST) for seed in (1, 2, 1)]
    first = Painters(folder, tmp_path, 1).made(wishes, "toys")
    again = Painters(folder, tmp_path, 1).made(wishes[:2], "toys")
    assert begun == [1, 2]
    assert np.array_equal(first[1].instances, again[1].instances)
    assert first[0].image is not None
    assert again[0].image is not None
    assert np.array_equal(first[0].image, again[0].image)
    (field,) = fields([1])
    others = [Wish(1), Wish(2), Wish(1, density=3), Wish(1, size_px=3), Wish(1, field=field), Wish(1, stain=STAIN)]
    others += [Wish(1, painted=False), Wish(1, manner=FAST)]
    assert len({wish.key for wish in others}) == len(others)


def test_other_weights_have_another_place(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text((folder / "card.json").read_text())
    assert fingerprint(tmp_path) == fingerprint(folder)
    text = (folder / "card.json").read_text().replace('"sha256": {', '"sha256": {"more": "x",')
    (tmp_path / "card.json").write_text(text)
    assert fingerprint(tmp_path) != fingerprint(folder)


def shown(name: str, seeds: Sequence[int]) -> Shown:
    """Images whose first channel is the field: a segmenter that reads it sees everything."""
    found = fields(seeds)
    images = np.stack([np.repeat(field[None].astype(np.uint8), 3, axis=0) for field in found])
    return Shown(name, images, found)


def reading(images: Images) -> list[np.ndarray]:
    return [image[0].astype(np.int32) for image in images]


def test_images_that_show_what_was_asked_hold_row_3_and_others_do_not() -> None:
    good, bad = shown("good", range(3)), shown("bad", range(3))
    moved = Shown("bad", np.roll(bad.images, 40, axis=3), bad.fields)
    rows = obey_rows(reading, "reader", shown("real", range(5, 8)), [good, moved])
    assert [row.held for row in rows] == [True, False]
    assert rows[0].value == 1
    assert "reader" in rows[0].note


def test_a_segmenter_that_sees_nothing_on_real_images_gives_no_figure() -> None:
    rows = obey_rows(lambda images: [np.zeros((256, 256), int) for _ in images], "blind", shown("real", [1]), [shown("a", [2])])
    assert rows[0].held is False


def test_kid_is_told_beside_its_floor_and_the_name_of_its_network() -> None:
    network = build_features(3, FeatureSettings(widths=(8, 16))).eval()
    real, made = shown("real tiles", range(6)), shown("made", range(6))
    rows = kid_rows(network, "features-x", real, [made], real.images)
    assert [row.what.split(":")[0] for row in rows] == ["made", "real tiles, half to half", "real training patches to real tiles"]
    assert "features-x" in rows[0].note
    assert all(row.bar == "" for row in rows)


def knowing() -> Knowing:
    return Knowing(build_copy_network(3, TOY_COPIES).eval(), build_copy_network(1, TOY_COPIES).eval())


def test_pieces_reach_the_far_edges_of_a_tile(tiles: tuple[Tile, ...]) -> None:
    assert image_crops(tiles, 16).shape == (3 * 9, 3, 64, 64)
    assert field_crops(tiles, 32).shape == (3 * 4, 1, 64, 64)
    assert np.array_equal(image_crops(tiles[:1], 32)[-1], shrunk(tiles[0].image)[:, 32:, 32:])
    assert np.array_equal(image_crops(tiles[:1], 25)[-1], shrunk(tiles[0].image)[:, 32:, 32:])


def test_a_shrunk_picture_is_the_mean_of_its_pixels() -> None:
    picture = np.arange(2 * 9 * 8, dtype=np.uint8).reshape(2, 9, 8)
    assert shrunk(picture).shape == (2, 2, 2)
    assert shrunk(picture)[0, 0, 1] == round(picture[0, :4, 4:].mean())


def test_copied_pairs_are_flagged_and_the_real_rate_is_the_bar(tiles: tuple[Tile, ...]) -> None:
    learned = Learned.of(knowing(), tiles)
    held_out = Pictures.of((t.image, t.instances) for t in (tile(seed) for seed in range(30, 40)))
    copied = Pictures.of((p.image, p.instances) for p in (cut(tiles[i], 64, 64) for i in range(3)))
    rows = copy_rows(learned, copied, held_out, planted_copies(tiles, 2), "")
    assert [(row.value, row.held) for row in rows] == [(100, False), (100, False)]
    own = copy_rows(learned, held_out, held_out, planted_copies(tiles, 2), ", few")
    assert [(row.value, row.held) for row in own] == [(0, True), (0, True)]
    assert own[0].what == "copies, few: images flagged"


@pytest.mark.parametrize(
    ("spade", "published"),
    [(False, nuclei_published.STRUCTURE_PARAMETERS), (True, nuclei_published.IMAGE_PARAMETERS)],
)
def test_the_stand_ins_have_the_size_of_the_published_networks(spade: bool, published: float) -> None:
    parameters, gmac = nuclei_published.counted(spade)
    assert parameters == pytest.approx(published, rel=0.002)
    assert 1000 < gmac < 2000


@pytest.mark.parametrize("spade", [False, True])
def test_the_stand_ins_run(spade: bool) -> None:
    found = nuclei_published.measure(spade, widths=(64, 64, 64, 64), side=16)
    assert found.seconds > 0
    assert found.gmac > 0


def test_multiplications_are_counted_as_defined() -> None:
    with torch.device("meta"):
        network = nuclei_published.PublishedUNet(False, (64,))
    convolutions = 2 * nuclei_published.BLOCKS + 2 * (nuclei_published.BLOCKS + 1) + 4
    least = convolutions * 64 * 64 * 9 * 8 * 8 / 1e9
    assert nuclei_published.counted(False, (64,), 8)[1] > least
    assert sum(p.numel() for p in network.parameters()) == nuclei_published.counted(False, (64,), 8)[0]


def test_files_that_differ_are_told_and_the_journal_may(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name / "images").mkdir(parents=True)
        (tmp_path / name / "images" / "1.png").write_bytes(b"same")
        (tmp_path / name / nuclei_service.JOURNAL).write_text(name)
    assert nuclei_service.differing(tmp_path / "a", tmp_path / "b") == []
    (tmp_path / "b" / "images" / "1.png").write_bytes(b"other")
    (tmp_path / "a" / "manifest.json").write_text("")
    assert nuclei_service.differing(tmp_path / "a", tmp_path / "b") == ["images/1.png", "manifest.json"]


def test_the_line_of_progress_is_recognized() -> None:
    drawn = f"\r\033[K{how_far(3, 20, 50)} (31 pairs a minute)\r\033[K"
    assert nuclei_service.PROGRESS.findall(drawn) == ["3 of 20, 50 s left (31 pairs a minute)"]
