"""What a process that reads a user's files may take of the machine: it stands back, and a bomb of a file hits a limit."""

from __future__ import annotations

import contextlib
import os
import sys

NICENESS = 10
MOST_FILE_BYTES = 64 * 2**30
"""No file of a training is larger: a checkpoint of Stable Diffusion 1.5 has about 14 GiB."""


def step_back() -> None:
    """Lower the priority of this process: a viewer and the worker come first."""
    if sys.platform == "win32":
        import psutil

        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(NICENESS)


def bound() -> None:
    """Limit what this process may take, where the platform can: no dump of its memory, which holds images; no more memory of its
    own than the machine has; no file beyond any of ours."""
    if sys.platform == "win32":
        return
    import resource

    import psutil

    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_DATA: psutil.virtual_memory().total,
        resource.RLIMIT_FSIZE: MOST_FILE_BYTES,
    }
    for kind, most in limits.items():
        _, hard = resource.getrlimit(kind)
        with contextlib.suppress(ValueError, OSError):  # some platforms refuse some of them
            resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
