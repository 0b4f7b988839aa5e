"""The refiner: an image encoder that runs once per image, and a mask network that runs once per step.

    image        (B, 3, y, x)                ──ImageEncoder──▶  features: one map a level of the mask network
    x_t, coarse  (B, 1, y, x) each           ──MaskNetwork───▶  logits (B, 1, y, x) of the fine mask

The three image channels are red, green and blue, or, of a grey image, the slice below, the slice and the slice above. `coarse` is
the given mask as a signed distance. Both parts are diffusers models: saved, loaded and configured as such.
"""

from __future__ import annotations

import itertools

import torch
from diffusers import ConfigMixin, ModelMixin, UNet2DModel
from diffusers.configuration_utils import register_to_config
from diffusers.models.unets.unet_2d_blocks import DownEncoderBlock2D
from torch import Tensor, nn
from torch.nn import functional

Features = list[Tensor]
"""Feature maps of an image, finest first."""
WIDTHS = (32, 64, 96, 128)
GROUPS = 8
TRUST = 2.0
"""How much an untrained network believes the coarse mask: it starts by giving it back."""


class ImageEncoder(ModelMixin, ConfigMixin):
    """Image features at every resolution of the mask network, from diffusers' residual blocks without a time."""

    @register_to_config
    def __init__(self, widths: tuple[int, ...] = WIDTHS, patch: int = 2) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3 * patch**2, widths[0], 3, padding=1)
        sizes = list(itertools.pairwise((widths[0], *widths)))
        self.blocks = nn.ModuleList(
            DownEncoderBlock2D(a, b, num_layers=1, resnet_groups=GROUPS, add_downsample=i < len(sizes) - 1)
            for i, (a, b) in enumerate(sizes)
        )

    def forward(self, image: Tensor) -> Features:
        """Return [(B, 32, y/2, x/2), (B, 32, y/4, x/4), …, (B, 128, y/16, x/16)] of an image in [−1, 1]."""
        h = self.stem(functional.pixel_unshuffle(image, self.config.patch))
        features = [h]
        for block in self.blocks:
            h = block(h)
            features.append(h)
        return features


class MaskNetwork(ModelMixin, ConfigMixin):
    """diffusers' U-Net over the noisy and the coarse mask, with image features added at every level.

    Runs the U-Net's own blocks one by one, because `UNet2DModel.forward` takes no features. The class embedding says which of the
    two processes made x_t.
    """

    @register_to_config
    def __init__(self, widths: tuple[int, ...] = WIDTHS, patch: int = 2) -> None:
        super().__init__()
        plain = len(widths) - 1
        self.unet = UNet2DModel(
            in_channels=2 * patch**2,
            out_channels=patch**2,
            block_out_channels=tuple(widths),
            layers_per_block=1,
            norm_num_groups=GROUPS,
            attention_head_dim=32,
            down_block_types=("DownBlock2D",) * plain + ("AttnDownBlock2D",),
            up_block_types=("AttnUpBlock2D",) + ("UpBlock2D",) * plain,
            num_class_embeds=2,
        )
        self.trust = nn.Parameter(torch.tensor(TRUST))

    def forward(self, x_t: Tensor, t: Tensor, coarse: Tensor, features: Features, process: Tensor) -> Tensor:
        """Return the logits of the fine mask, (B, 1, y, x).

        x_t: (B, 1, y, x), in {−1, 1} or with Gaussian noise; t: (B,) in [0, 1]; coarse: (B, 1, y, x) signed distance in [−1, 1],
        positive inside; process: (B,) long, 0 discrete, 1 Gaussian.
        """
        unet, patch = self.unet, self.config.patch
        emb = unet.time_embedding(unet.time_proj(t * 1000).to(x_t.dtype)) + unet.class_embedding(process)
        masks = torch.cat([x_t, coarse], dim=1)
        h = unet.conv_in(functional.pixel_unshuffle(masks, patch)) + features[0]  # (B, 32, y/2, x/2)
        skips: tuple[Tensor, ...] = (h,)
        for block, seen in zip(unet.down_blocks, features[1:], strict=True):
            h, block_skips = block(hidden_states=h, temb=emb)
            h = h + seen
            skips += block_skips
        h = unet.mid_block(h, emb)
        for block in unet.up_blocks:
            split = len(skips) - len(block.resnets)
            h = block(h, skips[split:], emb)
            skips = skips[:split]
        h = unet.conv_out(unet.conv_act(unet.conv_norm_out(h)))
        return functional.pixel_shuffle(h, patch) + self.trust * coarse
