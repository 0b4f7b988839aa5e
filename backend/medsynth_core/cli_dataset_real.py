"""The judge of `msynth dataset --real DATA`: samples beside what their model was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medsynth_core.cli_dataset_filter import Judge, Verdict
from medsynth_core.cli_dataset_order import Order
from medsynth_core.errors import ParameterError
from medsynth_core.volume import Volume

if TYPE_CHECKING:
    from medsynth_core.studies.at_work import Report
    from medsynth_core.studies.sample_judge import SampleJudge

JUDGES = "judges"


@dataclass(frozen=True)
class Real:
    """The real data and how it is read; `starter` names the recipe of a model that ships."""

    data: Path
    metadata: Path | None
    group_by: str
    starter: str
    least_adherence: float


class RealJudge:
    """A sample judge as the factory asks one."""

    def __init__(self, judge: SampleJudge) -> None:
        self._judge = judge

    @property
    def terms(self) -> dict[str, Any]:
        """By what it judges."""
        return self._judge.terms

    def verdict(self, image: Volume, labels: Volume) -> Verdict:
        """Return the verdict on a sample."""
        opinion = self._judge.opinion(image, labels)
        return Verdict(opinion.figures, opinion.flags, opinion.copy)


def real_judge(real: Real, order: Order, report: Report) -> Judge:
    """Return the judge, trained on DATA or read from OUT/judges. Raises ParameterError, TrainingDataError."""
    from medsynth_core.studies.questioned import Question
    from medsynth_core.studies.sample_judge import sample_judge
    from medsynth_core.training.order import TrainingOrder
    from medsynth_core.training.pairs import Columns

    if order.card is None:
        raise ParameterError(f"--real is given, but {order.engine} has no model that was trained on it: leave it out")
    if not 0 <= real.least_adherence <= 1:
        raise ParameterError(f"--min-adherence is {real.least_adherence:g}: it must lie between 0 and 1")
    columns = Columns(real.metadata, real.group_by, {}) if real.metadata else None
    reading = TrainingOrder(starter=real.starter, columns=columns, grey=order.card.channels == 1)
    question = Question(real.data, order.card.id, reading)
    return RealJudge(sample_judge(question, order.wish.output / JUDGES, real.least_adherence, report))
