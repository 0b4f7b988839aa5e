"""The paper's backbone on a tiny random folder of the right shape: trains, saves, opens again, obeys seed and mask."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from medsynth_core.engines._base import Slice, Task
from medsynth_core.engines.synthesize.base import is_stable_diffusion, resolve_base
from medsynth_core.engines.synthesize.engine import ENGINE, Params, load
from medsynth_core.engines.synthesize.prepare import prepare
from medsynth_core.engines.synthesize.stable_diffusion import StableDiffusionModel, caption, paint, palette
from medsynth_core.engines.synthesize.stable_diffusion_folder import Backbone
from medsynth_core.engines.synthesize.stable_diffusion_objective import LatentBatch, estimate, noised, siamese_loss
from medsynth_core.engines.synthesize.stable_diffusion_recipe import StableDiffusionRecipe
from medsynth_core.errors import ModelError, ModelTamperedError, ParameterError
from medsynth_core.models.folder import finish_folder, verify
from medsynth_core.protocol import LabelInfo
from medsynth_core.training.loop import Pace, TrainingProgress, train
from medsynth_core.training.order import TrainingOrder
from medsynth_core.volume import Volume
from tests.toy_pairs import write_pairs, write_published


def recipe_on(base: Path, data: Path, **order: object) -> StableDiffusionRecipe:
    made = prepare(data, TrainingOrder(preset="paper-toy", base=base, model_id="own", **order))  # type: ignore[arg-type]
    assert isinstance(made, StableDiffusionRecipe)
    return made


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published layout, two pairs."""
    return write_published(tmp_path_factory.mktemp("published"), 3, side=64)


