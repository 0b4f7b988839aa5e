"""Pictures of a training: loss curves and strips of samples."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional


def save_picture(pixels: np.ndarray, path: Path) -> None:
    """Write (y, x, 3) uint8 as PNG."""
    Image.fromarray(pixels).save(path)


def mosaic(rows: list[Tensor]) -> np.ndarray:
    """Return rows of images (n, 1 or 3, y, x) in [−1, 1] as one picture (y, x, 3) uint8."""
    framed = [functional.pad(row, (1, 1, 1, 1)).expand(-1, 3, -1, -1) for row in rows]
    picture = torch.cat([torch.cat(list(row), dim=2) for row in framed], dim=1)  # (3, rows·y, samples·x)
    return ((picture.clamp(-1, 1) + 1) * 127.5).round().byte().cpu().permute(1, 2, 0).numpy()


def draw_curves(log: Path, path: Path) -> None:
    """Draw every column of a JSON-lines log over its steps, on a logarithmic loss axis."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(xlabel="step", ylabel="loss", yscale="log")
    names = [name for name in dict.fromkeys(key for row in rows for key in row) if name != "step"]
    for name in names:
        points = [(row["step"], row[name]) for row in rows if row.get(name)]
        axes.plot(*zip(*points, strict=True), label=name) if points else None
    axes.legend() if axes.lines else None
    figure.savefig(path, dpi=110)
