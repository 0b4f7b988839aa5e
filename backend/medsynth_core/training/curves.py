"""Pictures of a training: loss curves and strips of samples."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image


def save_picture(pixels: np.ndarray, path: Path) -> None:
    """Write (y, x, 3) uint8 as PNG."""
    Image.fromarray(pixels).save(path)


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
