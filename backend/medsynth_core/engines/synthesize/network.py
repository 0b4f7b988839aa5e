"""The compact backbone: a hint encoder that runs once per image, and a denoiser that runs once per step.

    hint   (B, labels + channels, y, x)  ──HintEncoder──▶  control: one feature map a level of the denoiser
    x_t    (B, channels, y, x)           ──Denoiser─────▶  X, the predicted clean image

Pixel space with space-to-depth: obeys the mask to the pixel and has no decoder to blur small lesions. Both are diffusers
models: saved, loaded and configured as such.
"""

from __future__ import annotations

import itertools
import math

import torch
from diffusers import ConfigMixin, ModelMixin, UNet2DModel
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn import functional

Control = list[Tensor]
"""Feature maps of a hint, finest first, one for each resolution of the denoiser."""


def control_widths(widths: tuple[int, ...]) -> tuple[int, ...]:
    """Return the channels of the control at each level: what the denoiser holds on entering the level."""
    return (widths[0], *widths[:-1])


class HintEncoder(ModelMixin, ConfigMixin):
    """Control features of a hint, computed once per image.

    Hand-written because no diffusers part merges patches this way: space-to-depth and a convolution per stage (the paper's
    DHI, section 3.3), so that nothing of a one-pixel lesion is lost to a strided convolution. The zero-initialized projections
    start training from the uncontrolled denoiser (ControlNet, arXiv 2302.05543). The null control is learned: a mask that is all
    background is a legal hint and must not mean "no hint".
    """

    @register_to_config
    def __init__(self, in_channels: int = 5, widths: tuple[int, ...] = (96, 128, 160), patch: int = 8, hidden: int = 96) -> None:
        super().__init__()
        merges = int(math.log2(patch))
        inner = [in_channels, *(hidden // 2 for _ in range(merges - 1)), hidden]
        self.stem = nn.Sequential(*(_merge(a, b) for a, b in itertools.pairwise(inner)))  # (B, hidden, y/patch, x/patch)
        self.levels = nn.ModuleList([nn.Sequential(nn.Conv2d(hidden, hidden, 3, padding=1), nn.SiLU())])
        self.levels.extend(_merge(hidden, hidden) for _ in widths[1:])
        self.projections = nn.ModuleList(_zeroed(nn.Conv2d(hidden, width, 1)) for width in control_widths(widths))
        self.null = nn.ParameterList(torch.zeros(width) for width in control_widths(widths))

    def forward(self, hint: Tensor, keep: Tensor | None = None) -> Control:
        """Return [(B, 96, y/8, x/8), (B, 96, y/16, x/16), …] at patch 8; where `keep` (B,) is False, the learned null."""
        h = self.stem(hint)
        control = []
        for level, project, null in zip(self.levels, self.projections, self.null, strict=True):
            h = level(h)
            features = project(h)
            if keep is not None:
                features = torch.where(keep.view(-1, 1, 1, 1), features, null.view(1, -1, 1, 1).to(features.dtype))
            control.append(features)
        return control


class LinearHint(ModelMixin, ConfigMixin):
    """The plain alternative, for comparison: the hint concatenated to the noisy image.

    Adding a linear map of the hint to the first layer's output is that layer over the concatenation of both.
    """

    @register_to_config
    def __init__(self, in_channels: int = 5, widths: tuple[int, ...] = (96, 128, 160), patch: int = 8) -> None:
        super().__init__()
        self.first = nn.Conv2d(in_channels * patch**2, widths[0], 3, padding=1)
        self.null = nn.Parameter(torch.zeros(widths[0]))

    def forward(self, hint: Tensor, keep: Tensor | None = None) -> Control:
        """Return [(B, 96, y/8, x/8), 0, …] at patch 8; where `keep` (B,) is False, the learned null."""
        features = self.first(functional.pixel_unshuffle(hint, self.config.patch))
        if keep is not None:
            features = torch.where(keep.view(-1, 1, 1, 1), features, self.null.view(1, -1, 1, 1))
        return [features, *(features.new_zeros(()) for _ in self.config.widths[1:])]


class Denoiser(ModelMixin, ConfigMixin):
    """diffusers' U-Net on a space-to-depth grid, steered by control features, options, a target time and a guidance scale.

    Runs the U-Net's own blocks one by one, because `UNet2DModel.forward` takes no control features. Options (a tumor type, a
    plane) and the flow map's arguments r and guidance enter through the identity class embedding; `flow_map` says whether the
    network has learned what they mean (see diffusion.distil).
    """

    @register_to_config
    def __init__(
        self,
        image_channels: int = 3,
        widths: tuple[int, ...] = (96, 128, 160),
        layers_per_block: int = 1,
        option_sizes: tuple[int, ...] = (),
        flow_map: bool = False,
        patch: int = 8,
    ) -> None:
        super().__init__()
        plain = len(widths) - 1
        self.unet = UNet2DModel(
            in_channels=image_channels * patch**2,
            out_channels=image_channels * patch**2,
            block_out_channels=tuple(widths),
            layers_per_block=layers_per_block,
            # A group of one channel would normalize away what the time and the options add to it.
            norm_num_groups=min(32, min(widths) // 2),
            attention_head_dim=32,
            down_block_types=("DownBlock2D",) * plain + ("AttnDownBlock2D",),
            up_block_types=("AttnUpBlock2D",) + ("UpBlock2D",) * plain,
            class_embed_type="identity",
        )
        width = widths[0] * 4
        # One entry more than there are values: the last one is the learned null.
        self.options = nn.ModuleList(nn.Embedding(size + 1, width) for size in option_sizes)
        self.target = nn.Sequential(nn.Linear(2, width), nn.SiLU(), _zeroed(nn.Linear(width, width)))

    def forward(
        self,
        x_t: Tensor,
        t: Tensor,
        control: Control,
        options: Tensor | None = None,
        r: Tensor | None = None,
        guidance: Tensor | None = None,
    ) -> Tensor:
        """Return X, (B, channels, y, x).

        x_t: (B, channels, y, x); t, r, guidance: (B,), r None for r = t, guidance None for 1; options: (B, number of options)
        indices, the learned null if None.
        """
        unet = self.unet
        emb = unet.time_embedding(unet.time_proj(t * 1000).to(x_t.dtype)) + self._condition(t, options, r, guidance).to(x_t.dtype)
        h = unet.conv_in(functional.pixel_unshuffle(x_t, self.config.patch)) + control[0]  # (B, 96, y/8, x/8)
        skips: tuple[Tensor, ...] = (h,)
        for block, features in zip(unet.down_blocks, [*control[1:], None], strict=True):
            h, block_skips = block(hidden_states=h, temb=emb)
            h = h if features is None else h + features
            skips += block_skips
        h = unet.mid_block(h, emb)
        for block in unet.up_blocks:
            split = len(skips) - len(block.resnets)
            h = block(h, skips[split:], emb)
            skips = skips[:split]
        h = unet.conv_out(unet.conv_act(unet.conv_norm_out(h)))
        return functional.pixel_shuffle(h, self.config.patch)

    def _condition(self, t: Tensor, options: Tensor | None, r: Tensor | None, guidance: Tensor | None) -> Tensor:
        step = torch.zeros_like(t) if r is None else t - r
        scale = torch.zeros_like(t) if guidance is None else guidance - 1
        emb = self.target(torch.stack([step, scale], dim=1).to(self.dtype))
        for i, (table, size) in enumerate(zip(self.options, self.config.option_sizes, strict=True)):
            null = torch.full((len(t),), size, device=t.device)
            emb = emb + table(null if options is None else options[:, i])
        return emb


def _merge(width: int, wider: int) -> nn.Sequential:
    return nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(width * 4, wider, 3, padding=1), nn.SiLU())


def _zeroed(layer: nn.Module) -> nn.Module:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
