"""The figures of a coarse network: taken on the held-out side only, and written on the card of a folder that stays whole."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import torch

from benchmarks.coarse import FOLDERS, measure
from medsynth_core.engines.refine.coarse_presets import COARSE_STARTERS
from medsynth_core.engines.refine.coarse_recipe import prepare_coarse
from medsynth_core.models.folder import finish_folder, verify
from medsynth_core.training.order import TrainingOrder
from medsynth_core.training.pairs import is_held_out
from tests.toy_pairs import write_pairs


def test_every_coarse_starter_has_its_data() -> None:
    assert set(FOLDERS) == set(COARSE_STARTERS)


def test_held_out_images_give_the_figures_on_the_card(tmp_path: Path) -> None:
    data = write_pairs(tmp_path / FOLDERS["polyp-coarse"] / "train", 20)
    rows = "".join(f"case{i:02d}.png,{i}\n" for i in range(20))
    (data.parent / "metadata.csv").write_text("file,dup_group\n" + rows, "utf-8")
    recipe = prepare_coarse(data, TrainingOrder(starter="polyp-coarse", preset="coarse-toy"))
    torch.manual_seed(0)
    recipe.save(recipe.build(), tmp_path / "model")
    finish_folder(tmp_path / "model", recipe.card(0))

    asked = Namespace(folder=tmp_path / "model", data=tmp_path, device="cpu", card=True)
    row = measure("polyp-coarse", asked)
    assert row.scores.images == sum(is_held_out(str(i)) for i in range(20)) > 0
    card = verify(tmp_path / "model")
    assert card.figures == {
        "dice_held_out": round(row.scores.dice, 3),
        "iou_held_out": round(row.scores.iou, 3),
        "missed_held_out": round(row.scores.missed, 3),
    }
