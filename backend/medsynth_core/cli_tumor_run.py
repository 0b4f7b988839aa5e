"""Volumes grown one after the other: their jobs found again or started, followed, saved. One that fails stops none."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

from medsynth_core.cli_batch import FATAL, State
from medsynth_core.cli_checked import before, leave_out
from medsynth_core.cli_journal import Journal, origin
from medsynth_core.cli_making import found_again
from medsynth_core.cli_progress import ProgressLine, how_far
from medsynth_core.cli_tumor_order import ENGINE, Format, Order, Piece
from medsynth_core.cli_tumor_record import Record, RequestFile, record_of
from medsynth_core.client import Client, Job
from medsynth_core.copy_rule import KEPT_OUT, marked
from medsynth_core.errors import MedSynthError
from medsynth_core.protocol import Event, EventKind, JobState, ModelCard
from medsynth_core.volume import Volume

JOURNAL = ".msynth-tumor.json"


@dataclass(frozen=True, eq=False)
class Outcome:
    """A volume and what became of it."""

    piece: Piece
    state: State
    record: Record | None = None
    problem: Exception | None = None

    @property
    def reason(self) -> str:
        """Why it failed, in one sentence."""
        if isinstance(self.problem, OSError):
            return f"{self.piece.name} cannot be saved: {self.problem.strerror or self.problem}"
        if isinstance(self.problem, MedSynthError):
            return str(self.problem)
        return f"something of ours broke ({type(self.problem).__name__}: {self.problem}): please report it"


class Grower:
    """Grows the volumes of an order and yields an outcome for each.

    While one is followed and saved, the job of the next waits in the service's queue. The journal names the job of each volume:
    a second run goes on with it where the service still has it, and starts again from the same seed where it has not.
    """

    def __init__(self, engine: Client, order: Order, card: ModelCard, again: bool) -> None:
        self._engine, self._order, self._card = engine, order, card
        self._journal = Journal(order.folder, again, JOURNAL)
        self._requests = RequestFile(order.folder, again)
        self._terms = _terms(engine, order, card)
        self._jobs: dict[str, Job] = {}
        self._seconds: list[float] = []

    def run(self) -> Generator[Outcome]:
        """Yield outcomes until all is made, or until the service or the model fails, which would befall the rest, too.

        Closed early, also by Ctrl-C, the jobs are cancelled: the service keeps their slices for the next run.
        """
        pieces = self._order.pieces
        try:
            for number, (piece, following) in enumerate(itertools.zip_longest(pieces, pieces[1:]), 1):
                outcome = self._made(piece, following, number)
                yield outcome
                if isinstance(outcome.problem, FATAL):
                    break
        finally:
            for job in self._jobs.values():
                with contextlib.suppress(MedSynthError):  # the first trouble is the one to tell
                    job.cancel()

    def _made(self, piece: Piece, following: Piece | None, number: int) -> Outcome:
        try:
            outcome = self._grown(piece, following, number)
        except Exception as problem:  # noqa: BLE001  border: whatever one volume breaks, the others go on
            outcome = Outcome(piece, State.FAILED, problem=problem)
        self._jobs.pop(piece.name, None)  # not after Ctrl-C: then it stays on the list of those to cancel
        return outcome

    def _grown(self, piece: Piece, following: Piece | None, number: int) -> Outcome:
        if (known := self._known(piece)) is not None:
            return known
        job = self._begin(piece)
        if following is not None:
            with contextlib.suppress(MedSynthError, OSError):  # told when its turn comes
                if self._known(following) is None:
                    self._begin(following)
        return self._save(piece, job, self._follow(job, number))

    def _known(self, piece: Piece) -> Outcome | None:
        """Return that a volume is there already, or kept out, made from the same request."""
        record = self._requests.record(piece.name)
        state = before(self._journal, self._order.rule, piece.name, self._origin(piece), piece.outputs, record)
        return None if state is None else Outcome(piece, state, record)

    def _begin(self, piece: Piece) -> Job:
        """Return the piece's job, found or started."""
        if piece.name in self._jobs:
            return self._jobs[piece.name]
        made_from = self._origin(piece)
        known = self._journal.job(piece.name, made_from)
        self._journal.begin(piece.name, piece.outputs, made_from, known)
        job = found_again(self._engine, known) or self._submitted(piece)
        self._jobs[piece.name] = job
        self._journal.begin(piece.name, piece.outputs, made_from, job.id)
        return job

    def _submitted(self, piece: Piece) -> Job:
        kept = self._order.background
        given: dict[str, Any] = {} if kept is None else {"background": kept.volume}
        given |= self._order.params
        return self._engine.submit(ENGINE, model=self._card.id, seed=piece.seed, **given)

    def _follow(self, job: Job, number: int) -> float:
        """Show a job's progress until it has ended; return its seconds of computing."""
        line, clock = ProgressLine(), _Clock()
        try:
            for event in job:
                clock.take(event)
                if event.kind is EventKind.PROGRESS:
                    line.show(self._words(event, clock, number))
        finally:
            line.clear()
        return clock.seconds

    def _words(self, event: Event, clock: _Clock, number: int) -> str:
        """Return how far this volume is, and the time left for all: the others are taken to last as long as those before."""
        count, left = len(self._order.pieces), event.seconds_left
        if count == 1:
            return how_far(event.done, event.total, left)
        if left is not None:
            each = sum(self._seconds) / len(self._seconds) if self._seconds else clock.at(event) + left
            left += each * (count - number)
        return f"volume {number} of {count}: {how_far(event.done, event.total, left)}"

    def _save(self, piece: Piece, job: Job, seconds: float) -> Outcome:
        """Write image and mask unless they are kept out, then what was asked and got; the other outputs are not for the user."""
        image, mask, info = job.result("image"), job.result("mask"), job.info()
        record = record_of(piece, self._order.asked, info, seconds, self._order.rule.check(info.recipe))
        made_from = self._origin(piece)
        self._seconds.append(seconds)
        if record.copy_check == KEPT_OUT:
            self._requests.put(record)
            leave_out(self._journal, piece.name, made_from, piece.outputs, seconds, job.id)
            return Outcome(piece, State.LEFT_OUT, record)
        recipe, names = info.recipe | marked(record.copy_check), {label.value: label.name for label in self._card.labels}
        write(self._order, piece, image, mask, recipe, names)
        self._requests.put(record)
        self._journal.finish(piece.name, made_from, piece.outputs, seconds, job=job.id)
        return Outcome(piece, State.DONE, record)

    def _origin(self, piece: Piece) -> str:
        return origin((), self._terms | {"seed": piece.seed})


