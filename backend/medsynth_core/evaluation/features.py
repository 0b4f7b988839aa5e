"""A feature network trained on real images, without labels: what KID looks through.

Two crops of one image must be found again among the crops of others and among degraded crops, blurred or noisy ones of the same
images included (InfoNCE, van den Oord et al. 2018, arXiv 1807.03748):

    z, z', d   unit vectors of a crop, another crop, a degraded crop
    L = −log  exp(z·z' / T) / Σ_j [exp(z·z'_j / T) + exp(z·d_j / T)]     (1)

Crops are cut at whole pixels: zoomed ones were tried, and taught the network that sharpness does not matter.

Features are the pooled maps of every stage, so that texture counts as well as content, standardized on the training images and
scaled to one length: an outlier then weighs no more in KID than another image, and KID × 1000 lies below 16 000. Nothing is
downloaded. Figures of different feature networks do not compare, which is why its name goes with each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from medsynth_core.evaluation.generator import Images
from medsynth_core.evaluation.metrics import Features
from medsynth_core.evaluation.tensors import device_of, image_tensor

BATCH_AT_TEST = 64
NOISE = 0.08


@dataclass(frozen=True)
class FeatureSettings:
    """How the feature network is trained; `crop` is a view's share of the side. Light is not varied: a wrong tint must show."""

    steps: int = 1000
    batch: int = 48
    widths: tuple[int, ...] = (24, 48, 96, 128)
    learning_rate: float = 1e-3
    temperature: float = 0.2
    seed: int = 0
    crop: float = 0.75


class FeatureNetwork(nn.Module):
    """(B, C, y, x) → (B, sum of widths): each stage halves the grid and adds its mean to the features."""

    mean: Tensor
    scale: Tensor

    def __init__(self, channels: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(_stage(n, wider) for n, wider in zip((channels, *widths[:-1]), widths, strict=True))
        self.head = nn.Sequential(nn.Linear(sum(widths), 128), nn.SiLU(), nn.Linear(128, 64))
        self.register_buffer("mean", torch.zeros(sum(widths)))
        self.register_buffer("scale", torch.ones(sum(widths)))

    def forward(self, x: Tensor) -> Tensor:
        """Return the pooled maps, as they are."""
        pooled = []
        for stage in self.stages:
            x = stage(x)  # (B, width, y/2, x/2)
            pooled.append(x.mean(dim=(2, 3)))
        return torch.cat(pooled, dim=1)

    def standardized(self, x: Tensor) -> Tensor:
        """Return the features (B, d), each of length √d."""
        deviations = (self(x) - self.mean) / self.scale
        return functional.normalize(deviations, dim=1) * deviations.shape[1] ** 0.5


def build_features(channels: int, settings: FeatureSettings) -> FeatureNetwork:
    """Return the untrained network."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return FeatureNetwork(channels, settings.widths)


def train_features(network: FeatureNetwork, images: Images, settings: FeatureSettings) -> Iterator[float]:
    """Train `network` on real images (n, c, y, x), yielding the loss of each step; standardizes it at the end."""
    x = image_tensor(images).to(device_of(network))
    generator = torch.Generator().manual_seed(settings.seed)
    batch = min(settings.batch, len(x))
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, total_steps=settings.steps)
    network.train()
    for _ in range(settings.steps):
        chosen = x[torch.randperm(len(x), generator=generator)[:batch]]
        views = [_crop(chosen, settings.crop, generator) for _ in range(3)]
        views[2] = _degraded(views[2], generator)
        z, other, bad = (functional.normalize(network.head(network(view)), dim=1) for view in views)
        loss = contrastive_loss(z, other, bad, settings.temperature)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        yield float(loss.detach())
    network.eval()
    _standardize(network, x)


def contrastive_loss(z: Tensor, other: Tensor, bad: Tensor, temperature: float) -> Tensor:
    """Return (1). z, other, bad: (B, d) unit vectors of two views and of a degraded view of the same B images."""
    likeness = z @ torch.cat([other, bad]).T / temperature  # (B, 2B)
    return functional.cross_entropy(likeness, torch.arange(len(z), device=z.device))


def features(network: FeatureNetwork, images: Images) -> Features:
    """Return (n, d) float64 features of images (n, c, y, x)."""
    return _in_parts(network.standardized, image_tensor(images).to(device_of(network))).double().numpy()


def _crop(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Return one crop of each image at whole pixels, half of them mirrored."""
    height, width = (round(share * side) for side in images.shape[2:])
    tops, lefts = (
        torch.randint(side - part + 1, (len(images),), generator=generator).tolist()
        for side, part in zip(images.shape[2:], (height, width), strict=True)
    )
    crops = torch.stack([x[:, t : t + height, f : f + width] for x, t, f in zip(images, tops, lefts, strict=True)])
    mirrored = (torch.rand(len(images), 1, 1, 1, generator=generator) < 0.5).to(images.device)
    return torch.where(mirrored, crops.flip(3), crops)


def _degraded(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return half of the images blurred over 3×3 pixels, the other half with noise."""
    blurred = functional.avg_pool2d(functional.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    noisy = images + NOISE * torch.randn(images.shape, generator=generator).to(images.device)
    soft = (torch.rand(len(images), 1, 1, 1, generator=generator) < 0.5).to(images.device)
    return torch.where(soft, blurred, noisy)


def _standardize(network: FeatureNetwork, x: Tensor) -> None:
    pooled = _in_parts(network, x)
    network.mean.copy_(pooled.mean(dim=0))
    network.scale.copy_(pooled.std(dim=0).clamp_min(1e-6))


@torch.no_grad()
def _in_parts(call: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    return torch.cat([call(part).cpu() for part in x.split(BATCH_AT_TEST)])


def _stage(width: int, wider: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(width, wider, 4, stride=2, padding=1), nn.GroupNorm(8, wider), nn.SiLU())
