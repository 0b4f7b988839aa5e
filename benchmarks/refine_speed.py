"""How long the engine takes on a 256² image, warm, beside its bars and beside the arithmetic of the published first version.

    .venv/bin/python -m benchmarks.refine_speed [--refiner FOLDER] [--repeats 10]

The published program evaluates a U-Net of 59 million parameters 50 times. Here one of 56.6 million (widths 64 to 512, two
layers a level, random weights) is evaluated on the same image in the same run, and its time counted 50 times. `make bench-refine`
calls this. A busy machine makes every figure here worthless: threads that wait for each other spin.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DModel

from benchmarks.report import Figure, figure_rows, print_table, write_json
from medsynth_core.engines._base import Task
from medsynth_core.engines.refine.engine import ENGINE
from medsynth_core.engines.refine.model import load_model
from medsynth_core.models import registry
from medsynth_core.volume import Volume

SIDE = 256
BARS_S = {1: 0.25, 6: 1.2}
"""Steps → seconds, 4 CPU cores."""

V1_EVALUATIONS = 50
V1_WIDTHS = (64, 128, 256, 512)
V1_REPEATS = 3


def figures(folder: Path, repeats: int = 10, device: str = "cpu") -> list[Figure]:
    """Return the seconds of 1 and 6 steps through the engine's `run`, and the ratio of the published arithmetic to each."""
    model = load_model(folder, device)
    image, mask = _scene()
    v1 = V1_EVALUATIONS * _v1_evaluation_s(device)
    found = []
    for steps, bar in BARS_S.items():
        params, options = ENGINE.read_params({"steps": steps}, model.card)
        task = Task({"image": Volume.from_image(image), "mask": Volume.from_image(mask)}, params, 0, model, options)
        taken = _median_s(lambda task=task: list(ENGINE.run(task)), repeats)  # type: ignore[misc]
        name = f"{steps} step{'s' * (steps > 1)}, {SIDE}²"
        found.append(Figure(name, taken, "s", bar, f"published arithmetic takes {v1 / taken:.0f} times as long"))
    return [*found, Figure(f"published arithmetic, {V1_EVALUATIONS} evaluations", v1, "s", note="random weights")]


def report(folder: Path, out: Path, repeats: int = 10, device: str = "cpu") -> None:
    """Print the table and write the JSON."""
    found = figures(folder, repeats, device)
    print_table(figure_rows(found))
    settings = {"refiner": folder.name, "repeats": repeats, "device": device}
    print(f"\n{write_json(out, 'refine-speed', settings, found).name} written")


def _v1_evaluation_s(device: str) -> float:
    down, up = ("DownBlock2D",) * len(V1_WIDTHS), ("UpBlock2D",) * len(V1_WIDTHS)
    network = UNet2DModel(
        sample_size=SIDE, in_channels=4, out_channels=1, block_out_channels=V1_WIDTHS, down_block_types=down, up_block_types=up
    )
    network = network.to(device).eval()
    x = torch.randn(1, 4, SIDE, SIDE, generator=torch.Generator().manual_seed(0)).to(device)
    with torch.inference_mode():
        return _median_s(lambda: float(network(x, 100).sample.mean()), V1_REPEATS)  # the mean waits for a GPU


def _median_s(call: Callable[[], object], repeats: int) -> float:
    call()  # warm
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def _scene() -> tuple[np.ndarray, np.ndarray]:
    """Return a color image of one lesion and a rough mask of it, such as a user would paint."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    lesion = (y - 0.05) ** 2 + (x + 0.1) ** 2 < 0.2**2
    grain = np.random.default_rng(0).normal(0, 10, (SIDE, SIDE, 3))
    image = (np.where(lesion[..., None], [190, 90, 80], [150, 110, 90]) + grain).clip(0, 255).astype(np.uint8)
    return image, ((y - 0.06) ** 2 + (x + 0.08) ** 2 < 0.19**2).astype(np.uint8)


def main() -> None:
    """Measure the model that ships, or the one named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.refine_speed", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--refiner", type=Path, help="model folder; the installed refiner if not given")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    asked = parser.parse_args()
    report(asked.refiner or registry.find("refiner"), asked.out, asked.repeats, asked.device)


if __name__ == "__main__":
    main()
