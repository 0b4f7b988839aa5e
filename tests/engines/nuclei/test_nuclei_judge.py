"""What a judge sees of tiles with their nuclei: every tile, whole, also after a resume; and what it learns from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medsynth_core.engines._base import Slice
from medsynth_core.engines.nuclei.engine import ENGINE, judge
from medsynth_core.engines.nuclei.judge import MOST_PIECES, lessons_of, look_of
from medsynth_core.engines.nuclei.model import NucleiModel
from medsynth_core.engines.nuclei.tiles import Tile
from medsynth_core.evaluation.copies import CopySettings
from medsynth_core.evaluation.segmenter import SegmenterSettings
from medsynth_core.evaluation.teaching import Teaching, teach
from medsynth_core.models.folder import JUDGE
from medsynth_core.quality import Badge, Grade
from tests.engines.nuclei.drawn import ellipses, slide
from tests.engines.nuclei.test_nuclei_engine import task
from tests.watching import Watching


def looks_of(model: NucleiModel, **asked: object) -> tuple[Watching, dict[str, dict[int, np.ndarray]], Badge]:
    watching, made = Watching(), dict[str, dict[int, np.ndarray]]()
    for event in (events := list(ENGINE.run(replace(task(model, **asked), judge=watching)))):
        if isinstance(event, Slice):
            made.setdefault(event.output, {})[event.z] = event.array
    assert isinstance(events[-1], Badge)
    return watching, made, events[-1]


def test_every_tile_is_looked_at_with_the_nuclei_it_was_made_for(toy: NucleiModel) -> None:
    watching, made, _ = looks_of(toy, slices=2, height=256, width=256)
    assert len(watching.shown) == 2
    for z, look in enumerate(watching.shown):
        again = look_of(made["image"][z], made["instances"][z][0])
        assert np.array_equal(look.pictures, again.pictures)
        assert np.array_equal(look.labels, again.labels)


def test_a_resumed_job_is_judged_as_an_undisturbed_one(toy: NucleiModel) -> None:
    first, made, _ = looks_of(toy, slices=2, height=64, width=64)
    kept = {name: {0: slices[0]} for name, slices in made.items()}
    second, *_ = looks_of(toy, slices=2, height=64, width=64, finished=kept)
    for one, other in zip(first.shown, second.shown, strict=True):
        assert np.array_equal(one.pictures, other.pictures)
        assert np.array_equal(one.labels, other.labels)


def test_nobody_who_wants_no_badge_gets_one(toy: NucleiModel) -> None:
    assert not any(isinstance(event, Badge) for event in ENGINE.run(task(toy, height=64, width=64)))


@pytest.mark.parametrize(("shape", "pieces"), [((60, 71), 1), ((256, 256), 1), ((300, 512), 4), ((1500, 1500), MOST_PIECES)])
def test_tiles_of_any_size_are_looked_at_in_pieces_of_one_size(shape: tuple[int, int], pieces: int) -> None:
    look = look_of(np.zeros((3, *shape), np.uint8), ellipses(1, 5, shape))
    assert look.pictures.shape == (pieces, 3, 128, 128)
    assert look.labels.shape == (pieces, 128, 128)
    assert look.small.shape == (pieces, 3, 64, 64)


def test_a_judge_taught_on_tiles_tells_what_has_nothing_to_do_with_its_nuclei(
    tiles: tuple[Tile, ...], tmp_path: Path, toy: NucleiModel
) -> None:
    quick = SegmenterSettings(steps=60, batch=4, widths=(8, 16))
    copies = CopySettings(steps=2, batch=8, widths=(8, 16), length=16)
    teaching = Teaching(tmp_path / "kept", lambda *_: None, segmenter=quick, copies=copies, least_found=2.0)
    thresholds = teach(lessons_of(tiles[:2], tiles[2:], 0), tmp_path / JUDGE, teaching)
    assert thresholds.count == 1
    assert thresholds.likeness is None  # more planted copies than there are would have to be found
    assert thresholds.adherence is not None
    card = replace(toy.card, quality=thresholds)
    right, wrong = (judge(tmp_path, card).badge(look_of(tiles[2].image, t.instances)) for t in (tiles[2], tiles[0]))
    assert right.verdicts[0].grade is Grade.GOOD
    assert wrong.verdicts[0].grade is Grade.LOOK
    pale = slide(seed=1, side=256) // 8 + 200
    assert judge(tmp_path, card).badge(look_of(pale, tiles[2].instances)).verdicts[1].grade is Grade.LOOK
