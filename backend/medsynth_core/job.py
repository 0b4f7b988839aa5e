"""One job as a client sees it: a stream of events, then a result."""

from __future__ import annotations

from collections.abc import Iterator

from medsynth_core import wire
from medsynth_core.errors import JobCancelledError, NotFoundError, error_from_code
from medsynth_core.protocol import Event, EventKind, JobInfo, JobState
from medsynth_core.transport import JSON, Reply, Request, Send, checked, read_record
from medsynth_core.volume import Volume

WAIT_SECONDS = 20
STATE = "state"
"""The kind of an output that a resumed job goes on from; it is not for looking at."""


class Job:
    """A job of the service. It lives on when this object, the loop over it or the whole client program ends.

        for event in job: ...       every event from the first on, until the job has ended; again, from the start, next time
        volume = job.result()       waits for the end

    Leaving a loop early, also by Ctrl-C, stops listening and nothing else: `job.cancel()` stops the job. A lost connection or a
    restarted service is met by asking on from the last event, so none is missed and none comes twice.
    """

    def __init__(self, send: Send, job_id: str) -> None:
        self.id = job_id
        self._send = send

    def __iter__(self) -> Iterator[Event]:
        return self.events()

    def events(self, after: int = 0) -> Iterator[Event]:
        """Yield the events numbered above `after` until the job has ended. Raises ServiceUnavailableError, NotFoundError."""
        ended = False
        while not ended:
            lines = self._ask("GET", f"/events?after={after}&wait={WAIT_SECONDS}", seconds=WAIT_SECONDS + 10.0).body
            for line in bytes(lines).splitlines():
                event = read_record(Event, line)
                after = event.number
                if event.kind is EventKind.STATE and event.state is not None:
                    ended = event.state.ended  # a resumed job goes on after its first end
                yield event

    def info(self) -> JobInfo:
        """Return the job's present state, its outputs and, when it is done, its recipe."""
        return read_record(JobInfo, self._ask("GET", "").body)

    @property
    def state(self) -> JobState:
        """The job's present state, asked from the service."""
        return self.info().state

    def wait(self) -> JobInfo:
        """Wait for the end and return the finished job. Raises the JobError it failed with, or JobCancelledError."""
        info = self.info()
        if not info.state.ended:
            for _ in self.events():
                pass
            info = self.info()
        if info.state is JobState.CANCELLED:
            raise JobCancelledError("the job was cancelled; the slices made before are kept")
        if info.state is JobState.FAILED:
            raise error_from_code(info.error_code or "job_failed", info.error)
        return info

    def result(self, output: str = "") -> Volume:
        """Wait for the end and return an output, by default the first. Raises the JobError the job failed with."""
        info = self.wait()
        names = [out.name for out in info.outputs]
        if not names or (output and output not in names):
            raise NotFoundError(f"output is {output!r}: the job has {', '.join(names) or 'none'}")
        return self._array("/result", output or names[0])

    def slice(self, z: int, output: str) -> Volume:
        """Return slice `z` of an output as a volume of one slice, in its place. Raises NotFoundError before it is made."""
        return self._array(f"/slices/{z}", output)

    def slices(self, *outputs: str) -> Iterator[tuple[str, int, Volume]]:
        """Yield (output, z, slice) as slices are made, in the order they are made, those made before first.

        Without names all outputs come that are for looking at. A slice that the engine replaces comes again. Raises at the end
        the JobError the job failed with, JobCancelledError.
        """
        wanted = set(outputs)
        for event in self:
            if event.output_info is not None and not outputs and event.output_info.kind != STATE:
                wanted.add(event.output)
            if event.kind is EventKind.SLICE and event.output in wanted:
                yield event.output, event.z, self.slice(event.z, event.output)
        self.wait()

    def preview(self, output: str) -> Volume:
        """Return the newest look at an output that is not final. Raises NotFoundError when there is none."""
        return self._array("/preview", output)

    def cancel(self) -> JobInfo:
        """Ask the job to stop; slices made so far are kept. Harmless when it has ended."""
        return read_record(JobInfo, self._ask("POST", "/cancel").body)

    def resume(self) -> JobInfo:
        """Let a cancelled or failed job go on from the slices it has."""
        return read_record(JobInfo, self._ask("POST", "/resume", start=True).body)

    def _array(self, path: str, output: str) -> Volume:
        return wire.decode(self._ask("GET", f"{path}?output={output}").body)

    def _ask(self, method: str, path: str, seconds: float = 60.0, start: bool = False) -> Reply:
        body, headers = (b"{}", JSON) if method == "POST" else (None, {})
        return checked(self._send(Request(method, f"/v1/jobs/{self.id}{path}", body, headers, seconds, start=start)))