def write(order: Order, piece: Piece, image: Volume, mask: Volume, recipe: Mapping[str, Any], names: Mapping[int, str]) -> None:
    """Write image and mask in the format of the order, marked as synthetic, each whole or not at all."""
    from medsynth_core import formats

    if order.format is not Format.DICOM:
        formats.write(piece.image, image, recipe)
        formats.write_mask(piece.mask, mask, recipe, names=names)
        return
    formats.write_series(piece.image, image, recipe, None if order.background is None else order.background.scan)
    # the patient of our own series is none, so the segmentation is filed beside it
    formats.write_mask(piece.mask, mask, recipe, source=formats.Scan(piece.image, keep_identity=True), names=names)


def _terms(engine: Client, order: Order, card: ModelCard) -> dict[str, Any]:
    """Return all that decides a volume beside its seed."""
    infos = engine.capabilities().engine(ENGINE).params
    kept = order.background
    return {
        "model": {card.id: card.sha256},
        "params": {info.name: order.params.get(info.name, info.default) for info in infos},
        "background": [] if kept is None else [kept.sha256, kept.scan.series if kept.scan else None],
    }


class _Clock:
    """The time a job was computing, by its events: waiting in the queue and between two runs does not count."""

    def __init__(self) -> None:
        self.seconds, self._since = 0.0, 0.0

    def take(self, event: Event) -> None:
        """Heed a change of state."""
        if event.kind is EventKind.STATE:
            self.seconds = self.at(event)
            self._since = event.time if event.state is JobState.RUNNING else 0.0

    def at(self, event: Event) -> float:
        """Return the seconds of computing until an event."""
        return self.seconds + (event.time - self._since if self._since else 0.0)
