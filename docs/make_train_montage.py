"""Makes docs/images/train-made.png: masks, what models of a training make of them, and the real images.

    .venv/bin/python docs/make_train_montage.py PAIRS MODEL [MODEL…] [--to PICTURE]

PAIRS holds images/ and masks/ with equal stems, none of which the trainings had; each MODEL is a model folder, for a row each.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import numpy as np
from new_user import new_user
from PIL import Image

IMAGES = Path(__file__).parent / "images"
COLUMNS, SIDE, GAP, FIRST_SEED = 8, 112, 3, 100


def main() -> None:
    """Make an image of every mask with every model, and write them as one picture."""
    parser = argparse.ArgumentParser(description="Show what models of a training make.")
    parser.add_argument("pairs", type=Path)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--to", type=Path, default=IMAGES / "train-made.png")
    said = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, new_user():
        from medsynth_core.client import connect
        from medsynth_core.models import registry

        names = []
        for i, folder in enumerate(said.models):  # two trainings may have given their models one name
            copy = Path(shutil.copytree(folder, Path(scratch) / f"model-{i}"))
            text = (copy / "card.json").read_text("utf-8")
            (copy / "card.json").write_text(text.replace('"id": "', f'"id": "row-{i}-', 1), "utf-8")
            names.append(registry.add(copy).id)
        with connect() as engine:
            columns = [
                [to_tile(mask * 255), *(to_tile(engine.synthesize(mask, model=name, seed=seed)) for name in names), to_tile(real)]
                for seed, (mask, real) in enumerate(read(said.pairs), FIRST_SEED)
            ]
    write(columns, said.to)


def read(pairs: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the first masks (y, x), 0 or 1, with their images (y, x, 3)."""
    found = []
    for path in sorted((pairs / "masks").iterdir())[:COLUMNS]:
        (image,) = (pairs / "images").glob(f"{path.stem}.*")
        mask = np.asarray(Image.open(path).convert("L")) > 127
        found.append((mask.astype(np.uint8), np.asarray(Image.open(image).convert("RGB"))))
    return found


def to_tile(pixels: np.ndarray) -> Image.Image:
    """Return a picture as a square in color."""
    return Image.fromarray(pixels).convert("RGB").resize((SIDE, SIDE))


def write(columns: list[list[Image.Image]], to: Path) -> None:
    """Write columns of tiles side by side."""
    step = SIDE + GAP
    picture = Image.new("RGB", (step * len(columns) - GAP, step * len(columns[0]) - GAP), "white")
    for x, column in enumerate(columns):
        for y, tile in enumerate(column):
            picture.paste(tile, (x * step, y * step))
    picture.save(to)


if __name__ == "__main__":
    main()
