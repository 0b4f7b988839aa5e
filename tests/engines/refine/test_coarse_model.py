"""A coarse network at work: any size of image, a smooth boundary, and the same answer after saving and loading."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from medsynth_core.engines.refine.coarse_model import CoarseMask, CoarseModel, save_coarse
from medsynth_core.engines.refine.coarse_network import CoarseNetwork
from medsynth_core.engines.refine.coarse_scores import label_overlap, scores
from medsynth_core.errors import InputError, ModelError, ModelTamperedError, ShapeError
from medsynth_core.models.folder import finish_folder
from medsynth_core.protocol import LabelInfo, ModelCard
from medsynth_core.training.pairs import read_pairs
from tests.toy_pairs import disc, write_pairs

SIDE = 32
BACKGROUND, LESION, STONE = LabelInfo(0, "background", "#000000"), LabelInfo(1, "lesion", "#fff"), LabelInfo(5, "stone", "#f00")
CARD = ModelCard("toy", "Toy", "refine", 3, (SIDE, SIDE), (BACKGROUND, LESION), "CC0", "discs", role="coarse")


def untrained(labels: int = 1, channels: int = 3) -> CoarseNetwork:
    torch.manual_seed(0)
    return CoarseNetwork(channels, labels, (8, 16), 2).eval()


def image(size: tuple[int, int], channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (channels, *size)).astype(np.float32)


def answering(logits: torch.Tensor, labels: tuple[LabelInfo, ...] = CARD.labels) -> CoarseModel:
    """A model that answers with these logits (K, y, x), whatever it sees."""
    say: Callable[[torch.Tensor], torch.Tensor] = lambda seen: logits[None]  # noqa: E731
    return CoarseModel(say, dataclasses.replace(CARD, labels=labels))  # type: ignore[arg-type]


def written(folder: Path, network: CoarseNetwork, card: ModelCard = CARD) -> Path:
    save_coarse(network, folder)
    finish_folder(folder, card)
    return folder


def slope(center: tuple[float, float], radius: float, side: int = SIDE) -> torch.Tensor:
    """Logits (1, side, side) of a disc with a soft edge; center and radius in shares of the side."""
    y, x = (np.mgrid[:side, :side] + 0.5) / side
    distance = radius - np.hypot(y - center[0], x - center[1])
    return torch.from_numpy(distance * side).float()[None]


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (31, 33), (32, 32), (97, 41), (300, 257)])
@pytest.mark.parametrize("labels", [1, 2])
def test_a_mask_has_the_size_of_its_image(size: tuple[int, int], labels: int) -> None:
    names = (BACKGROUND, LESION, STONE)[: labels + 1]
    drawn = CoarseModel(untrained(labels), dataclasses.replace(CARD, labels=names)).draw(image(size))
    assert (drawn.labels.shape, drawn.labels.dtype) == (size, np.uint8)
    assert (drawn.probability.shape, drawn.probability.dtype) == ((labels, *size), np.float32)
    assert drawn.probability.min() >= 0
    assert drawn.probability.max() <= 1
    assert set(np.unique(drawn.labels)) <= {label.value for label in names}


def test_labels_are_where_the_probability_reaches_a_half() -> None:
    drawn = CoarseModel(untrained(), CARD).draw(image((50, 70)))
    assert np.array_equal(drawn.labels == 1, drawn.probability[0] >= 0.5)


def test_of_several_labels_the_likeliest_is_drawn_under_its_own_value() -> None:
    logits = torch.full((2, SIDE, SIDE), -4.0)
    logits[0, :16], logits[1, 8:24] = 1.0, 2.0
    labels, _ = answering(logits, (BACKGROUND, LESION, STONE)).draw(image((SIDE, SIDE)))
    assert (labels[:8] == 1).all()
    assert (labels[8:24] == 5).all()
    assert (labels[24:] == 0).all()


def test_the_boundary_of_a_larger_image_is_smooth() -> None:
    """The same disc as labels enlarged has steps of eight pixels; enlarged as probability, it is the disc again."""
    center, radius, size = (0.47, 0.53), 0.3, 256
    drawn = answering(slope(center, radius)).draw(image((size, size))).labels
    truth = disc(size, (center[0] * size - 0.5, center[1] * size - 0.5), radius * size)
    stepped = (slope(center, radius)[0].numpy() >= 0).repeat(8, 0).repeat(8, 1)
    assert label_overlap(drawn, truth.astype(np.uint8))[0] > 0.995
    assert label_overlap(stepped.astype(np.uint8), truth.astype(np.uint8))[0] < 0.98


def test_what_is_seen_in_one_place_is_drawn_in_that_place() -> None:
    corner = slope((0.25, 0.75), 0.15)
    for size in ((64, 256), (256, 64), (16, 16)):
        labels = answering(corner).draw(image(size)).labels
        y, x = (np.argwhere(labels) + 0.5).mean(axis=0) / size
        assert (y, x) == pytest.approx((0.25, 0.75), abs=0.04)


def test_saved_and_loaded_it_draws_the_same(tmp_path: Path) -> None:
    network = untrained().half().float()  # a folder holds half precision
    model = CoarseModel.load(written(tmp_path, network))
    before, after = CoarseModel(network, CARD).draw(image((50, 60))), model.draw(image((50, 60)))
    assert np.array_equal(before.probability, after.probability)
    assert np.array_equal(before.labels, after.labels)
    assert model.card.id == "toy"
    assert not model.network.training


def test_the_same_image_gives_the_same_bytes_and_stays_as_it_was() -> None:
    model, seen = CoarseModel(untrained(), CARD), image((40, 40))
    seen.flags.writeable = False
    first, again = model.draw(seen), model.draw(seen)
    assert first.probability.tobytes() == again.probability.tobytes()
    assert isinstance(first, CoarseMask)


@pytest.mark.parametrize(("channels", "said"), [(1, "1 channel"), (4, "4 channels")])
def test_an_image_of_other_channels_is_named(channels: int, said: str) -> None:
    with pytest.raises(ShapeError, match=f"image has {said}, coarse model toy sees 3"):
        CoarseModel(untrained(), CARD).draw(image((20, 20), channels))


@pytest.mark.parametrize("shape", [(20, 20), (3, 1, 20, 20), (3, 0, 20)])
def test_what_is_no_slice_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="one slice"):
        CoarseModel(untrained(), CARD).draw(np.zeros(shape, np.float32))


def test_a_changed_weight_file_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path, untrained())
    with (folder / "segmenter" / "diffusion_pytorch_model.safetensors").open("r+b") as stream:
        stream.seek(-1, 2)
        stream.write(b"\x7f")
    with pytest.raises(ModelTamperedError, match="segmenter"):
        CoarseModel.load(folder)


def test_a_folder_of_another_kind_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path, untrained())
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "CompactSynthesizer"}), "utf-8")
    finish_folder(folder, CARD)
    with pytest.raises(ModelError, match=r"not a coarse network: its model_index\.json names CompactSynthesizer"):
        CoarseModel.load(folder)


@pytest.mark.parametrize("wrong", [{"channels": 1}, {"labels": (BACKGROUND, LESION, STONE)}])
def test_a_card_that_does_not_fit_its_network_is_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    folder = written(tmp_path, untrained(), dataclasses.replace(CARD, **wrong))
    with pytest.raises(ModelError, match="other channels or labels"):
        CoarseModel.load(folder)


def test_overlap_is_counted_label_by_label() -> None:
    truth, drawn = np.zeros((10, 10), np.uint8), np.zeros((10, 10), np.uint8)
    truth[:4], truth[6:] = 1, 5
    drawn[:4], drawn[8:] = 1, 5
    dice, iou = label_overlap(drawn, truth)
    assert dice == pytest.approx((1 + 2 * 20 / (20 + 40)) / 2)
    assert iou == pytest.approx((1 + 20 / 40) / 2)


def test_scores_are_means_over_images_in_their_own_size(tmp_path: Path) -> None:
    pairs = read_pairs(write_pairs(tmp_path / "data", 3, side=40))
    found = scores(answering(torch.full((1, SIDE, SIDE), -9.0)), pairs)
    assert (found.images, found.dice, found.iou, found.missed) == (3, 0, 0, 1)
    everything = scores(answering(torch.full((1, SIDE, SIDE), 9.0)), pairs)
    assert 0 < everything.iou < everything.dice < 1
    assert everything.missed == 0


def test_scores_without_a_pair_are_refused() -> None:
    with pytest.raises(InputError, match="no held-out pair"):
        scores(answering(slope((0.5, 0.5), 0.2)), ())
