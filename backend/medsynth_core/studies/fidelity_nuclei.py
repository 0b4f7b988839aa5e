"""Nuclei: does an image show what it was painted for, and are made fields like real ones?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from medsynth_core.evaluation.field_figures import FIGURES, distance, measure, split_half
from medsynth_core.evaluation.figure import Figure
from medsynth_core.evaluation.instances import PanopticQuality, panoptic_quality
from medsynth_core.evaluation.nuclei_segmenter import find_nuclei
from medsynth_core.evaluation.plain_unet import PlainUNet
from medsynth_core.studies.items import Item


def structure_figures(segmenter: PlainUNet, name: str, real: Sequence[Item], painted: Sequence[Item]) -> list[Figure]:
    """Return the panoptic quality on made images over that on the real images of the same nuclei, and the count seen."""
    on_made, on_real = seen(segmenter, painted), seen(segmenter, real)
    ratio = on_made.value / on_real.value if on_real.value > 0 else float("nan")
    asked, shown = on_made.matched + on_made.missed, on_made.matched + on_made.invented
    recipe = f"PQ of {name} on {len(painted)} made images over its PQ on the real images of the same nuclei"
    count = f"nuclei that {name} sees in the same images over the {asked} they were painted for"
    real_count = (on_real.matched + on_real.invented) / max(1, on_real.matched + on_real.missed)
    return [
        Figure("structure", "Structure seen in the image", ratio, recipe, "", None, on_real.value, "PQ on real images"),
        Figure("count", "Nuclei seen / asked", shown / max(1, asked), count, "", None, real_count, "on real images"),
    ]


def seen(segmenter: PlainUNet, items: Sequence[Item]) -> PanopticQuality:
    """Return the panoptic quality over all nuclei of the items."""
    scores = [panoptic_quality(find_nuclei(segmenter, item.image[0]), item.labels[0]) for item in items]
    return reduce(PanopticQuality.__add__, scores)


def field_distances(made: Sequence[Item], real: Sequence[Item]) -> list[Figure]:
    """Return W1 of four distributions between made and real fields, beside that of real halves by group."""
    ours, theirs = ([measure(item.labels[0]) for item in part] for part in (made, real))
    groups = [item.group for item in real]
    rows = []
    for figure, (unit, _) in FIGURES.items():
        recipe = f"W1 of {len(ours)} fields made from nothing to {len(theirs)} real ones"
        floor = split_half(figure, theirs, groups) if len(set(groups)) > 1 else None
        key = f"field_{figure.split()[0].replace('-', '_')}"
        title, value = f"Fields: {figure}, distance from real", distance(figure, ours, theirs)
        rows.append(Figure(key, title, value, recipe, unit, None, floor, f"real halves of {len(set(groups))} groups"))
    return rows
