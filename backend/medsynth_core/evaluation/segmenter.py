"""A segmenter trained on real images only: the judge of mask adherence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from medsynth_core.evaluation.generator import Images, Masks, Pairs
from medsynth_core.evaluation.jitter import Jitter, move
from medsynth_core.evaluation.plain_unet import PlainUNet
from medsynth_core.evaluation.tensors import device_of, image_tensor, mask_tensor

BATCH_AT_TEST = 32
WIDE = Jitter()
PATCH = 2
"""128² images are segmented on a 64² grid: a fifth of the time, and the context of a whole lesion."""


@dataclass(frozen=True)
class SegmenterSettings:
    """How the segmenter is trained; the same settings and images give the same weights on the same device."""

    steps: int = 1500
    batch: int = 16
    widths: tuple[int, ...] = (32, 64, 96, 128)
    learning_rate: float = 4e-3
    seed: int = 0
    jitter: Jitter = WIDE


def build_segmenter(channels: int, labels: int, settings: SegmenterSettings) -> PlainUNet:
    """Return the untrained network: image (B, channels, y, x) → logits (B, labels, y, x)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return PlainUNet(channels, labels, settings.widths, PATCH)


def train_segmenter(network: nn.Module, real: Pairs, settings: SegmenterSettings) -> Iterator[float]:
    """Train `network` on real pairs, yielding the loss of each step."""
    device = device_of(network)
    images, masks = image_tensor(real.images).to(device), mask_tensor(real.masks, real.labels).to(device)
    generator = torch.Generator().manual_seed(settings.seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, total_steps=settings.steps)
    network.train()
    for _ in range(settings.steps):
        chosen = torch.randint(len(images), (settings.batch,), generator=generator)
        theta = settings.jitter.geometry(settings.batch, generator)
        x = settings.jitter.relight(move(theta, images[chosen]), generator)
        loss = segmentation_loss(network(x), move(theta, masks[chosen], "nearest"))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        yield float(loss.detach())
    network.eval()


def segmentation_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Return cross-entropy + (1 − soft Dice of the foreground labels); both (B, labels, y, x), truth one-hot."""
    cross_entropy = functional.cross_entropy(logits, truth)
    probability, target = logits.softmax(dim=1)[:, 1:], truth[:, 1:]
    both = (probability * target).sum(dim=(2, 3))
    total = probability.sum(dim=(2, 3)) + target.sum(dim=(2, 3))
    return cross_entropy + 1 - ((2 * both + 1) / (total + 1)).mean()


@torch.no_grad()
def segment(network: nn.Module, images: Images) -> Masks:
    """Return the labels (n, y, x) uint8 the network sees in images (n, c, y, x)."""
    x = image_tensor(images).to(device_of(network))
    found = [network(part).argmax(dim=1).to(torch.uint8).cpu().numpy() for part in x.split(BATCH_AT_TEST)]
    return np.concatenate(found)
