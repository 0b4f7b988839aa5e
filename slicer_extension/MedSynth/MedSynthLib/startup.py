"""What is made known to other modules of Slicer once it has started: a Segment Editor effect, and sample data."""

from __future__ import annotations


def register() -> None:
    """Register both; imported only now, because the modules they go to are there only now."""
    from MedSynthLib import refine_effect, samples

    refine_effect.register()
    samples.register()