@pytest.fixture(scope="session")
def obeying(base_folder: Path, published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder whose control network has a say: its zero-initialized layers hold random weights."""
    recipe = recipe_on(base_folder, published)
    networks = recipe.build()
    generator = torch.Generator().manual_seed(3)
    for parameter in networks["controlnet"].parameters():
        if not parameter.any():
            parameter.data.normal_(std=0.3, generator=generator)
    folder = tmp_path_factory.mktemp("obeying") / "own"
    recipe.save(networks, folder)
    finish_folder(folder, recipe.card(0))
    return folder


def square(side: int = 64, at: int = 10) -> np.ndarray:
    mask = np.zeros((side, side), np.uint8)
    mask[at : at + 20, at : at + 20] = 255
    return mask


def image_of(model: StableDiffusionModel, mask: np.ndarray, seed: int = 7, steps: int = 2, **options: str) -> np.ndarray:
    params = Params(steps=steps)  # type: ignore[call-arg]
    task = Task({"mask": Volume.from_image(mask)}, params, seed, model, options)
    return next(event.array for event in ENGINE.run(task) if isinstance(event, Slice))


def batch_of(recipe: StableDiffusionRecipe, times: list[int]) -> LatentBatch:
    batch = recipe._latents(recipe.training, torch.zeros(len(times)).long(), torch.Generator().manual_seed(1), augment=False)
    return dataclasses.replace(batch, t=torch.tensor(times))


def test_four_steps_train_save_and_open_again(base_folder: Path, published: Path, tmp_path: Path) -> None:
    seen: list[TrainingProgress] = []
    card = train(recipe_on(base_folder, published), tmp_path / "own", seen.append, Pace(report_every=1))
    assert [report.step for report in seen] == [1, 2, 3, 4]
    assert all(math.isfinite(value) for report in seen for value in report.losses.values())
    assert {"mask", "image", "consistency"} <= set(seen[0].losses)
    assert verify(tmp_path / "own") == card
    assert card.steps == 4
    assert "tiny-sd" in card.notes
    model = load(tmp_path / "own", "cpu")
    first, again = image_of(model, square()), image_of(load(tmp_path / "own", "cpu"), square())
    assert first.shape == (3, 64, 64)
    assert first.tobytes() == again.tobytes()


def test_a_killed_training_ends_with_the_same_bytes(base_folder: Path, published: Path, tmp_path: Path) -> None:
    def die(progress: TrainingProgress) -> None:
        raise KeyboardInterrupt

    pace = Pace(report_every=1, save_every=1)
    whole = train(recipe_on(base_folder, published, steps=2), tmp_path / "whole", lambda progress: None, pace)
    with pytest.raises(KeyboardInterrupt):  # after the checkpoint of step 1, in the report of step 2
        train(recipe_on(base_folder, published, steps=2), tmp_path / "killed", die, Pace(report_every=2, save_every=1))
    again = train(recipe_on(base_folder, published, steps=2), tmp_path / "killed", lambda progress: None, pace)
    assert again.sha256 == whole.sha256


def test_the_seed_and_the_mask_decide_the_image(obeying: Path) -> None:
    model = load(obeying, "cpu")
    first = image_of(model, square()).tobytes()
    assert first == image_of(model, square()).tobytes()
    assert first != image_of(model, square(), seed=8).tobytes()
    assert first != image_of(model, square(at=30)).tobytes()


def test_the_image_has_the_size_of_the_mask(obeying: Path) -> None:
    assert image_of(load(obeying, "cpu"), np.pad([[1]], ((3, 33), (11, 199)))).shape == (3, 37, 211)


def test_every_evaluation_shows_an_image(obeying: Path) -> None:
    model = load(obeying, "cpu")
    for steps in (1, 2, 4):
        images = list(model.generate(square() // 255, 1, steps, 1.0, {}))
        assert [tuple(image.shape) for image in images] == [(3, 64, 64)] * steps
        assert all(torch.isfinite(image).all() for image in images)


def test_guidance_and_prompt_change_the_image(obeying: Path) -> None:
    model = load(obeying, "cpu")
    labels = square() // 255

    def last(guidance: float, **options: str) -> torch.Tensor:
        return list(model.generate(labels, 1, 1, guidance, options))[-1]  # type: ignore[arg-type]

    assert not torch.equal(last(1.0), last(3.0))
    assert not torch.equal(last(1.0), last(1.0, prompt="disc disc disc"))
    assert torch.equal(last(1.0), last(1.0, prompt="a red disc"))


def test_the_saved_folder_is_diffusers_own_pipeline(obeying: Path) -> None:
    from diffusers import StableDiffusionControlNetPipeline

    pipeline = StableDiffusionControlNetPipeline.from_pretrained(obeying, local_files_only=True, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    picture = pipeline(
        "a disc",
        image=torch.zeros(1, 3, 64, 64),
        height=64,
        width=64,
        num_inference_steps=1,
        guidance_scale=1.0,
        output_type="np",
    ).images
    assert picture.shape == (1, 64, 64, 3)


@pytest.mark.parametrize("done", [0.0, 0.2, 0.9])
def test_the_image_branch_never_reaches_the_denoiser(base_folder: Path, published: Path, done: float) -> None:
    recipe = recipe_on(base_folder, published)
    networks = recipe.build()
    losses = siamese_loss(
        networks["unet"], networks["controlnet"], batch_of(recipe, [100, 700]), recipe.surroundings.signals, done
    )
    if done:
        losses["image"].backward(retain_graph=True)
        assert any(p.grad is not None and p.grad.any() for p in networks["controlnet"].parameters())
    assert all(p.grad is None for p in networks["unet"].parameters())
    losses["mask"].backward()
    assert any(p.grad is not None and p.grad.any() for p in networks["unet"].up_blocks.parameters())
    assert all(p.grad is None for p in networks["unet"].down_blocks.parameters()), "the encoder stays locked"


def test_the_branches_agree_before_the_first_step(base_folder: Path, published: Path) -> None:
    recipe = recipe_on(base_folder, published)
    networks = recipe.build()
    losses = siamese_loss(networks["unet"], networks["controlnet"], batch_of(recipe, [400]), recipe.surroundings.signals, 0.0)
    assert float(losses["consistency"].detach()) < 1e-9
    assert float((losses["mask"] - losses["image"]).detach().abs()) < 1e-5


@pytest.mark.parametrize(
    ("done", "times", "late"), [(0.3, [100], False), (0.34, [100], True), (0.9, [201, 999], False), (0.9, [200, 999], True)]
)
def test_the_late_term_waits_for_a_third_and_for_little_noise(
    base_folder: Path, published: Path, done: float, times: list[int], late: bool
) -> None:
    recipe = recipe_on(base_folder, published)
    networks = recipe.build()
    losses = siamese_loss(networks["unet"], networks["controlnet"], batch_of(recipe, times), recipe.surroundings.signals, done)
    assert ("late" in losses) is late


def test_the_estimate_undoes_the_noise() -> None:
    z0, noise, signal = torch.randn(2, 4, 3, 3), torch.randn(2, 4, 3, 3), torch.tensor([0.9, 0.1])
    assert torch.allclose(estimate(noised(z0, noise, signal), noise, signal), z0, atol=1e-5)


def test_a_mask_is_painted_in_the_colors_of_the_card() -> None:
    labels = (LabelInfo(0, "background", "#000000"), LabelInfo(2, "polyp", "#ff8000"))
    mask = torch.zeros(1, 3, 1, 2)
    mask[0, 0, 0, 0] = mask[0, 2, 0, 1] = 1
    painted = paint(mask, palette(labels))
    assert torch.allclose(painted[0, :, 0, 0], torch.zeros(3))
    assert torch.allclose(painted[0, :, 0, 1], torch.tensor([1.0, 128 / 255, 0.0]))


def test_the_prompt_comes_from_the_pairs_and_else_from_the_title(base_folder: Path, published: Path, tmp_path: Path) -> None:
    told = recipe_on(base_folder, published)
    assert set(told.training.captions) == {"a red disc"}
    assert caption(told.blank_card, {}) == "a red disc"
    assert caption(told.blank_card, {"prompt": "a blue disc"}) == "a blue disc"
    untold = recipe_on(base_folder, write_pairs(tmp_path / "plain", 2, side=64))
    assert caption(untold.blank_card, {}) == "own"
    assert caption(untold.blank_card, {"prompt": ""}) == "own"


def test_training_goes_on_from_a_model_of_its_own(obeying: Path, published: Path) -> None:
    networks = recipe_on(obeying, published).build()
    trained = Backbone.load(obeying).controlnet.state_dict()
    assert all(torch.equal(value, trained[name]) for name, value in networks["controlnet"].state_dict().items())


def test_grey_data_train_a_grey_model(base_folder: Path, published: Path, tmp_path: Path) -> None:
    recipe = recipe_on(base_folder, published, grey=True)
    recipe.save(recipe.build(), tmp_path / "grey")
    finish_folder(tmp_path / "grey", recipe.card(0))
    assert image_of(load(tmp_path / "grey", "cpu"), square()).shape == (1, 64, 64)


def test_a_changed_merge_table_is_noticed(obeying: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(obeying, tmp_path / "own")
    (folder / "tokenizer" / "merges.txt").write_text("a b\n", "utf-8")
    with pytest.raises(ModelTamperedError, match=r"tokenizer/merges\.txt"):
        load(folder, "cpu")


def test_a_card_that_asks_for_tiles_is_refused_not_ignored(obeying: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(obeying, tmp_path / "own")
    finish_folder(folder, dataclasses.replace(verify(folder), fit="tile"))
    with pytest.raises(ModelError, match="can only resize"):
        load(folder, "cpu")


@pytest.mark.parametrize("part", ["tokenizer", "text_encoder", "vae", "unet", "scheduler"])
def test_a_base_without_a_part_is_refused_by_name(base_folder: Path, tmp_path: Path, part: str) -> None:
    folder = shutil.copytree(base_folder, tmp_path / "half")
    shutil.rmtree(folder / part)
    with pytest.raises(ModelError, match=f"half has no part {part}/"):
        Backbone.load(folder)


def test_weights_as_pickle_are_never_read(base_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(base_folder, tmp_path / "old")
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(ModelError, match="unet of old cannot be read"):
        Backbone.load(folder)


def test_a_base_that_predicts_velocity_is_refused(base_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(base_folder, tmp_path / "two")
    config = folder / "scheduler" / "scheduler_config.json"
    config.write_text(json.dumps(json.loads(config.read_text("utf-8")) | {"prediction_type": "v_prediction"}), "utf-8")
    with pytest.raises(ModelError, match="predicts v_prediction"):
        Backbone.load(folder)


def test_a_preset_of_the_other_backbone_is_refused(base_folder: Path, published: Path) -> None:
    with pytest.raises(ParameterError, match="paper"):
        prepare(published, TrainingOrder(preset="toy", base=base_folder))


@pytest.mark.parametrize("name", ["no-such-folder", "owner/name", "owner/name@main", "owner/name@v1.0"])
def test_a_base_is_a_folder_or_pinned_to_a_commit(name: str) -> None:
    with pytest.raises(ModelError, match="COMMIT"):
        resolve_base(Path(name))


def test_a_hub_that_cannot_be_reached_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked: dict[str, object] = {}

    def refuse(name: str, **options: object) -> str:
        asked.update(options, name=name)
        raise ConnectionError("no route to host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(ModelError, match=r"cannot be had from the hub .* give its folder"):
        resolve_base(Path("owner/name@" + "a1" * 20))
    assert (asked["name"], asked["revision"]) == ("owner/name", "a1" * 20)
    assert not any(str(pattern).endswith((".bin", ".ckpt")) for pattern in asked["allow_patterns"])  # type: ignore[attr-defined]


def test_a_folder_of_another_kind_is_told_apart(base_folder: Path, tmp_path: Path) -> None:
    assert is_stable_diffusion(base_folder)
    (tmp_path / "model_index.json").write_text("{", "utf-8")
    with pytest.raises(ModelError, match="damaged"):
        is_stable_diffusion(tmp_path)
