"""The one-step baseline: a conditional GAN in the manner of pix2pix (Isola et al., CVPR 2017, arXiv 1611.07004).

    m  mask and options, x  image, z  noise map, G  U-Net, D  PatchGAN
    L_D = ½·(D(m, x) − 1)² + ½·D(m, G(m, z))²          (1)  least squares, as the authors' later code
    L_G = (D(m, G(m, z)) − 1)² + 100·|G(m, z) − x|     (2)  the paper's weight of L1

One departure: noise enters as an input map, not as dropout, so that a seed gives the same image every time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from medsynth_core.evaluation.generator import Images, Masks, Options, Pairs
from medsynth_core.evaluation.jitter import Jitter, move
from medsynth_core.evaluation.plain_unet import PlainUNet
from medsynth_core.evaluation.tensors import device_of, image_array, image_tensor, mask_tensor, option_planes

NOISE_CHANNELS = 4
PATCH = 2
"""The generator works on half the grid: four times the steps in the same time, to be a fair rival on a CPU."""

L1_WEIGHT = 100.0
BATCH_AT_TEST = 16
GENTLE = Jitter(zoom=(0.92, 1.08), shift=0.04, turn=0.0, light=0.0, mirror=(True, False))


@dataclass(frozen=True)
class BaselineSettings:
    """How the baseline is trained: until `seconds` are used up or `steps` are done, whichever comes first."""

    seconds: float = 600.0
    steps: int = 1_000_000
    batch: int = 16
    widths: tuple[int, ...] = (48, 96, 160, 192)
    learning_rate: float = 2e-4
    seed: int = 0
    jitter: Jitter = GENTLE


class Baseline(nn.Module):
    """Generator and discriminator for images of `channels` and a vocabulary of `labels`."""

    def __init__(self, channels: int, labels: int, option_sizes: tuple[int, ...], settings: BaselineSettings) -> None:
        super().__init__()
        self.labels, self.option_sizes = labels, option_sizes
        condition = labels + sum(option_sizes)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.generator = PlainUNet(condition + NOISE_CHANNELS, channels, settings.widths, PATCH)
            self.discriminator = _patch_gan(condition + channels)

    def condition(self, masks: Masks, options: Options) -> Tensor:
        """Return (n, labels + options, y, x)."""
        planes = option_planes(options, self.option_sizes, (masks.shape[1], masks.shape[2]))
        return torch.cat([mask_tensor(masks, self.labels), planes], dim=1).to(device_of(self))

    def draw(self, condition: Tensor, noise: Tensor) -> Tensor:
        """Return images in [−1, 1]."""
        return torch.tanh(self.generator(torch.cat([condition, noise], dim=1)))

    @torch.no_grad()
    def __call__(self, masks: Masks, options: Options, seeds: Sequence[int]) -> Images:
        """Make one image for each mask: a `Generator`."""
        conditions = self.condition(masks, options)
        shape = (NOISE_CHANNELS, *masks.shape[1:])
        noise = torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds])
        noise = noise.to(conditions)
        parts = zip(conditions.split(BATCH_AT_TEST), noise.split(BATCH_AT_TEST), strict=True)
        return np.concatenate([image_array(self.draw(c, z)) for c, z in parts])


def train_baseline(baseline: Baseline, real: Pairs, settings: BaselineSettings) -> Iterator[tuple[float, float]]:
    """Train on real pairs, yielding (L_D, L_G) of each step."""
    images, conditions = image_tensor(real.images).to(device_of(baseline)), baseline.condition(real.masks, real.options)
    random = torch.Generator().manual_seed(settings.seed)
    adam_g, adam_d = (
        torch.optim.Adam(network.parameters(), lr=settings.learning_rate, betas=(0.5, 0.999))
        for network in (baseline.generator, baseline.discriminator)
    )
    started = time.monotonic()
    for _ in range(settings.steps):
        if time.monotonic() - started > settings.seconds:
            return
        chosen = torch.randint(len(images), (settings.batch,), generator=random)
        theta = settings.jitter.geometry(settings.batch, random)
        x, m = move(theta, images[chosen]), move(theta, conditions[chosen], "nearest")
        noise = torch.randn(len(x), NOISE_CHANNELS, *x.shape[2:], generator=random).to(x)
        fake = baseline.draw(m, noise)

        loss_d = (_score(baseline, m, x) - 1).square().mean() / 2 + _score(baseline, m, fake.detach()).square().mean() / 2  # (1)
        _step(adam_d, loss_d)
        loss_g = (_score(baseline, m, fake) - 1).square().mean() + L1_WEIGHT * functional.l1_loss(fake, x)  # (2)
        _step(adam_g, loss_g)
        yield float(loss_d.detach()), float(loss_g.detach())


def _score(baseline: Baseline, m: Tensor, x: Tensor) -> Tensor:
    return baseline.discriminator(torch.cat([m, x], dim=1))


def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def _patch_gan(channels: int, widths: tuple[int, ...] = (48, 96, 192)) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n, wider in zip((channels, *widths[:-1]), widths, strict=True):
        first = n == channels  # which has no norm, as in the paper
        layers += [
            nn.Conv2d(n, wider, 4, stride=2, padding=1),
            nn.Identity() if first else nn.GroupNorm(8, wider),
            nn.LeakyReLU(0.2),
        ]
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, padding=1))  # one score for each patch
