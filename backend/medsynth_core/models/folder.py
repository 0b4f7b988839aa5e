"""A model folder: checksums written and verified.

polyp/
├── card.json            what it is, what it was trained on, sha256 of each file below
├── model_index.json     diffusers' list of parts
├── denoiser/            config.json, diffusion_pytorch_model.safetensors
├── hint_encoder/        config.json, diffusion_pytorch_model.safetensors
└── judge/               what its results are judged by, if it has that
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from medsynth_core import __version__
from medsynth_core.errors import ModelTamperedError
from medsynth_core.models.card import read_card, write_card
from medsynth_core.protocol import ModelCard

SUFFIXES = (".json", ".safetensors", ".txt")
"""What a model consists of; `.txt` are the merges of a tokenizer."""
JUDGE = "judge"
"""The folder with what its results are judged by (`Engine.judge`)."""


def finish_folder(folder: Path, card: ModelCard) -> ModelCard:
    """Write `card` with the checksums of all files of the model and return it."""
    sums = {name: _sha256(folder / name) for name in _files(folder)}
    finished = dataclasses.replace(card, sha256=sums, code_version=__version__)
    write_card(folder, finished)
    return finished


def verify(folder: Path) -> ModelCard:
    """Return the card after comparing every file with its checksum. Raises ModelTamperedError naming the first that differs."""
    card = read_card(folder)
    present = set(_files(folder))
    if not card.sha256:
        raise ModelTamperedError(f"the card of model {card.id} lists no checksums: get the model again")
    for name, expected in card.sha256.items():
        if name not in present:
            raise ModelTamperedError(f"{name} of model {card.id} is missing: get the model again")
        if (folder / name).is_symlink():
            raise ModelTamperedError(f"{name} of model {card.id} is a link: put the file itself in its place")
        if _sha256(folder / name) != expected:
            raise ModelTamperedError(f"{name} of model {card.id} is not the file its card names: get the model again")
    if extra := sorted(present - set(card.sha256)):
        raise ModelTamperedError(f"{extra[0]} of model {card.id} is not listed on its card: remove it or get the model again")
    return card


def fingerprint(card: ModelCard) -> str:
    """Return one sha256 for the whole model, from the checksums on its card."""
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(card.sha256.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _files(folder: Path) -> list[str]:
    found = [path.relative_to(folder) for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file()]
    return sorted(path.as_posix() for path in found if path.parts[0] not in ("training", "card.json"))


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_json(path: Path, content: object, indent: int = 2) -> None:
    """Write a part of a model folder that is JSON, such as model_index.json; the file is whole or absent."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(content, indent=indent) + "\n", "utf-8")
    os.replace(partial, path)


def read_json(path: Path) -> Any:
    """Return what a part of a model folder holds that is JSON. Raises OSError, ValueError."""
    return json.loads(path.read_text("utf-8"))
