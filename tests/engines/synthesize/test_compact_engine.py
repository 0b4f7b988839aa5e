"""The engine on a tiny compact model: any mask in, an image of its size out, the same bytes for the same seed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from medsynth_core.engines._base import EngineEvent, Note, Preview, Progress, Slice, Task
from medsynth_core.engines.synthesize import engine as engine_module
from medsynth_core.engines.synthesize.engine import ENGINE, Synthesizer, load
from medsynth_core.engines.synthesize.model import CompactModel
from medsynth_core.engines.synthesize.prepare import prepare
from medsynth_core.engines.synthesize.recipe import SynthesizeRecipe
from medsynth_core.errors import (
    InputError,
    LabelError,
    ModelError,
    ModelTamperedError,
    ParameterError,
    ShapeError,
    TrainingDataError,
)
from medsynth_core.models.folder import finish_folder
from medsynth_core.protocol import OutputInfo, Scalar
from medsynth_core.training.order import TrainingOrder
from medsynth_core.training.pairs import Columns
from medsynth_core.volume import Volume
from tests.toy_pairs import disc, save, write_pairs

AFFINE = np.array([[0.5, 0, 0, 3], [0, -0.7, 0, 4], [0, 0, 2, 5], [0, 0, 0, 1.0]])


def write_model(folder: Path, recipe: SynthesizeRecipe) -> Path:
    """Write an untrained model whose zero-initialized layers hold random weights, so that the mask has a say."""
    torch.manual_seed(0)
    networks = recipe.build()
    generator = torch.Generator().manual_seed(1)
    for parameter in networks.parameters():
        if not parameter.any():
            parameter.data.normal_(std=0.3, generator=generator)
    recipe.save(networks, folder)
    finish_folder(folder, recipe.card(0))
    return folder


def recipe_on(data: Path, **order: object) -> SynthesizeRecipe:
    made = prepare(data, TrainingOrder(preset="toy", **order))  # type: ignore[arg-type]
    assert isinstance(made, SynthesizeRecipe)
    return made


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of one label and two tints; not to be changed."""
    place = tmp_path_factory.mktemp("compact")
    data = write_pairs(place / "data", 4)
    table = place / "metadata.csv"
    table.write_text("file,tint\n" + "".join(f"case{i:02d}.png,{'cold' if i % 2 else 'warm'}\n" for i in range(4)), "utf-8")
    return write_model(place / "model", recipe_on(data, columns=Columns(table, "", {"tint": "tint"})))


@pytest.fixture(scope="session")
def model(folder: Path) -> Synthesizer:
    return load(folder, "cpu")


@pytest.fixture(scope="session")
def two_labels(tmp_path_factory: pytest.TempPathFactory) -> Synthesizer:
    """A grey model of the labels 1 and 3."""
    place = tmp_path_factory.mktemp("classes")
    data = write_pairs(place / "data", 2)
    for i in range(2):
        save((disc(32, (10, 10), 6) + 3 * disc(32, (24, 24), 4)).astype(np.uint8), data / "masks" / f"case{i:02d}.png")
    return load(write_model(place / "model", recipe_on(data, grey=True, label_names={1: "cyst", 3: "stone"})), "cpu")


def events(model: Synthesizer, mask: np.ndarray | Volume, seed: int = 7, **values: Scalar) -> Iterator[EngineEvent]:
    volume = mask if isinstance(mask, Volume) else Volume.from_image(mask)
    params, options = ENGINE.read_params(values, model.card)
    return ENGINE.run(Task({"mask": volume}, params, seed, model, options))


def image_of(model: Synthesizer, mask: np.ndarray | Volume, seed: int = 7, **values: Scalar) -> np.ndarray:
    return next(event.array for event in events(model, mask, seed, **values) if isinstance(event, Slice))


