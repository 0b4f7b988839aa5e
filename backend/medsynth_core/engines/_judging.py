"""A training teaches the judge of its model's results, too: before its first step, in a tenth of its own steps at most.

Before, so that whatever state is kept has a judge, also of a training that is stopped. A judge follows from the data alone, and
the loop seeds its chance afterwards: the weights are the same with and without it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import replace

from medsynth_core.evaluation.copies import CopySettings
from medsynth_core.evaluation.lesson import LessonStep, TimeLeft
from medsynth_core.evaluation.teaching import SMALL, Teaching
from medsynth_core.models.folder import JUDGE
from medsynth_core.training.control import Control, Wish
from medsynth_core.training.keeping import Keeping
from medsynth_core.training.recipe import Recipe
from medsynth_core.training_words import show_time

SHARE, LEAST_STEPS = 10, 20
"""A training so short that its share is below these steps teaches no judge, nor does one of a toy preset."""
SAID = "First the judge of its results learns: what it measures stands beside each of them"
LESSONS = {"segmenter": "how well they show their masks", "copies": "whether they are copies"}
SAY_SECONDS = 5.0
DONE = "The judge of its results has learned."


class _LeftOffError(Exception):
    """The training is to end or to rest: the judge can wait."""


def teach_judge(recipe: Recipe, keeping: Keeping, device: str, control: Control, say: Callable[[str], None]) -> None:
    """Put what results will be judged by into the training's folder, unless it is there or the training is a trial."""
    share = recipe.steps // SHARE
    if recipe.is_trial or share < LEAST_STEPS or keeping.thresholds is not None:
        return
    done, partial = max((line.step for line in keeping.lines()), default=0), keeping.folder / "judge.partial"

    tell = _Telling(say)

    def told(at: LessonStep) -> None:
        if control.wish(done) is not Wish.GO_ON:
            raise _LeftOffError
        tell(at)

    say(f"{SAID}.")
    segmenter = replace(SMALL, steps=min(SMALL.steps, share))
    copies = CopySettings(steps=min(CopySettings.steps, share))
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        teaching = Teaching(keeping.folder / "judges", told, segmenter=segmenter, copies=copies, device=device)
        thresholds = recipe.judge(partial / JUDGE, teaching)
    except _LeftOffError:
        return
    if thresholds is not None:
        keeping.keep_judge(partial, thresholds)
    say(DONE)


class _Telling:
    """Says every few seconds how far the judge is."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._left, self._said = say, TimeLeft(), time.monotonic()

    def __call__(self, at: LessonStep) -> None:
        seconds = self._left(at)
        if time.monotonic() - self._said >= SAY_SECONDS:
            self._said = time.monotonic()
            left = "" if seconds is None else f", {show_time(seconds)} left"
            self._say(f"{SAID}: {LESSONS[at.network]}, step {at.step} of {at.steps}{left}.")
