"""Pairs made one after the other: while one is saved, the next is computed. One that fails stops none."""

from __future__ import annotations

import contextlib
import io
import time
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from medsynth_core.cli_batch import FATAL, State
from medsynth_core.cli_journal import Journal, origin
from medsynth_core.cli_nuclei_manifest import Manifest, Record, record_of
from medsynth_core.cli_nuclei_order import ENGINE, Order, Piece
from medsynth_core.cli_progress import ProgressLine, how_far
from medsynth_core.client import Client, Job
from medsynth_core.errors import MedSynthError
from medsynth_core.protocol import ModelCard

JOURNAL = ".msynth-nuclei.json"
IN_FLIGHT = 2


@dataclass(frozen=True, eq=False)
class Outcome:
    """A pair and what became of it."""

    piece: Piece
    state: State
    record: Record | None = None
    problem: Exception | None = None


class Maker:
    """Makes the pairs of an order and yields an outcome for each, in their order.

    The journal says what is done: a second run skips it and makes the rest, each from its own seed, so the bytes are the same.
    """

    def __init__(self, engine: Client, order: Order, card: ModelCard, again: bool) -> None:
        self._engine, self._order, self._card = engine, order, card
        self._journal = Journal(order.folder, again, JOURNAL)
        self._manifest = Manifest(order.folder, card, again)
        self._terms = _terms(engine, order, card)
        self._jobs: deque[tuple[Piece, Job | Exception]] = deque()
        self._pace = _Pace(len(order.pieces))

    def run(self) -> Generator[Outcome]:
        """Yield outcomes until all is made, or service or model fail. Closed early, also by Ctrl-C, the jobs are cancelled."""
        waiting = iter(self._order.pieces)
        line = ProgressLine()
        try:
            for outcome in self._outcomes(waiting):
                self._pace.count(outcome)
                line.clear()
                yield outcome
                if isinstance(outcome.problem, FATAL):
                    break
                line.show(self._pace.words)
        finally:
            line.clear()
            self._manifest.write()
            for _, job in self._jobs:
                with contextlib.suppress(MedSynthError):  # the first trouble is the one to tell
                    if not isinstance(job, Exception):
                        job.cancel()

    def _outcomes(self, waiting: Iterator[Piece]) -> Iterator[Outcome]:
        for piece in waiting:
            if self._journal.done(piece.name, self._origin(piece), piece.outputs) and piece.name in self._manifest:
                yield Outcome(piece, State.SKIPPED)
                continue
            self._jobs.append((piece, self._started(piece)))
            if len(self._jobs) >= IN_FLIGHT:
                yield self._ended()
        while self._jobs:
            yield self._ended()

    def _started(self, piece: Piece) -> Job | Exception:
        try:
            self._journal.begin(piece.name, piece.outputs, self._origin(piece))
            given: dict[str, Any] = {**self._order.inputs, **self._order.params}
            return self._engine.submit(ENGINE, model=self._card.id, seed=piece.seed, **given)
        except (MedSynthError, OSError) as problem:
            return problem

    def _ended(self) -> Outcome:
        """Return what became of the oldest job; it stays on the list of those to cancel until it is saved."""
        piece, job = self._jobs[0]
        try:
            if isinstance(job, Exception):
                raise job
            outcome = Outcome(piece, State.DONE, self._saved(piece, job))
        except (MedSynthError, OSError) as problem:
            outcome = Outcome(piece, State.FAILED, problem=problem)
        self._jobs.popleft()
        return outcome

    def _saved(self, piece: Piece, job: Job) -> Record:
        from medsynth_core import formats
        from medsynth_core.formats.limits import write_file

        image, instances, structure = (job.result(name) for name in ("image", "instances", "structure"))
        info = job.info()
        formats.write(piece.image, image, info.recipe)
        formats.write_mask(piece.instances, instances, info.recipe)
        content = io.BytesIO()
        np.save(content, structure.array[:, 0])
        write_file(piece.structure, content.getvalue())
        record = record_of(piece, self._order.asked, info)
        self._manifest.put(record)
        seconds = (info.ended or 0.0) - (info.started or 0.0)
        self._journal.finish(piece.name, self._origin(piece), piece.outputs, seconds, job=job.id)
        return record

    def _origin(self, piece: Piece) -> str:
        return origin((), self._terms | {"seed": piece.seed})


class _Pace:
    """How many pairs are there, how fast they come, how long the rest will take."""

    def __init__(self, total: int) -> None:
        self._total, self._made, self._passed, self._started = total, 0, 0, time.monotonic()

    def count(self, outcome: Outcome) -> None:
        """Heed an outcome; those skipped say nothing about the pace."""
        self._passed += 1
        self._made += outcome.state is not State.SKIPPED

    @property
    def words(self) -> str:
        """Return "3 of 20, 4 min left (31 pairs a minute)"."""
        each = (time.monotonic() - self._started) / max(self._made, 1)
        left = how_far(self._passed, self._total, each * (self._total - self._passed) if self._made else None)
        return f"{left} ({60 / max(each, 1e-3):.0f} pairs a minute)" if self._made else left


def _terms(engine: Client, order: Order, card: ModelCard) -> dict[str, Any]:
    """Return all that decides a pair beside its seed."""
    infos = engine.capabilities().engine(ENGINE).params
    params = {info.name: order.params.get(info.name, info.default) for info in infos}
    return {"model": {card.id: card.sha256}, "params": params, "inputs": order.digests}
