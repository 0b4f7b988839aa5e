"""How far a judge is that learns, a line every hundred steps."""

from __future__ import annotations

from medsynth_core.evaluation.lesson import LessonStep

EVERY = 100


def say_lesson(at: LessonStep) -> None:
    """Print the line."""
    if at.step % EVERY == 0:
        print(f"  training {at.network}: step {at.step} of {at.steps}, {at.loss:.3f}", flush=True)
