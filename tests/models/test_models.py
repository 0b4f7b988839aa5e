"""Model folders: what was changed, cut or made by a newer MedSynth is refused in one sentence."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from medsynth_core.errors import (
    InputError,
    ModelError,
    ModelNotFoundError,
    ModelTamperedError,
    ModelTooNewError,
    StorageFullError,
)
from medsynth_core.models import registry
from medsynth_core.models.card import FORMAT_VERSION, read_card, write_card
from medsynth_core.models.folder import fingerprint, finish_folder, verify
from medsynth_core.places import models_folder
from medsynth_core.protocol import LabelInfo, ModelCard, to_json

CARD = ModelCard(
    id="toy",
    title="Toy",
    engine="synthesize",
    channels=1,
    size=(8, 8),
    labels=(LabelInfo(0, "background", "#000000"), LabelInfo(1, "lesion", "#ff0000")),
    license="CC0",
    data="none",
)


def model_in(parent: Path, name: str = "toy", card: ModelCard = CARD) -> Path:
    """Write a model folder with two files of weights and finish it."""
    folder = parent / name
    for part in ("denoiser", "hint_encoder"):
        (folder / part).mkdir(parents=True)
        (folder / part / "weights.safetensors").write_bytes(part.encode() * 100)
    (folder / "model_index.json").write_text("{}", "utf-8")
    (folder / "training").mkdir()
    (folder / "training" / "log.json").write_text("{}", "utf-8")
    finish_folder(folder, card)
    return folder


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return model_in(tmp_path)


@pytest.fixture
def no_starters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for the models that ship."""
    starters = tmp_path / "starters"
    starters.mkdir()
    monkeypatch.setattr(registry, "STARTER", starters)
    return starters


def test_a_finished_folder_verifies_and_lists_every_file(folder: Path) -> None:
    card = verify(folder)
    assert sorted(card.sha256) == ["denoiser/weights.safetensors", "hint_encoder/weights.safetensors", "model_index.json"]
    assert card == read_card(folder)
    assert replace(card, sha256={}, code_version="") == CARD


HARM: dict[str, tuple[Callable[[Path], object], str]] = {
    "a flipped bit": (lambda f: flip_a_bit(f / "denoiser" / "weights.safetensors"), "denoiser/weights.safetensors .* is not"),
    "a missing file": (lambda f: (f / "hint_encoder" / "weights.safetensors").unlink(), "hint_encoder/.* is missing"),
    "a missing part": (lambda f: shutil.rmtree(f / "denoiser"), "denoiser/weights.safetensors .* is missing"),
    "a cut file": (lambda f: (f / "model_index.json").write_bytes(b""), "model_index.json .* is not"),
    "an extra file": (lambda f: (f / "denoiser" / "more.safetensors").write_bytes(b"x"), "more.safetensors .* is not listed"),
    "an extra table": (lambda f: (f / "merges.txt").write_text("a b"), "merges.txt .* is not listed"),
    "no checksums": (lambda f: write_card(f, replace(read_card(f), sha256={})), "lists no checksums"),
    "a file beyond the folder": (
        lambda f: write_card(f, replace(read_card(f), sha256={"../secret.json": "0" * 64})),
        r"\.\./secret.json .* is missing",
    ),
}


@pytest.mark.parametrize("harm", HARM)
def test_a_changed_folder_is_refused_by_the_name_of_the_file(folder: Path, harm: str) -> None:
    change, said = HARM[harm]
    change(folder)
    with pytest.raises(ModelTamperedError, match=said):
        verify(folder)


def test_a_pickle_beside_the_weights_is_never_part_of_the_model(folder: Path) -> None:
    (folder / "denoiser" / "weights.bin").write_bytes(b"cos\nsystem\n")
    assert not [name for name in verify(folder).sha256 if name.endswith(".bin")]


def test_what_training_leaves_behind_is_not_part_of_the_model(folder: Path) -> None:
    (folder / "training" / "log.json").write_text("changed", "utf-8")
    assert verify(folder)


def rewrite(folder: Path, **fields: object) -> None:
    stored = json.loads((folder / "card.json").read_text("utf-8"))
    (folder / "card.json").write_text(json.dumps(stored | fields), "utf-8")


@pytest.mark.parametrize("version", [FORMAT_VERSION + 1, 999, "2", None])
def test_a_newer_format_is_said_before_anything_else(folder: Path, version: object) -> None:
    rewrite(folder, format_version=version, a_field_of_tomorrow=1)
    with pytest.raises(ModelTooNewError, match="update MedSynth"):
        verify(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"3", b"\xff\xfe\x00", b'{"format_version": 1}'])
def test_a_damaged_card_is_one_sentence(folder: Path, content: bytes) -> None:
    (folder / "card.json").write_bytes(content)
    with pytest.raises(ModelError, match="toy"):
        verify(folder)


@pytest.mark.parametrize("fields", [{"labels": "none"}, {"size": [1]}, {"size": "8x8"}, {"channels": "one"}, {"id": None}])
def test_a_field_of_the_wrong_kind_is_one_sentence(folder: Path, fields: dict[str, object]) -> None:
    rewrite(folder, **fields)
    with pytest.raises(ModelError, match="card of toy cannot be read"):
        read_card(folder)


def test_a_folder_without_a_card_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no card\.json"):
        verify(tmp_path)


def test_a_card_survives_writing_and_reading(tmp_path: Path) -> None:
    card = replace(CARD, title="Größe ✓", figures={"adherence": 0.9})
    write_card(tmp_path, card)
    assert read_card(tmp_path) == card
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["card.json"]


