"""A data set made beside the viewer: the code of `msynth dataset` on a thread of its own, told on the viewer's thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from medsynth_core.cli_batch import FATAL, State
from medsynth_core.cli_dataset_filter import PlainJudge
from medsynth_core.cli_dataset_order import Wish, make_order
from medsynth_core.cli_dataset_run import Maker
from medsynth_core.cli_making import Progress
from medsynth_core.client import Client
from medsynth_core.errors import MedSynthError
from medsynth_core.session import Session


@dataclass(frozen=True)
class Ended:
    """What came of a run: how many samples there are, how many were left out, what failed first, whether it was stopped."""

    there: int
    left_out: int
    failed: int
    problem: Exception | None
    stopped: bool


class DatasetRun:
    """One run. `told` gets how far it is and `ended` what came of it, both through `post`; `failed` why it could not begin."""

    def __init__(
        self,
        wish: Wish,
        post: Callable[[Callable[[], None]], None],
        told: Callable[[Progress], None],
    ) -> None:
        self.wish = wish
        self._post, self._told = post, told
        self._lock = threading.Lock()  # guards _maker and _stopped
        self._maker: Maker | None = None
        self._stopped = self._silent = False

    def start(self, session: Session, ended: Callable[[Ended], None], failed: Callable[[MedSynthError], None]) -> None:
        """Begin; returns at once."""
        session.ask(self._make, ended, failed)

    def stop(self) -> None:
        """End soon; what is made stays. May be called twice, and before it has begun."""
        with self._lock:
            self._stopped = True
            maker = self._maker
        if maker is not None:
            # canceling asks the service, which a viewer's thread never waits for
            threading.Thread(target=maker.stop, name="medsynth-stop", daemon=True).start()

    def leave(self) -> None:
        """Stop, and tell nobody any more: the panel is gone."""
        self._silent = True
        self.stop()

    def _make(self, client: Client) -> Ended:
        order = make_order(self.wish, client.capabilities())
        order.wish.output.mkdir(exist_ok=True)
        maker = Maker(client, order, PlainJudge(), self._tell)
        with self._lock:
            self._maker = maker
            if self._stopped:
                return Ended(0, 0, 0, None, True)
        there = left_out = failed = 0
        problem: Exception | None = None
        for outcome in maker.run():
            there += outcome.state in (State.DONE, State.SKIPPED)
            left_out += outcome.state is State.LEFT_OUT
            failed += outcome.state is State.FAILED
            problem = problem or outcome.problem
            if isinstance(outcome.problem, FATAL):
                break
        if not self._stopped:
            maker.finish()
        return Ended(there, left_out, failed, problem, self._stopped)

    def _tell(self, far: Progress) -> None:
        self._post(lambda: None if self._silent else self._told(far))


class Current:
    """The run under way, if any; no Qt object, so it is still called when its panel is destroyed."""

    def __init__(self) -> None:
        self.run: DatasetRun | None = None

    def leave(self) -> None:
        """Stop the run, and let it tell nobody any more."""
        if self.run is not None:
            self.run.leave()
