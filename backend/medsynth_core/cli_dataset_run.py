"""The samples of a data set, made one after the other: mask, image, verdict, files. Killed, the same order goes on."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any

from medsynth_core import cli_making
from medsynth_core.cli_batch import State
from medsynth_core.cli_dataset_filter import Judge, Verdict, heeding
from medsynth_core.cli_dataset_manifest import NOT_CHECKED, LeftOut, Manifest, Record
from medsynth_core.cli_dataset_order import IMAGES, MASKS, NUCLEI, Order, Piece
from medsynth_core.cli_journal import Journal, origin
from medsynth_core.cli_layouts import Pair, lay_out
from medsynth_core.cli_making import Making, Progress, found_again
from medsynth_core.client import Client, Job
from medsynth_core.copy_rule import ALLOWED, KEPT_OUT, UNLIKE
from medsynth_core.errors import InputError, ShapeError
from medsynth_core.protocol import JobInfo
from medsynth_core.quality import KEY, Badge
from medsynth_core.volume import Volume

JOURNAL = ".msynth-dataset-{}.json"
BLOCK = 500
"""Samples a journal: each is written anew for each sample, so one for thousands would take longer than the samples."""
COPY, QUALITY = KEPT_OUT, "left out: "
NOTED = ("asked_", "got_")
FLAG = "flag"
"""How the keys of the engines' notes begin."""
Outcome = cli_making.Outcome[Piece, Record]


