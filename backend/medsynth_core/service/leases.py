"""Leases: which clients are there. One that stays silent for `lease_seconds` is gone; without any, the service may end."""

from __future__ import annotations

import secrets
import time

from medsynth_core.errors import InputError, NotFoundError
from medsynth_core.service.journal import Journal

MAX_NAME = 200


class Leases:
    """The leases of the journal, with the clock."""

    def __init__(self, journal: Journal, seconds: float) -> None:
        self._journal = journal
        self.seconds = seconds

    def take(self, name: str) -> str:
        """Return a new lease for a client. Raises InputError for a name that is too long."""
        if len(name) > MAX_NAME:
            raise InputError(f"the client's name has {len(name)} characters: at most {MAX_NAME}")
        lease = secrets.token_hex(16)
        self._journal.keep_lease(lease, name, time.time() + self.seconds)
        return lease

    def beat(self, lease: str) -> None:
        """Keep a lease alive. Raises NotFoundError when it has expired: take a new one."""
        name = self._journal.lease_name(lease, time.time())
        if name is None:
            raise NotFoundError("this lease has expired: take a new one")
        self._journal.keep_lease(lease, name, time.time() + self.seconds)

    def release(self, lease: str) -> None:
        """End a lease; harmless when it has expired."""
        self._journal.drop_lease(lease)

    def alive(self) -> int:
        """Return how many clients are there."""
        return self._journal.leases(time.time())
