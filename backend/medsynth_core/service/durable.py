"""Writing files so that a reader never sees half of one: temporary name, then rename."""

from __future__ import annotations

import os
from pathlib import Path

PARTIAL = ".partial"


def write_file(path: Path, content: bytes | memoryview, *, sync: bool = True, mode: int = 0o600) -> None:
    """Put `content` at `path` in one step. Without `sync` a power cut may lose it, a killed process not.

    The sync comes after the rename: on journaling file systems it then carries the new name along, and no folder needs a sync
    of its own, which would cost as much again.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}{PARTIAL}")
    try:
        _write(partial, content, mode)
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    if sync:
        sync_file(path)


def sync_file(path: Path) -> None:
    """Make a file survive a power cut."""
    fd = os.open(path, os.O_RDWR)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sweep(folder: Path) -> int:
    """Remove what killed writers left behind under `folder`; return how many files."""
    left = list(folder.rglob(f"*{PARTIAL}"))
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


def _write(path: Path, content: bytes | memoryview, mode: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), mode)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(fd, left) :]
    finally:
        os.close(fd)