def test_the_fingerprint_follows_the_files_and_nothing_else(folder: Path) -> None:
    first = fingerprint(verify(folder))
    assert fingerprint(finish_folder(folder, replace(CARD, title="Other"))) == first
    flip_a_bit(folder / "model_index.json")
    assert fingerprint(finish_folder(folder, CARD)) != first


def test_an_added_model_is_found_without_its_training(folder: Path, no_starters: Path) -> None:
    card = registry.add(folder)
    found = registry.find("toy")
    assert found == models_folder() / "toy"
    assert verify(found) == card
    assert not (found / "training").exists()
    assert [path.name for path in models_folder().iterdir()] == ["toy"]


def test_a_model_of_that_name_is_not_overwritten(folder: Path, tmp_path: Path, no_starters: Path) -> None:
    registry.add(folder)
    other = model_in(tmp_path / "other", card=replace(CARD, title="Other"))
    with pytest.raises(ModelError, match="toy is there already"):
        registry.add(other)
    assert read_card(registry.find("toy")).title == "Toy"


@pytest.mark.parametrize("name", ["", ".", "..", "../toy", "a/b", "/tmp/toy", ".hidden", "a\\b", "_private", "nul\0"])
def test_an_id_that_is_no_plain_name_is_refused(tmp_path: Path, no_starters: Path, name: str) -> None:
    with pytest.raises(ModelError, match="plain name"):
        registry.add(model_in(tmp_path, "source", replace(CARD, id=name)))
    assert not list(models_folder().iterdir())


def test_a_tampered_model_is_not_added(folder: Path, no_starters: Path) -> None:
    flip_a_bit(folder / "model_index.json")
    with pytest.raises(ModelTamperedError):
        registry.add(folder)
    assert registry.list_models() == ()


def test_only_the_files_that_were_verified_are_copied(folder: Path, tmp_path: Path, no_starters: Path) -> None:
    (tmp_path / "secret").write_text("private", "utf-8")
    (folder / "weights.bin").write_bytes(b"pickle")
    os.symlink(tmp_path / "secret", folder / "link")
    registry.add(folder)
    copied = {path.relative_to(registry.find("toy")).as_posix() for path in registry.find("toy").rglob("*") if path.is_file()}
    assert copied == {"card.json", *verify(folder).sha256}


def test_a_link_in_place_of_weights_is_refused(folder: Path, tmp_path: Path) -> None:
    weights = folder / "denoiser" / "weights.safetensors"
    shutil.move(weights, tmp_path / "elsewhere.safetensors")
    os.symlink(tmp_path / "elsewhere.safetensors", weights)
    with pytest.raises(ModelTamperedError, match="link"):
        verify(folder)


@pytest.mark.parametrize("name", ["nowhere", "file"])
def test_what_is_no_folder_cannot_be_added(tmp_path: Path, no_starters: Path, name: str) -> None:
    (tmp_path / "file").write_text("x", "utf-8")
    with pytest.raises(InputError, match="is not a folder"):
        registry.add(tmp_path / name)


def test_an_addition_cut_short_leaves_no_half_model(folder: Path, no_starters: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: object, target: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(registry.shutil, "copyfile", full)
        with pytest.raises(StorageFullError, match="No space left"):
            registry.add(folder)
    assert not list(models_folder().iterdir())
    assert registry.list_models() == ()
    registry.add(folder)
    assert verify(registry.find("toy"))


def test_a_model_that_is_not_there_names_those_that_are(no_starters: Path) -> None:
    model_in(no_starters, "polyp")
    with pytest.raises(ModelNotFoundError, match="model is 'liver': it must be one of polyp"):
        registry.find("liver")


@pytest.mark.parametrize("name", ["..", "../toy", "", ".", "polyp/../polyp"])
def test_a_path_is_not_a_name(no_starters: Path, name: str) -> None:
    model_in(no_starters, "polyp")
    with pytest.raises(ModelNotFoundError):
        registry.find(name)


def test_the_users_model_hides_the_starter_of_its_name(tmp_path: Path, no_starters: Path) -> None:
    model_in(no_starters, "toy", replace(CARD, title="Starter"))
    registry.add(model_in(tmp_path, "mine", replace(CARD, title="Mine")))
    (shown,) = registry.list_models()
    assert shown.card is not None
    assert shown.card.title == "Mine"
    assert registry.find("toy") == models_folder() / "toy"


def test_broken_models_are_shown_with_the_reason(no_starters: Path) -> None:
    model_in(no_starters, "good", replace(CARD, id="good"))
    (model_in(no_starters, "no-card") / "card.json").unlink()
    rewrite(model_in(no_starters, "tomorrow"), format_version=99)
    (model_in(no_starters, "damaged") / "card.json").write_text("{", "utf-8")
    (no_starters / ".hidden").mkdir()
    (no_starters / "a-file.json").write_text("{}", "utf-8")
    shown = {info.id: info.problem for info in registry.list_models()}
    assert list(shown) == ["damaged", "good", "no-card", "tomorrow"]
    assert shown["good"] == ""
    assert "card.json" in shown["no-card"]
    assert "update MedSynth" in shown["tomorrow"]
    assert "damaged" in shown["damaged"]


def test_the_models_that_ship_are_whole() -> None:
    for info in registry.list_models():
        assert info.problem == ""
        assert info.card is not None
        assert verify(registry.find(info.id)).id == info.id


def test_a_card_holds_no_place_on_this_machine(folder: Path) -> None:
    assert str(folder) not in json.dumps(to_json(verify(folder)))
