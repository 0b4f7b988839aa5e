"""The networks that segment in a study: a U-Net of ours, and MONAI's, so that a gain is not the whim of one network.

MONAI's is the one of its own tutorials (monai.networks.nets.UNet, residual units, instance norm): 1.6 million weights, ours 0.9.
"""

from __future__ import annotations

import torch
from torch import nn

from medsynth_core.errors import ParameterError
from medsynth_core.evaluation.plain_unet import PlainUNet

OURS, MONAI = "ours", "monai"
NETWORKS = (OURS, MONAI)
FINE, COARSE = 2, 4
"""Space-to-depth of our network. COARSE: 128² pictures are segmented on a 32² grid, in a quarter of the time and, on the training
side of PolypGen, as well (Dice 0.49 from a tenth of it either way); too coarse for nuclei."""
OUR_WIDTHS = {FINE: (32, 64, 96, 128), COARSE: (32, 64, 128, 160)}
MONAI_WIDTHS, MONAI_STRIDES, MONAI_UNITS = (16, 32, 64, 128, 256), (2, 2, 2, 2), 2
MONAI_RATE, OUR_RATES = 2e-3, {FINE: 4e-3, COARSE: 2e-3}


def learning_rate(name: str, patch: int = FINE) -> float:
    """Return the highest rate of the cycle that a network learns at."""
    return MONAI_RATE if name == MONAI else OUR_RATES[patch]


def build_unet(name: str, in_channels: int, out_channels: int, seed: int, patch: int = FINE) -> nn.Module:
    """Return an untrained network (B, in, y, x) → (B, out, y, x); a seed gives the same weights.

    Sides must be divisible by 16, or by 32 for ours at the patch COARSE.

    Raises ParameterError for an unknown name, and for MONAI's where it is not installed.
    """
    if name not in NETWORKS:
        raise ParameterError(f"segmenter is {name!r}: it must be one of {', '.join(NETWORKS)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if name == OURS:
            return PlainUNet(in_channels, out_channels, OUR_WIDTHS[patch], patch)
        return _monai(in_channels, out_channels)


def _monai(in_channels: int, out_channels: int) -> nn.Module:
    try:
        from monai.networks.nets import UNet
    except ModuleNotFoundError:
        way_out = 'run pip install "napari-medsynth[evaluate]", or take --segmenter ours'
        raise ParameterError(f"segmenter is {MONAI!r}, but MONAI is not installed: {way_out}") from None
    return UNet(2, in_channels, out_channels, MONAI_WIDTHS, MONAI_STRIDES, num_res_units=MONAI_UNITS)
