"""Pictures of a training: loss curves and strips of samples."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from medsynth_core.protocol_training import TrainingLine


def save_picture(pixels: np.ndarray, path: Path) -> None:
    """Write (y, x, 3) uint8 as PNG, by a rename: a viewer may read it at any moment."""
    partial = path.with_suffix(".partial")
    Image.fromarray(pixels).save(partial, "PNG")
    os.replace(partial, path)


def mosaic(rows: list[Tensor]) -> np.ndarray:
    """Return rows of images (n, 1 or 3, y, x) in [−1, 1] as one picture (y, x, 3) uint8."""
    framed = [functional.pad(row, (1, 1, 1, 1)).expand(-1, 3, -1, -1) for row in rows]
    picture = torch.cat([torch.cat(list(row), dim=2) for row in framed], dim=1)  # (3, rows·y, samples·x)
    return ((picture.clamp(-1, 1) + 1) * 127.5).round().byte().cpu().permute(1, 2, 0).numpy()


def samples_shown(count: int, most: int) -> Tensor:
    """Return the rows (n) of a source of `count` cases that a strip shows: all there are or fewer, spread out, none twice."""
    return torch.linspace(0, count - 1, min(count, most)).round().long()


def draw_curves(lines: Sequence[TrainingLine], path: Path) -> None:
    """Draw every term of the loss, and the loss on the tuning side, over the steps, on a logarithmic axis."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(xlabel="step", ylabel="loss", yscale="log")
    rows = [(line.step, {"validation": line.validation, **line.losses}) for line in lines]
    for name in dict.fromkeys(name for _, values in rows for name in values):
        points = [(step, values[name]) for step, values in rows if values.get(name)]
        axes.plot(*zip(*points, strict=True), label=name) if points else None
    axes.legend() if axes.lines else None
    figure.savefig(path, dpi=110)