def painted(height: int = 32, width: int = 32) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    mask[height // 4 : height // 2 + 1, width // 4 : width // 2 + 1] = 1
    return mask


@pytest.mark.parametrize("size", [(1, 1), (1, 64), (7, 5), (31, 33), (32, 32), (37, 211), (300, 200), (512, 512)])
def test_the_image_has_the_size_of_the_mask(model: Synthesizer, size: tuple[int, int]) -> None:
    image = image_of(model, painted(*size), steps=1)
    assert image.shape == (3, *size)
    assert image.dtype == np.uint8


@pytest.mark.parametrize("size", [(32, 32), (100, 100), (37, 211)])
def test_a_lesion_of_one_pixel_is_taken(model: Synthesizer, size: tuple[int, int]) -> None:
    for y, x in ((0, 0), (size[0] - 1, size[1] - 1)):
        mask = np.zeros(size, np.uint8)
        mask[y, x] = 1
        assert image_of(model, mask, steps=1).shape == (3, *size)


def test_a_mask_of_nothing_but_lesion_is_taken(model: Synthesizer) -> None:
    assert image_of(model, np.ones((20, 20), np.uint8), steps=1).shape == (3, 20, 20)


def test_the_result_is_announced_in_the_place_of_the_mask(model: Synthesizer) -> None:
    seen = list(events(model, Volume(painted(20, 24)[None, None], AFFINE), steps=2))
    announced = next(event for event in seen if isinstance(event, OutputInfo))
    assert announced.shape == (3, 1, 20, 24)
    assert np.array_equal(np.array(announced.affine), AFFINE)
    assert seen.index(announced) < next(i for i, event in enumerate(seen) if isinstance(event, Slice))
    assert [event.done for event in seen if isinstance(event, Progress)] == [0, 1, 2]
    assert Note("device", "cpu") in seen


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.bool_, np.int8, np.int16, np.int64, np.uint16, np.float32, np.float64], ids=lambda d: d.__name__
)
def test_zero_and_one_mean_the_same_in_any_type(model: Synthesizer, dtype: type) -> None:
    assert image_of(model, painted().astype(dtype), steps=1).tobytes() == image_of(model, painted(), steps=1).tobytes()


def test_black_and_white_means_background_and_lesion(model: Synthesizer) -> None:
    assert image_of(model, painted() * np.uint8(255), steps=1).tobytes() == image_of(model, painted(), steps=1).tobytes()


def test_where_there_are_more_labels_255_is_unknown(two_labels: Synthesizer) -> None:
    with pytest.raises(LabelError, match="1 = cyst, 3 = stone"):
        list(events(two_labels, painted() * np.uint8(255)))


def test_each_label_paints_another_image(two_labels: Synthesizer) -> None:
    cyst, stone = image_of(two_labels, painted(), steps=1), image_of(two_labels, painted() * np.uint8(3), steps=1)
    assert cyst.shape == (1, 32, 32)
    assert cyst.tobytes() != stone.tobytes()


