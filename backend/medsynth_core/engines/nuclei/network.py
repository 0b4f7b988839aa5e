"""The two networks: a denoiser that serves structures and images alike, and what brings a structure to it.

    x_t       (B, C, y, x)     noisy maps or image; known positions carry a small noise time, free ones the time of the step
    times     (B, 1, y, x)     noise time of each position: what is kept is nothing else than a small time
    numbers   (B, n)           density and size, or the stain; each with a learned null
    control   features of the structure: added on the way down (HintEncoder), or gamma and beta on the way up (Spade)

A grid of 64² at 32 channels costs a CPU hardly more than one of 32² at 96 (0.071 against 0.064 s an image and training step on
one thread) and gives contours and chromatin four times the places, so both networks start there: structures as 128² by 2, images
as 256² by 4. Blocks are diffusers'; its U-Net's own forward takes neither control nor times by position.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch
from diffusers import ConfigMixin, ModelMixin, UNet2DModel
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn import functional

HINT_CHANNELS = 4
"""semantic, h, v, instance edge."""
STAIN_NUMBERS, STRUCTURE_NUMBERS = 11, 2


@dataclass(frozen=True)
class Control:
    """What a structure says to the denoiser, worked out once per image.

    `added`: one map a level on the way down, finest first. `modulating`: (gamma, beta) a level on the way up, coarsest first.
    """

    added: tuple[Tensor, ...] = ()
    modulating: tuple[tuple[Tensor, Tensor], ...] = ()


class Denoiser(ModelMixin, ConfigMixin):
    """diffusers' U-Net on a space-to-depth grid; predicts the clean maps or image."""

    @register_to_config
    def __init__(
        self,
        channels: int = 3,
        numbers: int = STRUCTURE_NUMBERS,
        widths: tuple[int, ...] = (32, 64, 128, 192),
        patch: int = 2,
        layers_per_block: int = 1,
    ) -> None:
        super().__init__()
        plain = len(widths) - 1
        self.unet = UNet2DModel(
            in_channels=(channels + 1) * patch**2,
            out_channels=channels * patch**2,
            block_out_channels=tuple(widths),
            layers_per_block=layers_per_block,
            norm_num_groups=min(32, min(widths) // 2),  # a group of one channel would lose what the time adds to it
            attention_head_dim=32,
            down_block_types=("DownBlock2D",) * plain + ("AttnDownBlock2D",),
            up_block_types=("AttnUpBlock2D",) + ("UpBlock2D",) * plain,
            class_embed_type="identity",
        )
        embed = widths[0] * 4
        self.null = nn.Parameter(torch.zeros(numbers))
        self.told = nn.Sequential(nn.Linear(2 * numbers, embed), nn.SiLU(), nn.Linear(embed, embed))

    def forward(self, x_t: Tensor, times: Tensor, numbers: Tensor, asked: Tensor, control: Control | None = None) -> Tensor:
        """Return X, (B, C, y, x). `asked` (B, n) bool: where False, the learned null stands for the number."""
        unet, patch, control = self.unet, self.config.patch, control or Control()
        t = times.amax(dim=(1, 2, 3))  # how noisy it is where it is new
        told = torch.cat([torch.where(asked, numbers, self.null.expand_as(numbers)), asked.to(numbers.dtype)], dim=1)
        emb = unet.time_embedding(unet.time_proj(t * 1000).to(x_t.dtype)) + self.told(told)
        h = unet.conv_in(functional.pixel_unshuffle(torch.cat([x_t, times], dim=1), patch))  # (B, 32, y/patch, x/patch)
        added = (*control.added, *[None] * (len(unet.down_blocks) + 1 - len(control.added)))
        h = h if added[0] is None else h + added[0]
        skips: tuple[Tensor, ...] = (h,)
        for block, features in zip(unet.down_blocks, added[1:], strict=True):
            h, block_skips = block(hidden_states=h, temb=emb)
            h = h if features is None else h + features
            skips += block_skips
        h = unet.mid_block(h, emb)
        for i, block in enumerate(unet.up_blocks):
            if control.modulating:
                gamma, beta = control.modulating[i]
                h = functional.group_norm(h, unet.config.norm_num_groups) * (1 + gamma) + beta
            split = len(skips) - len(block.resnets)
            h = block(h, skips[split:], emb)
            skips = skips[:split]
        return functional.pixel_shuffle(unet.conv_out(unet.conv_act(unet.conv_norm_out(h))), patch)


class HintEncoder(ModelMixin, ConfigMixin):
    """Features of a structure for the way down, as engine `synthesize` brings a mask to its denoiser.

    Space-to-depth keeps a border of one pixel; zeroed projections start from the uncontrolled denoiser (ControlNet, arXiv
    2302.05543); the null is learned, because a field without nuclei is a legal structure.
    """

    @register_to_config
    def __init__(
        self, in_channels: int = HINT_CHANNELS, widths: tuple[int, ...] = (32, 64, 128, 192), patch: int = 4, hidden: int = 48
    ) -> None:
        super().__init__()
        inner = [in_channels, *(hidden // 2 for _ in range(int(math.log2(patch)) - 1)), hidden]
        self.stem = nn.Sequential(*(_merge(a, b) for a, b in itertools.pairwise(inner)))  # (B, hidden, y/patch, x/patch)
        self.levels = nn.ModuleList([nn.Sequential(nn.Conv2d(hidden, hidden, 3, padding=1), nn.SiLU())])
        self.levels.extend(_merge(hidden, hidden) for _ in widths[1:])
        entered = (widths[0], *widths[:-1])
        self.projections = nn.ModuleList(_zeroed(nn.Conv2d(hidden, width, 1)) for width in entered)
        self.null = nn.ParameterList(torch.zeros(width) for width in entered)

    def forward(self, hint: Tensor, keep: Tensor | None = None) -> Control:
        """Return the control of hints (B, 4, y, x); where `keep` (B,) is False, the learned null."""
        h, added = self.stem(hint), []
        for level, project, null in zip(self.levels, self.projections, self.null, strict=True):
            h = level(h)
            added.append(_kept(project(h), null, keep))
        return Control(added=tuple(added))


class Spade(ModelMixin, ConfigMixin):
    """Gamma and beta of each level on the way up (SPADE, arXiv 1903.07291; in NuDiff in middle and decoder), the paper's way.

    They depend on the structure alone: worked out once per image and kept for all its steps.
    """

    @register_to_config
    def __init__(
        self, in_channels: int = HINT_CHANNELS, widths: tuple[int, ...] = (32, 64, 128, 192), patch: int = 4, hidden: int = 48
    ) -> None:
        super().__init__()
        entering = (widths[-1], *reversed(widths[1:]))
        depths = [min(len(widths) - 1, len(widths) - 1 - i) for i in range(len(widths))]
        self.cells = tuple(patch * 2**depth for depth in depths)
        self.shared = nn.ModuleList(nn.Conv2d(in_channels + 1, hidden, 3, padding=1) for _ in widths)
        self.modulations = nn.ModuleList(_zeroed(nn.Conv2d(hidden, 2 * width, 3, padding=1)) for width in entering)
        self.null = nn.ParameterList(torch.zeros(2 * width) for width in entering)

    def forward(self, hint: Tensor, keep: Tensor | None = None) -> Control:
        """Return gamma and beta of hints (B, 4, y, x), coarsest first; where `keep` (B,) is False, the learned null."""
        pairs = []
        seen = torch.cat([hint, hint[:, :1].abs()], dim=1)  # the last channel is 1: where padding begins, it is 0
        for cell, shared, modulate, null in zip(self.cells, self.shared, self.modulations, self.null, strict=True):
            features = functional.silu(shared(functional.avg_pool2d(seen, cell)))
            gamma, beta = _kept(modulate(features), null, keep).chunk(2, dim=1)
            pairs.append((gamma, beta))
        return Control(modulating=tuple(pairs))


HINTS = {"HintEncoder": HintEncoder, "Spade": Spade}


def _kept(features: Tensor, null: Tensor, keep: Tensor | None) -> Tensor:
    if keep is None:
        return features
    return torch.where(keep.view(-1, 1, 1, 1), features, null.view(1, -1, 1, 1).to(features.dtype))


def _merge(width: int, wider: int) -> nn.Sequential:
    return nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(width * 4, wider, 3, padding=1), nn.SiLU())


def _zeroed(layer: nn.Module) -> nn.Module:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
