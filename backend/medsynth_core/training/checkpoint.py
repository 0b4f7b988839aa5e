"""The state of an unfinished training in one safetensors file: networks, average and optimizer moments."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from medsynth_core.errors import InputError, ParameterError


def save(path: Path, step: int, networks: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Write the state after `step` steps; the file is whole or absent."""
    tensors = {f"network.{name}": value for name, value in networks.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.state_dict().items()}
    tensors |= _moments(optimizer)
    partial = path.with_suffix(".partial")
    save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, partial, {"step": str(step)})
    os.replace(partial, path)


def load(path: Path, networks: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Put the saved state into the three and return the steps it has seen.

    Raises InputError when the file is damaged, ParameterError when it holds other networks than these.
    """
    try:
        with safe_open(path, framework="pt") as stored:
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118  not a dict
            step = int(stored.metadata()["step"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError):
        raise InputError(f"{path.name} of this training is damaged: remove the training folder to start anew") from None
    try:
        networks.load_state_dict(_part(tensors, "network."))
        average.load_state_dict(_part(tensors, "average."))
    except RuntimeError:
        raise ParameterError(
            "the output folder holds a training of other networks: choose another folder, or remove it"
        ) from None
    _restore_moments(optimizer, tensors)
    return step


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _moments(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return {f"optimizer.{i}.{key}": torch.as_tensor(value) for i, entry in state.items() for key, value in entry.items()}


def _restore_moments(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in _part(tensors, "optimizer.").items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