BAD: dict[str, tuple[np.ndarray, type[InputError], str]] = {
    "an unknown label": (painted() * np.uint8(2), LabelError, "label 2"),
    "a negative label": (painted().astype(np.int16) * -1, LabelError, "label -1"),
    "a label beyond 8 bits": (painted().astype(np.uint16) * 257, LabelError, "label 257"),
    "an empty mask": (np.zeros((32, 32), np.uint8), InputError, "mask is empty"),
    "NaN": (np.where(painted() > 0, np.nan, 0.0), InputError, "NaN"),
    "infinity": (np.where(painted() > 0, np.inf, 0.0), InputError, "infinite"),
    "fractions": (painted() * 0.5, InputError, "fractions"),
    "complex numbers": (painted() * 1j, InputError, "complex"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_mask_that_cannot_be_understood_is_refused_before_anything_is_announced(model: Synthesizer, name: str) -> None:
    mask, error, said = BAD[name]
    with pytest.raises(error, match=said):
        next(events(model, mask))


def test_a_stack_and_a_color_picture_are_refused(model: Synthesizer) -> None:
    with pytest.raises(ShapeError, match="5 slices"):
        next(events(model, Volume(np.ones((1, 5, 8, 8), np.uint8))))
    with pytest.raises(ShapeError, match="3 channels"):
        next(events(model, Volume(np.ones((3, 1, 8, 8), np.uint8))))


@pytest.mark.parametrize("steps", [1, 2, 4, 8])
def test_the_same_seed_gives_the_same_bytes_and_another_does_not(folder: Path, model: Synthesizer, steps: int) -> None:
    torch.manual_seed(99)
    first = image_of(model, painted(), 7, steps=steps).tobytes()
    torch.manual_seed(5)
    assert image_of(load(folder, "cpu"), painted(), 7, steps=steps).tobytes() == first
    assert image_of(model, painted(), 8, steps=steps).tobytes() != first


def test_mask_steps_guidance_and_option_each_change_the_image(model: Synthesizer) -> None:
    images = {
        "plain": image_of(model, painted(), steps=2),
        "moved": image_of(model, np.roll(painted(), 9, axis=1), steps=2),
        "steps": image_of(model, painted(), steps=4),
        "guidance": image_of(model, painted(), steps=2, guidance=3.0),
        "option": image_of(model, painted(), steps=2, tint="warm"),
    }
    assert len({image.tobytes() for image in images.values()}) == len(images)
    assert image_of(model, painted(), steps=2, tint="cold").tobytes() == images["plain"].tobytes(), "the default"


@pytest.mark.parametrize(
    "values", [{"steps": 3}, {"steps": "4"}, {"guidance": 0.5}, {"guidance": float("nan")}, {"tint": "blue"}, {"tempo": 1}]
)
def test_a_bad_parameter_is_named(model: Synthesizer, values: dict[str, Scalar]) -> None:
    with pytest.raises(ParameterError, match=next(iter(values))):
        ENGINE.read_params(values, model.card)


def test_a_run_can_be_cancelled_between_any_two_events(model: Synthesizer) -> None:
    whole = image_of(model, painted(), steps=4).tobytes()
    for count in range(1, len(list(events(model, painted(), steps=4)))):
        running = events(model, painted(), steps=4)
        for _ in range(count):
            next(running)
        running.close()  # type: ignore[attr-defined]
        assert torch.is_grad_enabled(), "inference mode does not leak"
        assert not torch.is_inference_mode_enabled()
    assert image_of(model, painted(), steps=4).tobytes() == whole


def test_two_runs_side_by_side_do_not_disturb_each_other(model: Synthesizer) -> None:
    alone = [image_of(model, painted(), seed, steps=4).tobytes() for seed in (1, 2)]
    first, second = (events(model, painted(), seed, steps=4) for seed in (1, 2))
    mixed: dict[int, bytes] = {}
    for one, other in zip(first, second, strict=True):
        for i, event in enumerate((one, other)):
            if isinstance(event, Slice):
                mixed[i] = event.array.tobytes()
    assert [mixed[0], mixed[1]] == alone


def test_a_long_run_shows_previews_and_the_last_image_is_not_one(model: Synthesizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "PREVIEW_SECONDS", -1.0)
    seen = list(events(model, painted(20, 24), steps=4))
    previews = [event for event in seen if isinstance(event, Preview)]
    assert [preview.array.shape for preview in previews] == [(3, 1, 20, 24)] * 3
    assert sum(isinstance(event, Slice) for event in seen) == 1


def test_the_mask_is_left_as_it_was(model: Synthesizer) -> None:
    mask = painted() * np.uint8(255)
    before = mask.copy()
    image_of(model, mask, steps=1)
    assert (mask == before).all()


def test_tampered_and_missing_weights_are_refused(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    weights = copy / "denoiser" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(ModelTamperedError, match="denoiser"):
        load(copy, "cpu")
    weights.unlink()
    with pytest.raises(ModelTamperedError, match="missing"):
        load(copy, "cpu")


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"_class_name": "Other"}', None])
def test_a_folder_of_another_kind_is_refused(folder: Path, tmp_path: Path, content: str | None) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    if content is None:
        (copy / "model_index.json").unlink()
    else:
        (copy / "model_index.json").write_text(content, "utf-8")
    with pytest.raises(ModelError):
        load(copy, "cpu")


def test_an_unknown_label_in_the_training_masks_is_refused(tmp_path: Path) -> None:
    data = write_pairs(tmp_path / "data", 12)
    for i in range(12):
        save(((2 if i % 2 else 5) * disc(32, (16, 16), 6)).astype(np.uint8), data / "masks" / f"case{i:02d}.png")
    with pytest.raises(TrainingDataError) as caught:
        prepare(data, TrainingOrder(preset="toy", label_names={2: "cyst"}))
    said = "the mask holds the label 5, named are 0, 2"
    assert caught.value.offenders == tuple(f"case{i:02d}.png: {said}" for i in range(0, 12, 2))
    card = recipe_on(data).blank_card
    assert [(label.value, label.name) for label in card.labels] == [(0, "background"), (2, "label 2"), (5, "label 5")]


def test_labels_beyond_the_vocabulary_are_refused(tmp_path: Path) -> None:
    data = write_pairs(tmp_path / "data", 2, foreground=77)
    with pytest.raises(TrainingDataError) as caught:
        prepare(data, TrainingOrder(preset="toy"))
    assert all("the mask holds the label 77: labels lie between 1 and 31" in said for said in caught.value.offenders)


def test_no_two_labels_share_a_color(tmp_path: Path) -> None:
    data = write_pairs(tmp_path / "data", 1)
    card = recipe_on(data, label_names={value: f"class {value}" for value in range(1, 32)}).blank_card
    assert len({label.color for label in card.labels}) == 32
    assert all(len(label.color) == 7 for label in card.labels)


def test_a_base_of_another_kind_is_refused_before_training(folder: Path, tmp_path: Path) -> None:
    data = write_pairs(tmp_path / "data", 2)
    with pytest.raises(ParameterError, match="options"):
        prepare(data, TrainingOrder(preset="toy", base=folder))
    with pytest.raises(ParameterError, match="channels"):
        prepare(data, TrainingOrder(preset="toy", base=folder, grey=True))
    with pytest.raises(ModelError, match=r"model_index\.json"):
        prepare(data, TrainingOrder(preset="toy", base=data))


def test_a_distilled_model_refuses_guidance_it_has_not_learned(folder: Path) -> None:
    distilled = CompactModel.load(folder)
    distilled.denoiser.register_to_config(flow_map=True)
    with pytest.raises(ParameterError, match=r"guidance is 3\.5: model .* from 1 to 3"):
        image_of(distilled, painted(), steps=1, guidance=3.5)
