"""What a run finds in its job's folder when it begins."""

from __future__ import annotations

from pathlib import Path

from medsynth_core.protocol import JobRequest
from medsynth_core.service import frames
from medsynth_core.service.recording import Recorder


def test_a_second_attempt_removes_what_a_killed_worker_left_half_written(tmp_path: Path) -> None:
    left = tmp_path / "image.zarr" / "c" / "0" / "3" / "0" / "0.4711.partial"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half a sl")
    whole = left.with_name("0")
    whole.write_bytes(b"a slice")
    run = frames.Run("job", JobRequest("fake", "", {}), 2, (), ())
    Recorder(run, tmp_path, lambda report: None, lambda run: None)
    assert not left.exists()
    assert whole.exists()
