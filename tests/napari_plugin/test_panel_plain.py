"""Settings, diagnostics, palette, fixes, samples and the manifest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("napari")

from napari.layers import Labels
from npe2 import PluginManifest
from npe2.manifest.utils import import_python_name

from medsynth_core.errors import OutOfMemoryError
from medsynth_core.protocol import LabelInfo
from napari_medsynth import diagnostics, fixes, palette, samples, settings
from napari_medsynth.settings import Settings

ROOT = Path(__file__).parents[2]
LABELS = (LabelInfo(0, "background", "#000000"), LabelInfo(3, "tumor", "#ff0000"), LabelInfo(5, "edema", "#00ff00"))


def test_settings_come_back_as_they_were(home: Path) -> None:
    kept = Settings("polyp", 9, True, 4, True).with_params("polyp", {"steps": 2}).with_seconds("k", 0.51239)
    settings.save("synthesize", kept)
    assert settings.load("synthesize") == kept
    assert settings.load("refine") == Settings()
    assert [path.name for path in home.iterdir()] == ["napari-synthesize.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"model": 7}', b'{"unknown": 1}', b"\xff\xfe"])
def test_damaged_settings_give_fresh_ones(home: Path, content: bytes) -> None:
    (home / "napari-refine.json").write_bytes(content)
    assert settings.load("refine") == Settings()


def test_the_time_is_remembered_by_model_steps_and_device() -> None:
    keys = {settings.timing_key(m, {"steps": s}, d) for m in "ab" for s in (1, 4) for d in ("cpu", "gpu")}
    assert len(keys) == 8


@pytest.mark.parametrize(
    "path", ["/home/jane/scans/p1.nii", "C:\\Users\\jane\\scan.dcm", "~/data/x.png", "\\\\server\\share\\patient", "/tmp/a/b"]
)
def test_paths_are_redacted(path: str) -> None:
    text = diagnostics.redact(f"cannot read {path}: it is damaged")
    assert "jane" not in text
    assert "share" not in text
    assert text.startswith("cannot read <path>")
    assert text.endswith(": it is damaged")


def test_diagnostics_tell_versions_and_the_error_and_keep_addresses_readable() -> None:
    text = diagnostics.report(None, OutOfMemoryError("too little memory"), "model: polyp")
    assert "napari" in text
    assert "out_of_memory: too little memory" in text
    assert "engine: not running" in text


def test_a_missing_log_is_told(home: Path) -> None:
    assert "no log" in diagnostics.log_tail()
    (home / "logs").mkdir()
    (home / "logs" / "service.log").write_text("read /home/jane/x.nii\n" * 500)
    assert len(diagnostics.log_tail().splitlines()) == diagnostics.LOG_LINES
    assert "jane" not in diagnostics.log_tail()


def test_the_palette_gives_names_colors_and_keys() -> None:
    layer = Labels(np.zeros((4, 4), np.uint8))
    palette.dress(layer, LABELS)
    assert layer.selected_label == 3
    assert np.allclose(layer.get_color(3), [1, 0, 0, 1])
    assert np.allclose(layer.get_color(5), [0, 1, 0, 1])
    unknown = layer.get_color(9)
    assert unknown is not None
    assert unknown[3] == 1
    layer.keymap[next(k for k in layer.keymap if str(k) == "2")](layer)
    assert layer.selected_label == 5
    assert layer.mode == "paint"


def test_mapping_labels_is_one_undo_step() -> None:
    data = np.array([[0, 7, 8], [1, 7, 0]], np.uint8)
    layer = Labels(data.copy())
    fixes.map_labels(layer, (7, 8), 1)
    assert np.array_equal(layer.data, [[0, 1, 1], [1, 1, 0]])
    layer.undo()
    assert np.array_equal(layer.data, data)


@pytest.mark.parametrize("sample", samples.SAMPLES, ids=lambda s: s.stem)
def test_every_sample_is_a_small_real_pair(sample: samples.Sample) -> None:
    image, mask = sample.image(), sample.mask()
    assert image.shape[:2] == mask.shape
    assert image.std() > 10
    assert set(np.unique(mask)) == {0, 1}
    assert 0.01 < mask.mean() < 0.3
    for path in samples.FOLDER.glob(f"{sample.stem}*"):
        assert path.stat().st_size < 60_000
        assert path.name in (samples.FOLDER / "ATTRIBUTION.md").read_text("utf-8")


def test_the_manifest_names_things_that_exist() -> None:
    manifest = PluginManifest.from_file(ROOT / "napari_medsynth" / "napari.yaml")
    manifest.validate_imports()
    assert manifest.contributions.widgets[0].display_name == "Synthesize"
    commands = {command.id: command.python_name for command in manifest.contributions.commands}
    for contribution in manifest.contributions.sample_data:
        layers = import_python_name(commands[contribution.command])()
        assert [kind for *_, kind in layers] == ["image", "labels"]
