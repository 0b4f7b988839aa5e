"""The Siamese objective, in velocity form (Siamese-Diffusion, CVPR 2025, section 3.2).

    m, x        mask hint, image         H, D    hint encoder, denoiser (all parameters shared by both branches)
    c_m = H(m)                           (1)     X_m = D(x_t, t, c_m)                    mask branch
    c_i = H(degraded x)                  (2)     X_i = sg[D](x_t, t, sg[c_m] + w·c_i)    image branch, w = step / steps
    L_m = ‖X_m − x‖²   L_i = ‖X_i − x‖²  (3)     each in velocity space, ‖·‖² as in diffusion.flow (4)
    L_c = ‖X_m − sg[X_i]‖²               (4)     noise consistency
    L_a = ‖D(x'_t, t, c_m) − x'‖²        (5)     late re-noising: x' = sg[X_i], x'_t = noised(x', ε, t); step > steps/3, t ≤ 0.2
    L   = L_m + L_i + L_c + L_a          (6)     all weights 1
    L_u = ‖D(u_t, t, ∅) − u‖²            (7)     images u that nobody has labeled: how they look; ∅ is the learned null

sg is stop-gradient; sg[D] detaches the denoiser's parameters, so that L_i reaches the hint encoder only. Two departures: the
image branch runs on a share of the batch (an unbiased estimate of L_i and L_c at less cost), and it sees a degraded image: in
pixel space the plain image is the answer itself, X_i = x, and (4) would teach nothing that (3) does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from medsynth_core.diffusion.flow import area_weight, draw_times, noised, resolution_shift, velocity_loss

CONDITION_DROPOUT = 0.1
LATE_FROM, LATE_T = 1 / 3, 0.2


@dataclass(frozen=True)
class Batch:
    """images (B, C, y, x) in [−1, 1]; masks (B, labels, y, x) one-hot; options (B, number of options) indices."""

    images: Tensor
    masks: Tensor
    options: Tensor

    def first(self, count: int) -> Batch:
        """Return the first `count` items."""
        return Batch(self.images[:count], self.masks[:count], self.options[:count])


@dataclass(frozen=True)
class Draw:
    """All that chance decides in one step, drawn before any arithmetic."""

    t: Tensor
    noise: Tensor
    keep: Tensor
    options: Tensor


def draw(batch: Batch, option_sizes: tuple[int, ...], generator: torch.Generator) -> Draw:
    """Return times, noise and which conditions are kept; a dropped option becomes its learned null."""
    count = len(batch.images)
    keep = torch.rand(count, generator=generator) >= CONDITION_DROPOUT
    keep_options = (torch.rand(count, 1, generator=generator) >= CONDITION_DROPOUT) & keep[:, None]
    nulls = torch.tensor(option_sizes, dtype=torch.long).expand(count, -1)
    noise = torch.randn(batch.images.shape, generator=generator)
    device = batch.images.device
    options = torch.where(keep_options, batch.options.cpu(), nulls) if option_sizes else batch.options
    return Draw(
        draw_times(count, generator, resolution_shift(batch.images)).to(device),
        noise.to(device),
        keep.to(device),
        options.to(device),
    )


def mask_hint(masks: Tensor, channels: int) -> Tensor:
    """Return the hint of a mask: its one-hot channels, then zeros where an image would be."""
    return functional.pad(masks, (0, 0, 0, 0, 0, channels))


def image_hint(images: Tensor, labels: int, generator: torch.Generator) -> Tensor:
    """Return the hint of an image, degraded: averaged over 8×8 pixels, and half of its 16×16 patches blank."""
    coarse = functional.interpolate(functional.avg_pool2d(images, 8), scale_factor=8, mode="bilinear", align_corners=False)
    b, _, y, x = images.shape
    kept = (torch.rand(b, 1, y // 16, x // 16, generator=generator) < 0.5).to(images)
    return functional.pad(coarse * functional.interpolate(kept, size=(y, x)), (0, 0, 0, 0, labels, 0))


def mask_branch_loss(hint_encoder: nn.Module, denoiser: nn.Module, batch: Batch, d: Draw) -> dict[str, Tensor]:
    """Return L_m of (3) alone: the denoiser without its sibling (the ablation)."""
    control = hint_encoder(mask_hint(batch.masks, batch.images.shape[1]), d.keep)
    predicted = denoiser(noised(batch.images, d.noise, d.t), d.t, control, d.options)
    return {"mask": velocity_loss(predicted, batch.images, d.t, _weight(batch)).mean()}


def appearance_loss(hint_encoder: nn.Module, denoiser: nn.Module, batch: Batch, d: Draw) -> Tensor:
    """Return L_u of (7): what images without masks teach. Their masks and options are not looked at.

    Not the paper's: where labels are scarce images are not, and the null condition is there for them.
    """
    nobody = torch.zeros_like(d.keep)
    nothing = hint_encoder(mask_hint(batch.masks, batch.images.shape[1]), nobody)
    predicted = denoiser(noised(batch.images, d.noise, d.t), d.t, nothing, d.options)
    return velocity_loss(predicted, batch.images, d.t).mean()


def siamese_loss(
    hint_encoder: nn.Module, denoiser: nn.Module, batch: Batch, d: Draw, done: float, share: float, generator: torch.Generator
) -> dict[str, Tensor]:
    """Return the terms of (6) by name. `done` is step / steps; `share` of the batch runs the image branch."""
    x, weight, channels = batch.images, _weight(batch), batch.images.shape[1]
    x_t = noised(x, d.noise, d.t)
    control = hint_encoder(mask_hint(batch.masks, channels), d.keep)  # (1)
    x_m = denoiser(x_t, d.t, control, d.options)
    n = max(1, round(share * len(x)))
    hint = image_hint(x[:n], batch.masks.shape[1], generator)
    mixed = [c_m[:n].detach() + done * c_i for c_m, c_i in zip(control, hint_encoder(hint), strict=True)]  # (2)
    frozen = {name: p.detach() for name, p in denoiser.named_parameters()}
    x_i = functional_call(denoiser, frozen, (x_t[:n], d.t[:n], mixed, d.options[:n]))
    losses = {
        "mask": velocity_loss(x_m, x, d.t, weight).mean(),  # (3)
        "image": velocity_loss(x_i, x[:n], d.t[:n], weight[:n]).mean(),
        "consistency": velocity_loss(x_m[:n], x_i.detach(), d.t[:n], weight[:n]).mean(),  # (4)
    }
    late = d.t[:n] <= LATE_T
    if done > LATE_FROM and bool(late.any()):
        losses["late"] = _late_loss(denoiser, x_i.detach(), [c[:n] for c in control], d, late, weight[:n])
    return losses


def _late_loss(denoiser: nn.Module, x_i: Tensor, control: list[Tensor], d: Draw, late: Tensor, weight: Tensor) -> Tensor:
    n = len(late)
    t, renoised = d.t[:n][late], noised(x_i, d.noise[:n], d.t[:n])[late]
    predicted = denoiser(renoised, t, [c[late] for c in control], d.options[:n][late])
    return velocity_loss(predicted, x_i[late], t, weight[late]).sum() / n  # (5), zero for the others


def _weight(batch: Batch) -> Tensor:
    return area_weight(1 - batch.masks[:, :1])
