"""A figure of a shipped model is of images whose groups it has not met: not as they are, and not mirrored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.unmet import unmet_pairs
from medsynth_core.training.duplicates import group_near_duplicates
from medsynth_core.training.ledger import ledger_of, mark_of, write_ledger
from medsynth_core.training.likeness import likeness_of
from medsynth_core.training.pairs import read_pairs
from tests.toy_pairs import picture, save, write_pairs


def test_a_pair_is_left_out_with_its_group_where_its_mirror_image_was_learned_from(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "data", 5)
    save((picture(1)[0] * 0.9).astype(np.uint8), folder / "images" / "case03.png")  # one group with case01
    pixels = np.ascontiguousarray(picture(1)[0][:, ::-1])
    learned = mark_of("theirs", "", likeness_of(pixels.transpose(2, 0, 1)[:, None], Image.fromarray(pixels)))
    write_ledger(ledger_of([learned]), tmp_path)
    pairs = group_near_duplicates(read_pairs(folder))
    assert [pair.stem for pair in unmet_pairs(tmp_path, pairs)] == ["case00", "case02", "case04"]


def test_without_a_record_or_a_model_nothing_is_left_out(tmp_path: Path) -> None:
    pairs = read_pairs(write_pairs(tmp_path / "data", 3))
    assert unmet_pairs(tmp_path, pairs) == unmet_pairs(None, pairs) == pairs
