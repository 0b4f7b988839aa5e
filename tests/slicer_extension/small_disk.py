"""Makes an environment on a disk that is too small for it; run by a test, where that disk is mounted.

    python small_disk.py MODULE_FOLDER BACKEND HOME FAKE INSTALL

Writes, as JSON on stdout, what went wrong, and what the next try left once there was room.
"""

import json
import sys
from pathlib import Path

sys.path[:0] = sys.argv[1:3]

from MedSynthLib import environment, environment_making  # noqa: E402  (found by the line above)

home, fake, install = Path(sys.argv[3]), Path(sys.argv[4]), sys.argv[5]
plan = environment_making.Plan("x", needed_bytes=1)


def attempt(install: str) -> str:
    """Try, and return the reason if it fails."""
    (fake / "install").write_text(install)
    try:
        environment_making.create(home, str(fake / "python3.12"), plan)
    except environment.EnvironmentProblem as problem:
        return f"{problem.reason}: {problem}"
    return ""


def folders() -> list[str]:
    """Return the environments that lie there."""
    return sorted(path.name for path in (home / "environments").iterdir() if path.is_dir())


first = attempt("ok")
used = environment.chosen(home)
second = attempt(install)
kept = environment.chosen(home) == used and folders() == [used.made_here if used else ""]
(fake / "hog").unlink(missing_ok=True)
third = attempt("ok")
after = environment.chosen(home)
whole = after is not None and after != used and folders() == [after.made_here]
json.dump({"first": first, "second": second, "kept": kept, "third": third, "whole": whole}, sys.stdout)
