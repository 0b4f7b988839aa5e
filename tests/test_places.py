"""Where the state lies: where platformdirs says, or where MEDSYNTH_HOME says."""

from __future__ import annotations

import sys
from pathlib import Path

import platformdirs
import pytest

from medsynth_core import places


def test_the_variable_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MEDSYNTH_HOME", str(tmp_path / "deep" / "state"))
    assert places.state_folder() == tmp_path / "deep" / "state"
    assert places.models_folder() == tmp_path / "deep" / "state" / "models"


@pytest.mark.parametrize("state_home", ["", "  ", "elsewhere"])
def test_without_it_the_folder_is_the_one_of_platformdirs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, state_home: str
) -> None:
    monkeypatch.delenv("MEDSYNTH_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / state_home) if state_home.strip() else state_home)
    assert places.state_folder() == platformdirs.user_state_path("medsynth-engine", appauthor=False)
    assert tmp_path in places.state_folder().parents


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
def test_the_folder_is_the_users_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MEDSYNTH_HOME", str(tmp_path / "state"))
    assert places.state_folder().stat().st_mode & 0o077 == 0
