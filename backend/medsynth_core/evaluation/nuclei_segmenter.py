"""A segmenter of nuclei: one fixed U-Net that draws the structure of a picture, out of which instances are cut.

Head (HoVer-Net, Graham et al. 2019, arXiv 1812.06499): a logit of being nucleus, and h, v, the distances from the centroid
(`imaging/nuclei_maps.py`). Loss as there: cross-entropy + 1 − soft Dice of the nuclei, squared error of h, v and of their slopes
inside of nuclei, the slopes doubly, for the watershed goes by them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from medsynth_core.diffusion.tiles import Window, blended, windows_over
from medsynth_core.evaluation.nuclei_views import CLASSIC, Augmentation, Image, Labeled, piece
from medsynth_core.evaluation.plain_unet import PlainUNet
from medsynth_core.evaluation.tensors import device_of, image_tensor
from medsynth_core.imaging.nuclei_maps import Instances, instances_of, maps_of

PATCH = 2
"""Computed at half resolution, drawn at full: a quarter of the time; at half, true maps still give a PQ of 0.93 to 0.98."""
PIECE_PX, WINDOW_PX = 192, 256
SLOPE_WEIGHT = 2.0


@dataclass(frozen=True)
class NucleiSegmenterSettings:
    """How the segmenter is trained; the same settings and samples give the same weights on the same device."""

    steps: int = 600
    batch: int = 8
    widths: tuple[int, ...] = (32, 64, 96, 128)
    learning_rate: float = 3e-3
    seed: int = 0
    augmentation: Augmentation = CLASSIC


def build_nuclei_segmenter(settings: NucleiSegmenterSettings) -> PlainUNet:
    """Return the untrained network: image (B, 3, y, x) → logit, h, v (B, 3, y, x)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return PlainUNet(3, 3, settings.widths, PATCH)


def train_nuclei_segmenter(network: nn.Module, samples: Sequence[Labeled], settings: NucleiSegmenterSettings) -> Iterator[float]:
    """Train `network` on samples of at least 256² pixels, all equally often drawn, yielding the loss of each step."""
    device = device_of(network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, total_steps=settings.steps)
    network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a fifth faster on a CPU
    for step in range(settings.steps):
        images, maps = (part.to(device) for part in batch_of(samples, settings, step))
        loss = structure_loss(network(images.contiguous(memory_format=torch.channels_last)), maps)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        yield float(loss.detach())
    network.eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # as it can be saved


def batch_of(samples: Sequence[Labeled], settings: NucleiSegmenterSettings, step: int) -> tuple[Tensor, Tensor]:
    """Return images in [−1, 1] and maps, both (batch, 3, 192, 192), of step number `step`."""
    rng = np.random.default_rng((settings.seed, step))
    chosen = [samples[int(i)] for i in rng.integers(len(samples), size=settings.batch)]
    pieces = [piece(labeled, PIECE_PX, settings.augmentation, rng) for labeled in chosen]
    images = image_tensor(np.stack([p.image for p in pieces]))
    return images, torch.from_numpy(np.stack([maps_of(p.instances) for p in pieces]))


def structure_loss(drawn: Tensor, maps: Tensor) -> Tensor:
    """Return the loss of logit, h, v against the true maps; both (B, 3, y, x)."""
    inside = (maps[:, :1] > 0).float()
    logit, probability = drawn[:, :1], drawn[:, :1].sigmoid()
    dice = (2 * (probability * inside).sum() + 1) / (probability.sum() + inside.sum() + 1)
    semantic = functional.binary_cross_entropy_with_logits(logit, inside) + 1 - dice
    error = drawn[:, 1:] - maps[:, 1:]
    return semantic + _mean(error.square(), inside) + SLOPE_WEIGHT * (_slope(error, inside, 3) + _slope(error, inside, 2))


def _slope(error: Tensor, inside: Tensor, axis: int) -> Tensor:
    """Return the mean squared error of a slope along an axis, where both its pixels are inside."""
    both = inside.narrow(axis, 1, inside.shape[axis] - 1) * inside.narrow(axis, 0, inside.shape[axis] - 1)
    return _mean(error.diff(dim=axis).square(), both)


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    """Return the sum over channels and mean over the pixels that have weight."""
    return (values * weights).sum() / weights.sum().clamp(min=1)


@torch.inference_mode()
def find_nuclei(network: nn.Module, image: Image) -> Instances:
    """Return the instances (y, x) seen in an image (3, y, x) of any size, in windows of the size that was learned at."""
    x = image_tensor(image[None]).to(device_of(network))
    height, width = x.shape[-2:]
    x = functional.pad(x, (0, max(0, WINDOW_PX - width), 0, max(0, WINDOW_PX - height)), mode="replicate")
    windows = windows_over((x.shape[-2], x.shape[-1]), (WINDOW_PX, WINDOW_PX))

    def predict(_: int, window: Window) -> Tensor:
        return network(window.cut(x))

    return instances_of(blended(windows, predict, x)[0, :, :height, :width].cpu().numpy())
