"""The second pass, when there is time: the finished stack is noised a little and made out again, in slabs that lie across the
seams of the first pass and see both sides.

What it makes goes to an output of its own, `clean_latents`; the first latents stay, so a job that dies in between can tell from
what is kept how far either pass was, and makes the same bytes again. Images are decoded anew in any case, that costs next to
nothing; those already replaced come out the same and are not written twice.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from medsynth_core.engines.tumor.case import Case, Latents
from medsynth_core.engines.tumor.growth import Step, clean_up_plan

START = 0.4
"""Noise time the stack is brought to: texture and seams are made anew, the tumor's outline stays."""
NOISE_FROM = 100_000
"""Where the noise of the second pass begins in the seed's stream."""


def cleaned(case: Case, made: Latents, clean: dict[int, Tensor]) -> Iterator[Step]:
    """Put the cleaned latents of one slab after the other into `clean`, and yield the step each time.

    `made` are the latents of the first pass, `clean` may hold those from before a resume.
    """
    steps = max(1, round(case.params.steps * START))
    best = dict(made)  # what this step may see: cleaned by those before it, whatever else is kept from before a resume
    for step in clean_up_plan(case.slices, case.anchor, case.ground.grown):
        if not all(z in clean for z in step.new):
            latents = case.model.grow(case.slab(step, best, NOISE_FROM), steps, case.params.guidance, START)
            clean.update({z: latents[i] for i, z in enumerate(step.order) if z in step.new})
        best.update({z: clean[z] for z in step.new})
        yield step
