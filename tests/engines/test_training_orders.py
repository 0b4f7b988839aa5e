"""From the words of the wire to an engine's order: one way for the command line and the service's child."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from medsynth_core.cli_train import request_of
from medsynth_core.engines._training import Terms, order_of, prepared
from medsynth_core.errors import InputError, MedSynthError, ModelNotFoundError
from medsynth_core.protocol import from_json, to_json
from medsynth_core.protocol_training import TrainingRequest
from medsynth_core.training.pairs import Columns
from tests.test_cli_train import read
from tests.toy_pairs import write_pairs

WISH = TrainingRequest("synthesize", "/data", "mine")


def test_what_the_command_line_says_travels_and_comes_back_as_the_same_order() -> None:
    words = "synthesize /data -o out/mine --preset toy --steps 7 --batch 3 --seed 5 --grey --label 1=polyp --metadata /t.csv"
    words += " --group-by patient --option tint=color --license CC0 --exclude case01 --exclude case02 --title Mine --no-judge"
    request = request_of(read(*words.split()))
    travelled = from_json(TrainingRequest, to_json(request))
    order = order_of(travelled, Terms(device="cpu"))
    assert order == order_of(request, Terms(device="cpu"))
    assert (order.model_id, order.title, order.preset, order.steps, order.batch, order.seed) == ("mine", "Mine", "toy", 7, 3, 5)
    assert (order.grey, order.label_names, order.excluded) == (True, {1: "polyp"}, ("case01", "case02"))
    assert order.columns == Columns(Path("/t.csv"), "patient", {"tint": "color"})
    assert (order.judge, order_of(WISH).judge) == (False, True)


def test_the_options_of_volumes_travel_too() -> None:
    words = "tumor /data -o mine --images */i.nii --masks */m.nii --tumor-label 1 --tumor-label 3 --stack-height-mm 0.1"
    volumes = order_of(request_of(read(*words.split()))).volumes
    assert (volumes.images, volumes.masks, volumes.tumor_labels, volumes.stack_height_mm) == ("*/i.nii", "*/m.nii", (1, 3), 0.1)


def test_an_installed_model_is_the_base_by_its_name() -> None:
    base = order_of(replace(WISH, base="polyp")).base
    assert base is not None
    assert (base / "card.json").is_file()


@pytest.mark.parametrize(
    ("fields", "kind", "sentence"),
    [
        ({"engine": "paint"}, InputError, "engine is 'paint'"),
        ({"engine": "fake"}, InputError, "cannot be trained"),
        ({"base": "nothing"}, ModelNotFoundError, "model is 'nothing'"),
        ({"base": "refiner"}, InputError, "base refiner is a model of refine"),
        ({"label_percent": 10}, InputError, "--label-percent is for nuclei"),
        ({"engine": "nuclei", "grey": True}, InputError, "--grey is for engines"),
        ({"engine": "tumor", "labels": {"1": "x"}}, InputError, "--label is for engines"),
        ({"volumes": {"modality": "flair"}}, InputError, "--modality is for tumor"),
        ({"volumes": {"color": "red"}}, InputError, "no option 'color'"),
        ({"engine": "tumor", "volumes": {"tumor_label": "one"}}, InputError, "tumor_label is 'one'"),
        ({"labels": {"one": "polyp"}}, InputError, "label value is 'one'"),
        ({"group_by": "patient"}, InputError, "--metadata"),
        ({"steps": 0}, InputError, "steps is 0"),
    ],
)
def test_what_an_engine_does_not_heed_is_refused(fields: dict[str, object], kind: type[MedSynthError], sentence: str) -> None:
    with pytest.raises(kind, match=sentence):
        order_of(replace(WISH, **fields))  # type: ignore[arg-type]


def test_the_title_and_what_is_left_out_reach_the_card(tmp_path: Path) -> None:
    data = write_pairs(tmp_path / "data", 8)
    (data / "masks" / "case02.png").write_bytes(b"broken")
    request = replace(WISH, data=str(data), preset="toy", title="My discs", excluded=("case02",))
    card = prepared(request, order_of(request)).card(0)
    assert card.title == "My discs"
    assert card.data.startswith("7 pairs")
