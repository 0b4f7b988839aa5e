"""What a user has said of a training that is not ordered yet, and what still stands in its way; the same in every viewer."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from medsynth_core.protocol_training import DoctorReport, Finding, Severity, TrainingInfo, TrainingRequest, TrainingState

LONGEST_ID = 64
LABELED = ("synthesize", "refine")
"""Engines whose masks hold label numbers, which can be named."""
VOLUMES, UNLABELED = "tumor", "synthesize"
WHITE = "255"
ANY_ID = "my-model"
"""The doctor asks for no name."""


@dataclass(frozen=True)
class Exclusion:
    """Cases that were left out together, and what the doctor had said of them."""

    says: str
    cases: tuple[str, ...]


@dataclass(frozen=True)
class TrainingForm:
    """The fields as they stand. Empty texts, and 0 for `steps` and `batch`, leave it to the preset."""

    engine: str = "synthesize"
    data: str = ""
    name: str = ""
    preset: str = ""
    base: str = ""
    steps: int = 0
    batch: int = 0
    seed: int = 0
    grey: bool = False
    license: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    metadata: str = ""
    group_by: str = ""
    unlabeled: str = ""
    judge: bool = True
    volumes: dict[str, str] = field(default_factory=dict)
    excluded: tuple[Exclusion, ...] = ()

    @property
    def model_id(self) -> str:
        """The id that the model will have: the name in plain letters, empty when nothing is left of it."""
        return plain_id(self.name)

    def without(self, findings: Iterable[Finding]) -> TrainingForm:
        """Return the form with the cases of some findings left out."""
        left = {case for exclusion in self.excluded for case in exclusion.cases}
        more = []
        for finding in findings:
            if fresh := tuple(case for case in finding.cases if case not in left):
                more.append(Exclusion(finding.says, fresh))
                left.update(fresh)
        return replace(self, excluded=(*self.excluded, *more))

    def with_again(self, exclusion: Exclusion) -> TrainingForm:
        """Return the form with the cases of an exclusion taken in again."""
        return replace(self, excluded=tuple(one for one in self.excluded if one != exclusion))

    def request(self) -> TrainingRequest:
        """Return the order."""
        labeled = self.engine in LABELED
        volumes = {name: text.strip() for name, text in self.volumes.items() if text.strip()}
        return TrainingRequest(
            engine=self.engine,
            data=self.data,
            model_id=self.model_id,
            title=self.name.strip(),
            preset=self.preset,
            base=self.base,
            steps=self.steps or None,
            batch=self.batch or None,
            seed=self.seed,
            grey=self.grey and labeled,
            labels={value: name.strip() for value, name in self.labels.items() if name.strip()} if labeled else {},
            license=self.license.strip() or "not stated",
            metadata=self.metadata,
            group_by=self.group_by.strip(),
            excluded=tuple(dict.fromkeys(case for exclusion in self.excluded for case in exclusion.cases)),
            volumes=volumes if self.engine == VOLUMES else {},
            unlabeled=self.unlabeled if self.engine == UNLABELED else "",
            judge=self.judge,
        )

    def look(self) -> TrainingRequest:
        """Return what the doctor is asked: the order without what says nothing of the data."""
        order = self.request()
        values = {value: f"label {value}" for value in order.labels}  # that they are named counts, not how
        order = replace(order, model_id=ANY_ID, title="", license="not stated", labels=values)
        return replace(order, steps=None, batch=None, seed=0, judge=True)


def plain_id(name: str) -> str:
    """Return a name as the plain one of a folder: small letters, digits, dots and - alone, at most 64."""
    ascii_text = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9._]+", "-", ascii_text).lstrip("-._")[:LONGEST_ID].rstrip("-._")


def foreground(report: DoctorReport) -> tuple[str, ...]:
    """Return the label values of a data set that can be named, in order; masks in black and white hold the label 1."""
    values = tuple(sorted((value for value in report.facts.labels if value.isdecimal() and int(value)), key=int))
    return ("1",) if values == (WHITE,) else values


def stopping(report: DoctorReport) -> tuple[Finding, ...]:
    """Return what keeps a training from starting."""
    return tuple(finding for finding in report.findings if finding.severity is Severity.STOPS)


def counted(findings: tuple[Finding, ...]) -> str:
    """Return how many findings stop the training, in words."""
    return "One finding stops the training" if len(findings) == 1 else f"{len(findings)} findings stop the training"


def blocking(
    form: TrainingForm, report: DoctorReport | None, looking: bool, models: Iterable[str], trainings: Iterable[TrainingInfo]
) -> str:
    """Return why the training cannot be ordered yet, empty if it can. `models` are the ids that are taken."""
    if not form.data:
        return "Choose the folder with your cases first"
    if looking:
        return "The doctor still looks at the folder"
    if report is None:
        return "Let the doctor look at the folder first"
    if left := stopping(report):
        return f"{counted(left)}: {_way_out(left)}"
    if not form.model_id:
        return "Give the model a name" if not form.name.strip() else "Give the model a name with a letter or a digit in it"
    under_way = (t.request.model_id for t in trainings if t.state not in (TrainingState.DONE, TrainingState.STOPPED))
    if form.model_id in models:
        return f"There is a model {form.model_id} already: choose another name"
    return f"Another training makes {form.model_id}: choose another name" if form.model_id in under_way else ""


def _way_out(findings: tuple[Finding, ...]) -> str:
    if all(finding.excludable for finding in findings):
        return "exclude their cases, or mend the files and let the doctor look again"
    return next(finding.fix for finding in findings if not finding.excludable)
