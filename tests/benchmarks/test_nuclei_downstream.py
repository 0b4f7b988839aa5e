"""The downstream study on toys: arms learn from what their names say, gains hold the bar, noise does not, no generator cheats."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import nuclei_arms, nuclei_downstream
from benchmarks.nuclei_arms import ARMS, FULL, MORE, SCARCE, Arm, Lesson, Outcome, lesson, measured, outcomes
from benchmarks.nuclei_downstream import arm_rows, bar_rows, by_set, check_generator, downstream_rows, labeled, study
from benchmarks.nuclei_made import Made, Wish, make
from benchmarks.nuclei_tiles import MONUSEG, keep_patches, kept_patches, patches_of
from benchmarks.verdicts import ABSENT, HELD, MISSED
from medsynth_core.engines.nuclei.model import load_model, save_model
from medsynth_core.engines.nuclei.presets import get_preset
from medsynth_core.engines.nuclei.prior import Prior
from medsynth_core.engines.nuclei.recipe import NucleiRecipe
from medsynth_core.engines.nuclei.starters import CARD
from medsynth_core.engines.nuclei.subset import chosen
from medsynth_core.engines.nuclei.tiles import Tile
from medsynth_core.errors import ModelError
from medsynth_core.evaluation.nuclei_scores import NucleiScore
from medsynth_core.evaluation.nuclei_segmenter import NucleiSegmenterSettings
from medsynth_core.models.folder import finish_folder
from tests.engines.nuclei.conftest import tile

TOY = NucleiSegmenterSettings(steps=1, batch=1, widths=(8, 8))
TILES, ANY = 24, tile(0)


@pytest.fixture(scope="module")
def cells() -> tuple[Tile, ...]:
    """Twenty patches: a tenth of them are two."""
    few = [tile(seed) for seed in range(4)]
    return tuple(replace(few[i % 4], name=f"cell {i}", image=few[i % 4].image // (1 + i // 4)) for i in range(20))


def generator(folder: Path, learned: tuple[Tile, ...], trained_on: str, notes: str = "") -> Path:
    """Write a generator that learned nothing of some patches."""
    torch.manual_seed(0)
    card = replace(CARD, id="tenth", trained_on=trained_on, notes=notes)
    recipe = NucleiRecipe(get_preset("toy"), learned, (), Prior.fit(learned), card)
    networks = recipe.build()
    folder.mkdir(parents=True)
    save_model(networks["structures"], networks["images"], networks["hints"], recipe.prior, folder)
    finish_folder(folder, card)
    return folder


def outcome(arm: Arm, seed: int, aji: np.ndarray) -> Outcome:
    return Outcome(arm, seed, {"tiles": tuple(NucleiScore(0.8, float(value), 0.4) for value in aji)})


def scored(gain: dict[Arm, float], noise: float = 0.0, arms: tuple[Arm, ...] = ARMS) -> nuclei_downstream.Study:
    """Return a study of 24 tiles and 3 seeds in which some arms are better by a gain, and all are noisy."""
    rng = np.random.default_rng(0)
    hard = rng.uniform(0.2, 0.6, TILES)  # tiles differ far more than arms: only pairing sees a small gain
    done = [outcome(arm, s, hard + gain.get(arm, 0.0) + noise * rng.standard_normal(TILES)) for arm in arms for s in range(3)]
    return study(done, {"tiles": [tile_like(i) for i in range(TILES)]})


def tile_like(i: int) -> Tile:
    return replace(ANY, group=f"group {i // 4}")


def test_a_small_gain_on_every_tile_holds_the_bar() -> None:
    rows = [row for row in bar_rows(scored(dict.fromkeys(MORE, 0.01), noise=0.005)) if row.bar]
    assert [row.verdict for row in rows] == [HELD, HELD]
    assert rows[0].value == pytest.approx(0.01, abs=0.004)


@pytest.mark.parametrize("gain", [0.0, -0.02])
def test_no_gain_or_a_loss_does_not_hold_it(gain: float) -> None:
    rows = [row for row in bar_rows(scored(dict.fromkeys(MORE, gain))) if row.bar]
    assert [row.verdict for row in rows] == [MISSED, MISSED]


def test_a_gain_that_noise_could_make_does_not_hold_it() -> None:
    ours = scored({MORE[0]: 0.002}, noise=0.2)
    assert next(row for row in bar_rows(ours) if row.bar).verdict == MISSED


def test_one_good_seed_is_no_tile_of_its_own() -> None:
    ours = scored({})
    ours.figures[MORE[0]][0, :12] += 0.3
    assert ours.above(MORE[0], SCARCE).mean == pytest.approx(0.3 / 6)


def test_the_interval_over_groups_is_told_too_and_is_wider_where_groups_agree() -> None:
    ours = scored({})
    apart = np.repeat(np.random.default_rng(1).normal(0, 0.1, TILES // 4), 4)
    ours.figures[MORE[0]][..., 1] += apart
    tiles, groups = ours.above(MORE[0], SCARCE), ours.above(MORE[0], SCARCE, ours.groups)
    assert groups.mean == tiles.mean
    assert groups.high - groups.low > tiles.high - tiles.low


def test_without_a_generator_its_rows_are_missing_and_the_others_stand() -> None:
    ours = scored({}, arms=tuple(arm for arm in ARMS if not arm.times))
    rows = arm_rows(1, "held out", ours) + bar_rows(ours)
    assert {row.verdict for row in rows if row.bar} == {ABSENT}
    assert sum(row.value is not None for row in arm_rows(1, "held out", ours)) == 4


def test_every_arm_has_a_row_with_all_three_figures() -> None:
    rows = arm_rows(6, "MoNuSeg", scored({FULL: 0.1}))
    assert len(rows) == len(ARMS) == len({row.what for row in rows}) == len({arm.key for arm in ARMS})
    assert all("Dice 0.800, PQ 0.400" in row.note for row in rows)


def test_means_are_told_by_set() -> None:
    ones, halves = (tuple([NucleiScore(v, v, v)] * 2) for v in (1.0, 0.5))
    rows = by_set([Outcome(FULL, 0, {"a": ones, "b": halves}), Outcome(FULL, 1, {"a": ones, "b": ones})])
    assert [(row.set, row.tiles, row.aji) for row in rows] == [("a", 2, 1.0), ("b", 2, 0.75)]


def test_arms_differ_in_their_patches_and_augmentation_only(tmp_path: Path) -> None:
    places = {name: tmp_path / name for name in ("10 %", "100 %", "synthetic ×1", "synthetic ×2")}
    tasks = {arm: lesson(arm, 2, 700, places, tmp_path) for arm in ARMS}
    assert {task.settings.steps for task in tasks.values()} == {700}
    assert {replace(task.settings, augmentation=TOY.augmentation) for task in tasks.values()} == {
        NucleiSegmenterSettings(steps=700, seed=2)
    }
    assert [place.name for place in tasks[MORE[1]].places] == ["10 %", "synthetic ×2"]
    assert [place.name for place in tasks[Arm(0, 2, True)].places] == ["synthetic ×2"]
    assert [place.name for place in tasks[FULL].places] == ["100 %"]


def test_patches_are_kept_once_and_come_back_as_they_were(tmp_path: Path, cells: tuple[Tile, ...]) -> None:
    place = keep_patches(labeled(cells[:3]), tmp_path)
    assert keep_patches(labeled(cells[:3]), tmp_path) == place
    assert keep_patches(labeled(cells[:2]), tmp_path) != place
    for kept, cell in zip(kept_patches(place), cells, strict=False):
        assert (kept.image == cell.image).all()
        assert (kept.instances == cell.instances).all()


def test_scores_are_kept_until_the_tiles_or_the_weights_are_others(
    tmp_path: Path, cells: tuple[Tile, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []

    def blind(_: object, image: np.ndarray) -> np.ndarray:
        looked.append(1)
        return np.zeros(image.shape[1:], np.int32)

    monkeypatch.setattr(nuclei_arms, "find_nuclei", blind)
    task = Lesson(SCARCE, TOY, (keep_patches(labeled(cells[:2]), tmp_path),), tmp_path / "segmenter")
    tests = {"real": labeled(cells[:1])}
    first = measured(task, tests, "tiles")
    assert measured(task, tests, "tiles") == first
    assert len(looked) == 1
    measured(task, tests, "other tiles")
    measured(replace(task, settings=replace(TOY, seed=1)), tests, "tiles")
    assert len(looked) == 3


def test_the_generator_of_exactly_these_patches_is_taken(tmp_path: Path, cells: tuple[Tile, ...]) -> None:
    scarce = chosen(cells, 10)
    made = generator(tmp_path / "tenth", scarce, f"{len(cells)} tiles of 4 groups, 2 of 20 patches of 256² by k-means")
    check_generator(made, scarce, len(cells))


@pytest.mark.parametrize(
    ("trained_on", "notes", "said"),
    [
        ("20 tiles of 4 groups", "", "the arms need 2 of 20 patches"),
        ("20 tiles of 4 groups, 12 of 20 patches of 256² by k-means", "", "the arms need 2 of 20 patches"),
        ("", "", "the arms need 2 of 20 patches"),
        ("20 tiles of 4 groups, 2 of 20 patches", "Weights derived from nuclei-he (x): its terms", "goes on from another"),
    ],
)
def test_a_generator_that_saw_more_is_refused(
    tmp_path: Path, cells: tuple[Tile, ...], trained_on: str, notes: str, said: str
) -> None:
    scarce = chosen(cells, 10)
    with pytest.raises(ModelError, match=said):
        check_generator(generator(tmp_path / "more", scarce, trained_on, notes), scarce, len(cells))


def test_a_generator_of_as_many_but_other_patches_is_refused(tmp_path: Path, cells: tuple[Tile, ...]) -> None:
    scarce = chosen(cells, 10)
    others = tuple(cell for cell in cells if cell.name not in {kept.name for kept in scarce})[:2]
    with pytest.raises(ModelError, match="other patches"):
        check_generator(generator(tmp_path / "other", others, "2 of 20 patches"), scarce, len(cells))


class InProcess:
    """Makes pairs without other processes, of which a toy needs none."""

    def __init__(self, model: Path, *_: object) -> None:
        self._model = load_model(model)

    def made(self, wishes: list[Wish], _: str) -> list[Made]:
        return [make(self._model, wish) for wish in wishes]


def test_a_toy_study_prints_every_row(tmp_path: Path, cells: tuple[Tile, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    sets = {"nuclei_nuinsseg": cells[:1], "nuclei_tnbc": cells[1:2], "nuclei_dsb2018": ()}
    monkeypatch.setattr(nuclei_downstream, "tiles_by_set", lambda *_: sets)
    monkeypatch.setattr(nuclei_downstream, "tiles_of", lambda *_: cells)
    monkeypatch.setattr(nuclei_downstream, "monuseg_tiles", lambda _: cells[2:3])
    monkeypatch.setattr(nuclei_downstream, "QUICK_MADE", 1)
    monkeypatch.setattr(nuclei_downstream, "Painters", InProcess)
    monkeypatch.setattr(nuclei_arms, "NucleiSegmenterSettings", lambda **given: replace(TOY, **given))
    monkeypatch.setattr(nuclei_downstream, "outcomes", lambda tasks, tests, _: [measured(task, tests, "toys") for task in tasks])
    made = generator(tmp_path / "tenth", chosen(cells, 10), "2 of 20 patches")
    rows = downstream_rows(tmp_path, made, tmp_path / "out", "held out", 1, (0,), 1, quick=True)
    assert len(rows) == 2 * len(ARMS) + 7 + 4
    assert all(row.value is not None for row in rows)
    assert (tmp_path / "out" / "nuclei-downstream-quick.json").is_file()
    assert MONUSEG in (tmp_path / "out" / "nuclei-downstream-quick.json").read_text("utf-8")


def test_segmenters_are_trained_in_processes_and_come_in_their_order(tmp_path: Path, cells: tuple[Tile, ...]) -> None:
    place = keep_patches(labeled(cells[:2]), tmp_path)
    tasks = [Lesson(arm, replace(TOY, seed=i), (place,), tmp_path / arm.key) for i, arm in enumerate((FULL, SCARCE))]
    done = outcomes(tasks, {"real": labeled(cells[:1])}, workers=1)
    assert [(one.arm, one.seed, len(one.scores["real"])) for one in done] == [(FULL, 0, 1), (SCARCE, 1, 1)]


def test_patches_are_counted_tile_after_tile(cells: tuple[Tile, ...]) -> None:
    assert [patch.name for patch in patches_of(cells[:2])] == ["cell 0 0", "cell 1 0"]