class Maker:
    """Makes the samples of an order. Each follows from the order and its number, so killed and gone on gives the same bytes."""

    def __init__(self, engine: Client, order: Order, judge: Judge, told: Callable[[Progress], None]) -> None:
        self._engine, self._order, self._judge = engine, order, judge
        folder = order.wish.output
        for part in (IMAGES, MASKS):
            (folder / part).mkdir(parents=True, exist_ok=True)
        self._journals: dict[int, Journal] = {}
        self._manifest = Manifest(order, judge.terms)
        made: dict[str, Any] = {"model": order.sha256, "engine": order.engine, "params": order.defaults | order.params}
        self._terms = made | {"judge": judge.terms, "keep_all": order.wish.keep_all}
        self._making: Making[Piece, Record] = Making(self, order.wish.count, told)

    def run(self) -> Generator[Outcome]:
        """Yield an outcome for each sample until as many as wanted are there. Closed early, its jobs are cancelled."""
        yield from self._making.run(self._order.pieces())

    def stop(self) -> None:
        """End soon, from any thread; what is made stays."""
        self._making.stop()

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return self._making.progress

    def finish(self) -> list[Record]:
        """Write the other layouts of all samples there are, and return their records."""
        there = [record for record in self._manifest.records if self._file(record.image).exists()]
        pairs = [Pair(one.name, self._file(one.image), self._file(one.mask), _marks(self._order, one)) for one in there]
        for layout in self._order.wish.layouts:
            lay_out(layout, self._order.wish.output, self._order.subject, pairs)
        return there

    # what `Making` asks for

    def known(self, piece: Piece) -> Outcome | None:
        """Return what an earlier run found of a sample."""
        made_from = self._origin(piece)
        allowed = self._order.wish.allow_copies
        if self._journal(piece).done(piece.name, made_from, piece.outputs) and (record := self._manifest.record(piece.name)):
            withdrawn = record.copy_check == ALLOWED and not allowed  # it is made again, to be left out
            return None if withdrawn else Outcome(piece, State.SKIPPED, record)
        entry = self._journal(piece).done(piece.name, made_from, ())
        if entry is None or not entry.kept or (entry.kept == COPY and allowed):
            return None
        self._manifest.put(LeftOut(piece.name, piece.seed, entry.kept, entry.kept == COPY))
        return Outcome(piece, State.LEFT_OUT, reason=entry.kept)

    def begin(self, piece: Piece) -> Job:
        """Start the job of a sample, or find that of the run that was killed."""
        made_from = self._origin(piece)
        known = self._journal(piece).job(piece.name, made_from)
        self._journal(piece).begin(piece.name, piece.outputs, made_from, known)
        if (job := found_again(self._engine, known)) is not None:
            return job
        inputs = {} if self._order.masks is None else {"mask": Volume.from_image(self._derived(piece))}
        given: dict[str, Any] = {**inputs, **self._order.params}
        job = self._engine.submit(self._order.engine, model=self._order.model, seed=piece.seed, **given)
        if self._order.volumes:  # of a flat image there is nothing to find again that is worth a second write
            self._journal(piece).begin(piece.name, piece.outputs, made_from, job.id)
        return job

    def save(self, piece: Piece, job: Job) -> Outcome:
        """Look at a sample, and write its files or leave it out."""
        image, labels, info = job.result("image"), self._labels(piece, job), job.info()
        if image.size != labels.size:
            raise ShapeError(f"{piece.name}: the image is {image.size}, its mask {labels.size} (z, y, x): they must be equal")
        verdict = heeding(self._judge.verdict(image, labels), Badge.of_recipe(info.recipe))
        if reason := self._objection(verdict):
            for path in piece.outputs:
                path.unlink(missing_ok=True)  # ours: the journal has seen to that
            self._journal(piece).finish(piece.name, self._origin(piece), (), 0.0, kept=reason)
            self._manifest.put(LeftOut(piece.name, piece.seed, reason, reason == COPY))
            return Outcome(piece, State.LEFT_OUT, reason=reason)
        record = self._record(piece, info, verdict)
        self._write(piece, image, labels, info.recipe | _marks(self._order, record))
        self._manifest.put(record)
        self._journal(piece).finish(piece.name, self._origin(piece), piece.outputs, 0.0)
        return Outcome(piece, State.DONE, record)

    def close(self) -> None:
        """Write the manifest."""
        self._manifest.write()

    def _journal(self, piece: Piece) -> Journal:
        """Return the journal of a sample's block; nothing is half-written while it is opened."""
        block = piece.number // BLOCK
        if block not in self._journals:
            wish = self._order.wish
            self._journals[block] = Journal(wish.output, wish.again, JOURNAL.format(block))
        return self._journals[block]

    def _objection(self, verdict: Verdict) -> str:
        if verdict.copy and not self._order.wish.allow_copies:
            return COPY
        return QUALITY + "; ".join(verdict.flags) if verdict.flags and not self._order.wish.keep_all else ""

    def _labels(self, piece: Piece, job: Job) -> Volume:
        if self._order.masks is not None:
            return Volume.from_image(self._derived(piece))
        return job.result("instances" if self._order.engine == NUCLEI else "mask")

    def _derived(self, piece: Piece) -> Any:
        assert self._order.masks is not None
        return self._order.masks.derived(piece.number, self._order.wish.seed).labels

    def _record(self, piece: Piece, info: JobInfo, verdict: Verdict) -> Record:
        masks, folder = self._order.masks, self._order.wish.output
        image, labels = (path.relative_to(folder).as_posix() for path in piece.outputs)
        noted = {key: value for key, value in info.recipe.items() if key.startswith(NOTED)}
        flags = (*(str(value) for key, value in info.recipe.items() if key.startswith(FLAG)), *verdict.flags)
        recipe = masks.recipe(piece.number, self._order.wish.seed) if masks else {}
        check = NOT_CHECKED if verdict.copy is None else ALLOWED if verdict.copy else UNLIKE
        params = dict(self._order.params)
        quality = dict(info.recipe.get(KEY, {}))
        return Record(piece.name, image, labels, piece.seed, recipe, params, noted, verdict.figures, flags, check, quality)

    def _write(self, piece: Piece, image: Volume, labels: Volume, recipe: Mapping[str, Any]) -> None:
        from medsynth_core import formats

        formats.write(piece.image, image, recipe)
        formats.write_mask(piece.labels, labels, recipe, names=self._order.subject.names)

    def _file(self, place: str) -> Any:
        return self._order.wish.output / place

    def _origin(self, piece: Piece) -> str:
        mask = self._order.masks.recipe(piece.number, self._order.wish.seed) if self._order.masks else {}
        told = {key: value for key, value in mask.items() if key not in ("source", "lesion_of")}
        return origin((), self._terms | {"seed": piece.seed, "mask": told})


def _marks(order: Order, record: Record) -> dict[str, Any]:
    """Return what every file of a sample says of itself, beside what its job said."""
    made = {"engine": order.engine, "model": order.model, "seed": record.seed, "synthetic": True}
    return made | {"mask_recipe": record.mask_recipe, "copy_check": record.copy_check, "figures": record.figures}


def check_some(records: list[Record], left_out: list[str]) -> None:
    """Raise InputError where not one sample was good enough."""
    if not records and left_out:
        raise InputError(f"not one of {len(left_out)} samples can be used; the first was {left_out[0]}: see manifest.json")
