"""The Siamese objective as published, in noise prediction on latents (Siamese-Diffusion, CVPR 2025, section 3.2).

    z0, ε        latents, noise            z_t = √ā_t·z0 + √(1−ā_t)·ε
    C, U         control network, denoiser (all parameters shared by both branches)
    c_m = C(z_t, mask)                     (1)     e_m = U(z_t, t, c_m)                     mask branch
    c_x = sg[c_m] + w·C(z_t, image)        (2)     e_i = sg[U](z_t, t, c_x), w = step/steps image branch
    L_m = ‖e_m − ε‖²    L_i = ‖e_i − ε‖²   (3)
    L_c = ‖e_m − sg[e_i]‖²                 (4)     noise consistency
    L_a = ‖U(z'_t, t, C(z'_t, mask)) − ε‖² (5)     z'_0 = sg[(z_t − √(1−ā_t)·e_i)/√ā_t], noised with the same ε and t;
                                                   only when step > steps/3 and t ≤ 200
    L   = L_m + L_i + L_c + L_a            (6)     all weights 1

sg is stop-gradient; sg[U] detaches the denoiser's parameters, so that L_i reaches the control network only.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from torch import Tensor
from torch.func import functional_call

LATE_FROM, LATE_T = 1 / 3, 200
TIMES = 1000

Control = list[Tensor]
"""The control network's residuals: one for each skip of the denoiser, finest first, then that of its middle."""


@dataclass(frozen=True)
class LatentBatch:
    """One step's draw: z0, noise (B, 4, y/8, x/8); t (B,) whole; text (B, tokens, width); hints (B, 3, y, x) in [0, 1]."""

    z0: Tensor
    noise: Tensor
    t: Tensor
    text: Tensor
    mask_hint: Tensor
    image_hint: Tensor

    def only(self, chosen: Tensor) -> LatentBatch:
        """Return the items where `chosen` (B,) is True."""
        parts = (self.z0, self.noise, self.t, self.text, self.mask_hint, self.image_hint)
        return LatentBatch(*(part[chosen] for part in parts))


def noised(z0: Tensor, noise: Tensor, signal: Tensor) -> Tensor:
    """Return z_t; `signal` (B,) is ā_t."""
    a = signal.view(-1, 1, 1, 1)
    return a.sqrt() * z0 + (1 - a).sqrt() * noise


def estimate(z_t: Tensor, noise: Tensor, signal: Tensor) -> Tensor:
    """Return the one-step estimate of z0 that a predicted noise implies; `signal` (B,) is ā_t."""
    a = signal.view(-1, 1, 1, 1)
    return (z_t - (1 - a).sqrt() * noise) / a.sqrt()


def control_of(controlnet: ControlNetModel, z_t: Tensor, t: Tensor, text: Tensor, hint: Tensor) -> Control:
    """Return C(z_t, hint)."""
    down, middle = controlnet(z_t, t, encoder_hidden_states=text, controlnet_cond=hint, return_dict=False)
    return [*down, middle]


def predict_noise(
    unet: UNet2DConditionModel, z_t: Tensor, t: Tensor, text: Tensor, control: Control, detached: bool = False
) -> Tensor:
    """Return U(z_t, t, control), or sg[U]: the same values, no gradient for the denoiser's parameters."""
    words = {
        "encoder_hidden_states": text,
        "down_block_additional_residuals": control[:-1],
        "mid_block_additional_residual": control[-1],
        "return_dict": False,
    }
    if not detached:
        return unet(z_t, t, **words)[0]
    frozen = {name: parameter.detach() for name, parameter in unet.named_parameters()}
    return functional_call(unet, frozen, (z_t, t), words)[0]


def siamese_loss(
    unet: UNet2DConditionModel, controlnet: ControlNetModel, batch: LatentBatch, signals: Tensor, done: float
) -> dict[str, Tensor]:
    """Return the terms of (6) by name. `signals` (1000,) is ā by time; `done` is step / steps."""
    signal = signals[batch.t]
    z_t = noised(batch.z0, batch.noise, signal)
    c_m = control_of(controlnet, z_t, batch.t, batch.text, batch.mask_hint)  # (1)
    e_m = predict_noise(unet, z_t, batch.t, batch.text, c_m)
    c_i = control_of(controlnet, z_t, batch.t, batch.text, batch.image_hint)
    mixed = [m.detach() + done * i for m, i in zip(c_m, c_i, strict=True)]  # (2)
    e_i = predict_noise(unet, z_t, batch.t, batch.text, mixed, detached=True)
    losses = {
        "mask": (e_m - batch.noise).square().mean(),  # (3)
        "image": (e_i - batch.noise).square().mean(),
        "consistency": (e_m - e_i.detach()).square().mean(),  # (4)
    }
    late = batch.t <= LATE_T
    if done > LATE_FROM and bool(late.any()):
        guess = estimate(z_t, e_i.detach(), signal)
        losses["late"] = _late_loss(unet, controlnet, batch.only(late), guess[late], signal[late]) * late.float().mean()
    return losses


def mask_branch_loss(
    unet: UNet2DConditionModel, controlnet: ControlNetModel, batch: LatentBatch, signals: Tensor
) -> dict[str, Tensor]:
    """Return L_m of (3) alone: what a plain ControlNet trains on (the ablation)."""
    z_t = noised(batch.z0, batch.noise, signals[batch.t])
    control = control_of(controlnet, z_t, batch.t, batch.text, batch.mask_hint)
    return {"mask": (predict_noise(unet, z_t, batch.t, batch.text, control) - batch.noise).square().mean()}


def _late_loss(
    unet: UNet2DConditionModel, controlnet: ControlNetModel, batch: LatentBatch, guess: Tensor, signal: Tensor
) -> Tensor:
    renoised = noised(guess, batch.noise, signal)
    control = control_of(controlnet, renoised, batch.t, batch.text, batch.mask_hint)
    return (predict_noise(unet, renoised, batch.t, batch.text, control) - batch.noise).square().mean()  # (5)


def draw_times(count: int, generator: torch.Generator) -> Tensor:
    """Return (count,) whole times below 1000, all equally likely."""
    return torch.randint(TIMES, (count,), generator=generator)
