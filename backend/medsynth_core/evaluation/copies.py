"""Is an image a copy of one that was learned from? A network that knows images again names candidates for `copies_search`.

    threshold = 95th percentile of the likeness of real held-out images to their nearest training image
    flagged   = images more alike to a training image than that

The network, f, learns on the training images alone to find an image again among all others after it was slightly warped and
recolored (InfoNCE, van den Oord et al. 2018, arXiv 1807.03748); batches of look-alikes were tried and left out. A share of
flagged images near 5 % is what real images have; what lies above it is memory. Source: methods.md, 5.5.

Engine-neutral: images are (n, c, y, x) uint8, one channel or three, of one size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from medsynth_core.evaluation.features import contrastive_loss
from medsynth_core.evaluation.generator import Images
from medsynth_core.evaluation.jitter import Jitter, move
from medsynth_core.evaluation.tensors import device_of, image_tensor

SIDE = 64
PERCENTILE = 95.0
BATCH_AT_TEST = 256
WARP_GRID = 4
"""Control points a side of the smooth displacements a copy may have."""
SLIGHT = Jitter(zoom=(0.88, 1.12), shift=0.05, turn=0.15, light=0.25, mirror=(False, False))
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class CopySettings:
    """How the network is trained. `warp` is the largest smooth displacement as a share of the side."""

    steps: int = 400
    batch: int = 64
    widths: tuple[int, ...] = (32, 64, 96, 128)
    length: int = 128
    learning_rate: float = 1e-3
    temperature: float = 0.1
    seed: int = 0
    jitter: Jitter = SLIGHT
    warp: float = 0.04


@dataclass(frozen=True, eq=False)
class Nearest:
    """For each image the training image it is most like, and how like: (n,) and (n,)."""

    index: npt.NDArray[np.intp]
    likeness: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CopyCheck:
    """What was found: the threshold, the flags of the samples (n,), their nearest images, and the share of real ones flagged."""

    threshold: float
    flags: npt.NDArray[np.bool_]
    nearest: Nearest
    held_out_share: float

    @property
    def share(self) -> float:
        """The share of samples flagged."""
        return float(self.flags.mean())


class CopyNetwork(nn.Module):
    """(B, C, 64, 64) → unit vectors (B, length). Places are kept, nothing is pooled: heads differ by what lies where."""

    def __init__(self, channels: int, settings: CopySettings) -> None:
        super().__init__()
        pairs = zip((channels, *settings.widths[:-1]), settings.widths, strict=True)
        self.stages = nn.Sequential(*(_stage(n, wider) for n, wider in pairs))
        left = SIDE // 2 ** len(settings.widths)
        self.last = nn.Linear(settings.widths[-1] * left**2, settings.length)

    def forward(self, x: Tensor) -> Tensor:
        """Return the vectors."""
        return functional.normalize(self.last(self.stages(x).flatten(1)), dim=1)


def build_copy_network(channels: int, settings: CopySettings) -> CopyNetwork:
    """Return the untrained network."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return CopyNetwork(channels, settings)


def train_copy_network(network: CopyNetwork, training: Images, settings: CopySettings) -> Iterator[float]:
    """Train on the images that a generator learned from, yielding the loss of each step."""
    x = shrunk(training, SIDE).to(device_of(network))
    generator = torch.Generator().manual_seed(settings.seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, total_steps=settings.steps)
    network.train()
    for _ in range(settings.steps):
        chosen = x[torch.randperm(len(x), generator=generator)[: settings.batch]]
        a, b = (network(disguised(chosen, settings, generator)) for _ in range(2))
        loss = contrastive_loss(a, b, b[:0], settings.temperature)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        yield float(loss.detach())
    network.eval()


def disguised(images: Tensor, settings: CopySettings, generator: torch.Generator) -> Tensor:
    """Return images (B, C, y, x) in [−1, 1] slightly warped and recolored: what a copy may look like."""
    moved = move(settings.jitter.geometry(len(images), generator), images)
    moved = warped(moved, settings.warp, generator)
    gamma = torch.exp(0.5 * torch.randn(len(images), 1, 1, 1, generator=generator)).to(images)
    tint = 1 + 0.15 * torch.randn(len(images), images.shape[1], 1, 1, generator=generator).to(images)
    curved = ((moved + 1) / 2).clamp(0, 1) ** gamma * 2 - 1
    noise = 0.04 * torch.randn(images.shape, generator=generator).to(images)
    return settings.jitter.relight(((curved + 1) * tint - 1).clamp(-1, 1), generator) + noise


def warped(images: Tensor, amount: float, generator: torch.Generator) -> Tensor:
    """Return images (B, C, y, x) under a smooth random displacement of up to about `amount` of the side."""
    coarse = amount * torch.randn(len(images), 2, WARP_GRID, WARP_GRID, generator=generator).to(images)
    field = functional.interpolate(coarse, images.shape[2:], mode="bicubic", align_corners=True)
    identity = torch.eye(2, 3, device=images.device).expand(len(images), 2, 3)
    grid = functional.affine_grid(identity, list(images.shape), align_corners=False) + field.permute(0, 2, 3, 1)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def judged(found: Nearest, usual: npt.NDArray[np.float64]) -> CopyCheck:
    """Return which samples are more like a training image than 95 % of real held-out ones are, `usual` (m,)."""
    threshold = float(np.percentile(usual, PERCENTILE, method="higher"))
    return CopyCheck(threshold, found.likeness > threshold, found, float((usual > threshold).mean()))


@torch.no_grad()
def vectors(network: CopyNetwork, images: Images) -> Vectors:
    """Return unit vectors (n, length) of images (n, c, y, x)."""
    x = shrunk(images, SIDE).to(device_of(network))
    return torch.cat([network(part).cpu() for part in x.split(BATCH_AT_TEST)]).numpy()


def shrunk(images: Images, side: int) -> Tensor:
    """Return (n, c, side, side) in [−1, 1]."""
    return functional.interpolate(image_tensor(images), (side, side), mode="area")


def _stage(width: int, wider: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(width, wider, 4, stride=2, padding=1), nn.GroupNorm(8, wider), nn.SiLU())
