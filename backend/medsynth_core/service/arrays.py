"""Uploaded arrays, each in a file named by the sha256 of its encoded bytes (see `wire`): arrays/AB/ABCD…"""

from __future__ import annotations

import asyncio
import hashlib
import mmap
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from medsynth_core import wire
from medsynth_core.errors import FormatError, InputError, NotFoundError
from medsynth_core.service import durable
from medsynth_core.volume import Volume

LARGE_BYTES = 4 * 2**20
UNUSED_SECONDS = 3600.0


class ArrayStore:
    """The folder of arrays. A name is 64 hex digits; whatever else is asked for is not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def path(self, sha256: str) -> Path:
        """Return where the array is. Raises NotFoundError for what is no sha256."""
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise NotFoundError(f"array is {sha256[:80]!r}: its name must be the sha256 of its bytes, 64 lower-case hex digits")
        return self._folder / sha256[:2] / sha256

    def has(self, sha256: str) -> bool:
        """Return whether the array is here, and keep it for an hour, so that a job can still name it."""
        try:
            os.utime(self.path(sha256))
        except FileNotFoundError:
            return False
        return True

    def size(self, sha256: str) -> int:
        """Return the array's encoded size in bytes. Raises NotFoundError."""
        if not self.has(sha256):
            raise NotFoundError(f"array {sha256[:12]}… is not here: upload it first")
        return self.path(sha256).stat().st_size

    def read(self, sha256: str) -> Volume:
        """Return the array. Raises NotFoundError, FormatError."""
        if not self.has(sha256):
            raise NotFoundError(f"array {sha256[:12]}… is not here: upload it first")
        return wire.decode(self.path(sha256).read_bytes())

    async def take(self, sha256: str, stream: AsyncIterator[bytes]) -> bool:
        """Store the streamed bytes and say whether they are new. Raises FormatError when they are not what their name says."""
        path = self.path(sha256)
        path.parent.mkdir(exist_ok=True, mode=0o700)
        partial = path.with_name(f"{sha256}.{os.urandom(4).hex()}{durable.PARTIAL}")
        try:
            await _spool(stream, partial, sha256)
            new = not path.exists()
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
        return new

    def drop_unused(self, used: Callable[[str], bool]) -> None:
        """Remove arrays that no job names and nobody asked for within the hour."""
        horizon = time.time() - UNUSED_SECONDS
        for path in self._folder.glob("??/" + "?" * 64):
            if path.stat().st_mtime < horizon and not used(path.name):
                path.unlink(missing_ok=True)


async def _spool(stream: AsyncIterator[bytes], partial: Path, sha256: str) -> None:
    digest, size = hashlib.sha256(), 0
    with open(partial, "x+b") as file:
        async for part in stream:
            digest.update(part)
            file.write(part)
            size += len(part)
        file.flush()
        if size == 0:
            raise FormatError("the array is empty: send the bytes of an encoded array")
        if digest.hexdigest() != sha256:
            raise FormatError("the bytes are not what their sha256 says: the upload was cut short or changed; send it again")
        if size > LARGE_BYTES:
            await asyncio.to_thread(_check_and_sync, file.fileno())
        else:
            _check_and_sync(file.fileno())


def _check_and_sync(fd: int) -> None:
    """Sync the file if its bytes are an encoded array. The map is closed before an error goes on: Windows keeps mapped files."""
    complaint: InputError | None = None
    with mmap.mmap(fd, 0, access=mmap.ACCESS_READ) as content:
        try:
            wire.check(content)
        except InputError as problem:
            complaint = type(problem)(str(problem))  # without the frames that still hold parts of the map
    if complaint:
        raise complaint
    os.fsync(fd)
