"""Pairs made one after the other: while one is saved, the next is computed. One that fails stops none."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import numpy as np

from medsynth_core import cli_making
from medsynth_core.cli_batch import State
from medsynth_core.cli_checked import before, leave_out
from medsynth_core.cli_journal import Journal, origin
from medsynth_core.cli_making import Making, Progress
from medsynth_core.cli_nuclei_manifest import Manifest, Record, record_of
from medsynth_core.cli_nuclei_order import ENGINE, Order, Piece
from medsynth_core.cli_progress import ProgressLine, how_far
from medsynth_core.client import Client, Job
from medsynth_core.copy_rule import KEPT_OUT, marked
from medsynth_core.protocol import ModelCard
from medsynth_core.volume import Volume

JOURNAL = ".msynth-nuclei.json"
Outcome = cli_making.Outcome[Piece, Record]


class Maker:
    """Makes the pairs of an order and yields an outcome for each, in their order.

    The journal says what is done: a second run skips it and makes the rest, each from its own seed, so the bytes are the same.
    """

    def __init__(self, engine: Client, order: Order, card: ModelCard, again: bool) -> None:
        self._engine, self._order, self._card = engine, order, card
        self._journal = Journal(order.folder, again, JOURNAL)
        self._manifest = Manifest(order.folder, card, again)
        self._terms = _terms(engine, order, card)

    def run(self) -> Generator[Outcome]:
        """Yield outcomes until all is made, or service or model fail. Closed early, also by Ctrl-C, the jobs are cancelled."""
        line = ProgressLine()
        making: Making[Piece, Record] = Making(self, len(self._order.pieces), lambda far: line.show(words(far)))
        try:
            with contextlib.closing(making.run(iter(self._order.pieces))) as outcomes:
                for outcome in outcomes:
                    line.clear()
                    yield outcome
                    line.show(words(making.progress))
        finally:
            line.clear()

    def known(self, piece: Piece) -> Outcome | None:
        """Return that a pair is there already, or kept out, made from the same request."""
        record = self._manifest.record(piece.name)
        state = before(self._journal, self._order.rule, piece.name, self._origin(piece), piece.outputs, record)
        return None if state is None else Outcome(piece, state, record)

    def begin(self, piece: Piece) -> Job:
        """Start the job of a pair."""
        self._journal.begin(piece.name, piece.outputs, self._origin(piece))
        given: dict[str, Any] = {**self._order.inputs, **self._order.params}
        return self._engine.submit(ENGINE, model=self._card.id, seed=piece.seed, **given)

    def save(self, piece: Piece, job: Job) -> Outcome:
        """Write the files of a pair, unless it is kept out, and its record."""
        made = [job.result(name) for name in ("image", "instances", "structure")]
        info = job.info()
        record = record_of(piece, self._order.asked, info, self._order.rule.check(info.recipe))
        made_from, seconds = self._origin(piece), (info.ended or 0.0) - (info.started or 0.0)
        self._manifest.put(record)
        if record.copy_check == KEPT_OUT:
            leave_out(self._journal, piece.name, made_from, piece.outputs, seconds, job.id)
            return Outcome(piece, State.LEFT_OUT, record)
        _write(piece, made, info.recipe | marked(record.copy_check))
        self._journal.finish(piece.name, made_from, piece.outputs, seconds, job=job.id)
        return Outcome(piece, State.DONE, record)

    def close(self) -> None:
        """Write the manifest."""
        self._manifest.write()

    def _origin(self, piece: Piece) -> str:
        return origin((), self._terms | {"seed": piece.seed})


def words(far: Progress) -> str:
    """Return "3 of 20, 4 min left (31 pairs a minute)"."""
    left = how_far(far.done + far.left_out, far.total, far.seconds_left)
    return f"{left} ({60 / max(far.seconds_each, 1e-3):.0f} pairs a minute)" if far.seconds_each is not None else left


def _write(piece: Piece, made: Sequence[Volume], recipe: Mapping[str, Any]) -> None:
    """Write image, instances and structure of a pair."""
    from medsynth_core import formats
    from medsynth_core.formats.limits import write_file

    image, instances, structure = made
    formats.write(piece.image, image, recipe)
    formats.write_mask(piece.instances, instances, recipe)
    content = io.BytesIO()
    np.save(content, structure.array[:, 0])
    write_file(piece.structure, content.getvalue())


def _terms(engine: Client, order: Order, card: ModelCard) -> dict[str, Any]:
    """Return all that decides a pair beside its seed."""
    infos = engine.capabilities().engine(ENGINE).params
    params = {info.name: order.params.get(info.name, info.default) for info in infos}
    return {"model": {card.id: card.sha256}, "params": params, "inputs": order.digests}
