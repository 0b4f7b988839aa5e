"""Which backbone a folder holds, and where a base model to go on from is found."""

from __future__ import annotations

import json
import re
from pathlib import Path

from medsynth_core.errors import ModelError

PIPELINE, CONTROLLED = "StableDiffusionPipeline", "StableDiffusionControlNetPipeline"
_PARTS = ("tokenizer", "text_encoder", "vae", "unet", "scheduler", "controlnet")
_HUB_ID = re.compile(r"(?P<name>[\w.-]+/[\w.-]+?)(@(?P<revision>.+))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def resolve_base(base: Path) -> Path:
    """Return the folder of a base model: `base` itself, or the downloaded folder of a hub id OWNER/NAME@COMMIT.

    Raises ModelError when it is neither, when the id is not pinned to a commit, or when the hub cannot be reached.
    """
    if base.is_dir():
        return base
    found = _HUB_ID.fullmatch(base.as_posix())
    if found is None:
        raise ModelError(f"base is {base.name!r}: it must be a model folder that is there, or a hub id OWNER/NAME@COMMIT")
    name, revision = found["name"], found["revision"]
    if revision is None or not _COMMIT.fullmatch(revision):
        raise ModelError(
            f"base is {base.as_posix()!r}, which is no folder here: pin a hub id as {name}@COMMIT, with the 40 digits of a commit"
        )
    return _download(name, revision)


def class_name(folder: Path) -> str:
    """Return `_class_name` of the folder's model_index.json. Raises ModelError when there is none or it is damaged."""
    try:
        return str(json.loads((folder / "model_index.json").read_text("utf-8"))["_class_name"])
    except OSError:
        raise ModelError(f"{folder.name} has no model_index.json: it is not a model folder in diffusers' layout") from None
    except (ValueError, KeyError, TypeError):
        raise ModelError(f"model_index.json of {folder.name} is damaged: get the model again") from None


def is_stable_diffusion(folder: Path) -> bool:
    """Return whether the folder holds a Stable Diffusion pipeline, with or without a control network."""
    return class_name(folder) in (PIPELINE, CONTROLLED)


def _download(name: str, revision: str) -> Path:
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    wanted = ["model_index.json", *(f"{part}/*" for part in _PARTS)]
    left = ["*.bin", "*.ckpt", "*.msgpack", "*.onnx*", "*.fp16.*", "*.non_ema.*"]
    try:
        return Path(huggingface_hub.snapshot_download(name, revision=revision, allow_patterns=wanted, ignore_patterns=left))
    except (OSError, HfHubHTTPError, HFValidationError, ValueError) as problem:
        raise ModelError(
            f"base {name}@{revision[:8]} cannot be had from the hub ({type(problem).__name__}): "
            "go online, or download it elsewhere and give its folder"
        ) from None
