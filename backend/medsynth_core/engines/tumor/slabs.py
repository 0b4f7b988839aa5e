"""The batches of the slab network: pieces of volumes, some of whose slices are known, grown upwards or downwards."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from medsynth_core.engines.tumor.body import hints, kept_free
from medsynth_core.engines.tumor.network import numbers_of
from medsynth_core.engines.tumor.noise import batch_noise
from medsynth_core.engines.tumor.objective import Slabs
from medsynth_core.engines.tumor.stacks import FIELD_MM
from medsynth_core.engines.tumor.views import View

CONTEXT = 4
THROUGH_TUMOR = 0.75


def draw_slabs(views: list[list[View]], count: int, longest: int, inpaint: float, generator: torch.Generator) -> Slabs:
    """Return a batch of `count` slabs of equal length: mostly the longest, sometimes as short as the first one of a volume."""

    def draw(n: int) -> int:
        return int(torch.randint(n, (1,), generator=generator))

    def chance(p: float) -> bool:
        return bool(torch.rand(1, generator=generator) < p)

    n = longest if chance(0.7) else min(CONTEXT, longest) if chance(0.4) else 3 + draw(longest - 2)
    patients = [views[draw(len(views))] for _ in range(count)]
    seen = [patient[draw(len(patient))] for patient in patients]
    n = min(n, *(len(view.latents) for view in seen))
    slabs = [_slab(view, n, inpaint, draw, chance) for view in seen]
    latents, free, pictures = (torch.stack(parts) for parts in zip(*(slab for slab in slabs), strict=True))
    return Slabs(
        latents=latents,
        free=free,
        hints=pictures,
        numbers=torch.tensor([numbers_of(view.shape) for view in seen]),
        style=torch.stack([torch.from_numpy(view.style.vector()) for view in seen]),
        slice_mm=torch.tensor([view.slice_mm for view in seen]),
        noise=batch_noise(count, n, tuple(latents.shape[2:]), generator),
    )


def _slab(view: View, n: int, inpaint: float, draw, chance) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[no-untyped-def]
    start = _start(view, n, draw, chance)
    z = torch.arange(start, start + n)
    if chance(0.5):
        z = z.flip(0)  # grown downwards
    z_mm = (z - (len(view.latents) - 1) / 2) * view.slice_mm
    latents = view.latents[z].float()
    pictures = hints(view.shape, view.style.head, z_mm, latents.shape[-1], FIELD_MM)
    free = torch.ones_like(latents[:, :1])
    known = CONTEXT if chance(0.75) else draw(CONTEXT)
    if n > CONTEXT:
        free[:known] = 0
    if chance(inpaint):
        free = kept_free(pictures)
    return latents, free, pictures


def _start(view: View, n: int, draw, chance) -> int:  # type: ignore[no-untyped-def]
    last = len(view.latents) - n
    if not chance(THROUGH_TUMOR):
        return draw(last + 1)
    inside = torch.nonzero(functional.adaptive_max_pool2d(view.region.float(), 1).flatten() > 0.5).flatten()
    if len(inside) == 0:
        return draw(last + 1)
    through = int(inside[draw(len(inside))])
    return max(0, min(through - draw(n), last))
