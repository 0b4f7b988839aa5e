"""The figures that every kind of picture has: KID beside its floor, and diversity beside that of real pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medsynth_core.evaluation.diversity import spread
from medsynth_core.evaluation.figure import Figure
from medsynth_core.evaluation.metrics import Features, kid, split_half_kid


def kid_figure(made: Features, real: Features, judge: str, key: str = "kid", what: str = "pictures") -> Figure:
    """Return KID × 1000 of made to real features, beside the distance of real halves."""
    found, floor = kid(made, real), split_half_kid(real)
    recipe = f"unbiased KID × 1000 of {len(made)} made to {len(real)} real {what} in the features of {judge}, over 100 subsets"
    title = "Distance from real pictures (KID × 1000)" if what == "pictures" else f"Distance from real {what} (KID × 1000)"
    return Figure(key, title, 1000 * found.mean, recipe, "", 1000 * found.sd, 1000 * floor.mean, "real half to real half")


def diversity_figures(same: Sequence[Features], across: Features, real: Features, judge: str) -> list[Figure]:
    """Return how much made pictures differ; same[i] (n, d) are those of one mask at several seeds, which there may be none of."""
    recipe, usual = f"mean 1 − cosine in the features of {judge}", spread(real)
    told = f"{recipe}, all pairs of {len(across)} made and of {len(real)} real pictures"
    rows = [Figure("diversity_across", "Diversity across masks", spread(across), told, "", None, usual, "real pictures")]
    if same:
        told = f"{recipe}, pairs of {len(same[0])} seeds for each of {len(same)} masks"
        mean = float(np.mean([spread(one) for one in same]))
        rows.append(Figure("diversity_same", "Diversity with the same mask", mean, told, "", None, usual, "real pictures"))
    return rows
