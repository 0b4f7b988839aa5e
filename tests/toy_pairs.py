"""Training folders of generated pictures, for tests alone: bright discs on a shaded ground, with their masks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image


def disc(side: int, center: tuple[float, float], radius: float) -> np.ndarray:
    """A mask (side, side) that is True within a circle; center (y, x) and radius in pixels."""
    y, x = np.mgrid[:side, :side]
    return (y - center[0]) ** 2 + (x - center[1]) ** 2 <= radius**2


def picture(seed: int, side: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """An RGB picture (side, side, 3) uint8 and the mask (side, side) of the disc in it, 0 or 1."""
    rng = np.random.default_rng(seed)
    lesion = disc(side, tuple(rng.uniform(side / 3, 2 * side / 3, 2)), rng.uniform(side / 8, side / 4))
    ground = rng.normal(90, 25, (side // 4, side // 4, 3)).repeat(4, 0).repeat(4, 1)
    pixels = np.where(lesion[..., None], [200, 60, 60], ground).clip(0, 255).astype(np.uint8)
    return pixels, lesion.astype(np.uint8)


def save(pixels: np.ndarray, path: Path) -> Path:
    """Write an array as the file type of its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def write_pairs(folder: Path, count: int = 8, side: int = 32, foreground: int = 255) -> Path:
    """Write images/ and masks/ with `count` pairs and return the folder."""
    for i in range(count):
        pixels, lesion = picture(i, side)
        save(pixels, folder / "images" / f"case{i:02d}.png")
        save(lesion * np.uint8(foreground), folder / "masks" / f"case{i:02d}.png")
    return folder


def write_published(folder: Path, count: int = 4, side: int = 32, prompt: str = "a red disc") -> Path:
    """Write the published Siamese-Diffusion layout: source/, target/ and prompt.json."""
    lines = []
    for i in range(count):
        pixels, lesion = picture(i, side)
        save(pixels, folder / "target" / f"case{i:02d}.png")
        save(lesion * np.uint8(255), folder / "source" / f"case{i:02d}.png")
        lines.append(json.dumps({"source": f"source/case{i:02d}.png", "target": f"target/case{i:02d}.png", "prompt": prompt}))
    (folder / "prompt.json").write_text("\n".join(lines) + "\n", "utf-8")
    return folder
