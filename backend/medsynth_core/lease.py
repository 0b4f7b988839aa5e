"""A client's sign of life: as long as one is fresh, the service does not end itself for want of work."""

from __future__ import annotations

import json
import logging
import threading

from medsynth_core.errors import MedSynthError
from medsynth_core.transport import JSON, Reply, Request, Send, checked

log = logging.getLogger(__name__)
RETRY_SECONDS = 5.0


class Lease:
    """One lease, kept fresh by a daemon thread until `release`; a service that forgot it is asked for a new one.

    Making it asks the service at once, and may start it. Raises what the service answers, ServiceUnavailableError among it.
    """

    def __init__(self, send: Send, name: str) -> None:
        self._send, self._name = send, name
        self._released = threading.Event()
        self._lease, pause = self._take(patience=15.0, start=True)
        threading.Thread(target=self._keep, args=(pause,), name="medsynth-lease", daemon=True).start()

    def release(self) -> None:
        """Give the lease back, once; harmless when the service is gone."""
        if self._released.is_set():
            return
        self._released.set()
        try:
            self._post("release", {"lease": self._lease})
        except MedSynthError as problem:
            log.debug("lease not released: %s", problem.code)

    def _keep(self, pause: float) -> None:
        while not self._released.wait(pause):
            try:
                if self._post("heartbeat", {"lease": self._lease}).status == 404:
                    self._lease, pause = self._take()
            except MedSynthError as problem:  # whoever needs the service starts it again, not the heartbeat
                log.debug("heartbeat failed: %s", problem.code)
                pause = min(pause, RETRY_SECONDS)

    def _take(self, patience: float = 0.0, start: bool = False) -> tuple[str, float]:
        answer = checked(self._post("lease", {"name": self._name}, patience, start)).json()
        return str(answer["lease"]), max(0.05, float(answer["seconds"]) / 3)

    def _post(self, action: str, fields: dict[str, str], patience: float = 0.0, start: bool = False) -> Reply:
        body = json.dumps(fields).encode()
        return self._send(Request("POST", f"/v1/clients/{action}", body, JSON, seconds=5.0, patience=patience, start=start))
