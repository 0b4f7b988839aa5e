"""The judges of one data set, trained once and kept with their cards: a segmenter and a feature network.

    runs/judges/polyp/
    ├── segmenter.safetensors   segmenter.json     card: settings, training images, checksum
    └── features.safetensors    features.json

A kept judge is used again only if its card says the same training images and settings; else it is trained anew.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file, save_file
from torch import nn

from medsynth_core.evaluation.copies import CopyNetwork, CopySettings, build_copy_network, train_copy_network
from medsynth_core.evaluation.features import FeatureNetwork, FeatureSettings, build_features, features, train_features
from medsynth_core.evaluation.generator import Images, Masks, Pairs
from medsynth_core.evaluation.lesson import LessonReport, LessonStep
from medsynth_core.evaluation.metrics import Features
from medsynth_core.evaluation.nuclei_segmenter import NucleiSegmenterSettings, build_nuclei_segmenter, train_nuclei_segmenter
from medsynth_core.evaluation.nuclei_views import Labeled
from medsynth_core.evaluation.plain_unet import PlainUNet
from medsynth_core.evaluation.segmenter import SegmenterSettings, build_segmenter, segment, train_segmenter
from medsynth_core.protocol import to_json


@dataclass(frozen=True)
class JudgeSettings:
    """How both judges are trained."""

    segmenter: SegmenterSettings = field(default_factory=SegmenterSettings)
    features: FeatureSettings = field(default_factory=FeatureSettings)


@dataclass(frozen=True)
class Judges:
    """Both judges, ready; the names, which stand beside each figure, end in the first digits of the weights' checksum."""

    segmenter: PlainUNet
    feature_network: FeatureNetwork
    segmenter_name: str
    features_name: str

    def segment(self, images: Images) -> Masks:
        """Return the labels (n, y, x) seen in images (n, c, y, x)."""
        return segment(self.segmenter, images)

    def features(self, images: Images) -> Features:
        """Return features (n, d) of images (n, c, y, x)."""
        return features(self.feature_network, images)


def prepare_judges(
    folder: Path, data: str, real: Pairs, settings: JudgeSettings, told: LessonReport, device: str = "cpu"
) -> Judges:
    """Return the judges of the data set named `data`, trained on `real` (its training split) or read from `folder`."""
    segmenter, segmenter_name = prepare_segmenter(folder, data, real, settings.segmenter, told, device)
    network, features_name = prepare_features(folder, data, real, settings.features, told, device)
    return Judges(segmenter, network, segmenter_name, features_name)


def prepare_segmenter(
    folder: Path, data: str, real: Pairs, settings: SegmenterSettings, told: LessonReport, device: str = "cpu"
) -> tuple[PlainUNet, str]:
    """Return the segmenter of the data set named `data`, trained on `real` or read from `folder`, and its name."""
    network = build_segmenter(real.channels, real.labels, settings).to(device)
    training = train_segmenter(network, real, settings)
    return network, _ready(network, folder, _facts("segmenter", data, (real.images, real.masks), settings), training, told)


def prepare_features(
    folder: Path, data: str, real: Pairs, settings: FeatureSettings, told: LessonReport, device: str = "cpu"
) -> tuple[FeatureNetwork, str]:
    """Return the feature network of the data set named `data`, trained on `real` or read from `folder`, and its name."""
    network = build_features(real.channels, settings).to(device)
    training = train_features(network, real.images, settings)
    return network, _ready(network, folder, _facts("features", data, (real.images, real.masks), settings), training, told)


def prepare_copy_network(
    folder: Path, data: str, training: Images, settings: CopySettings, told: LessonReport, device: str = "cpu"
) -> tuple[CopyNetwork, str]:
    """Return the network that knows the images (n, c, y, x) of `training` again, trained or read from `folder`, and its name."""
    network = build_copy_network(training.shape[1], settings).to(device)
    learning = train_copy_network(network, training, settings)
    return network, _ready(network, folder, _facts("copies", data, (training,), settings), learning, told)


def prepare_nuclei_segmenter(
    folder: Path,
    data: str,
    samples: Sequence[Labeled],
    settings: NucleiSegmenterSettings,
    told: LessonReport,
    device: str = "cpu",
) -> tuple[PlainUNet, str]:
    """Return the segmenter of nuclei trained on the samples named `data`, or read from `folder`, and its name."""
    network = build_nuclei_segmenter(settings).to(device)
    training = train_nuclei_segmenter(network, samples, settings)
    arrays = [part for labeled in samples for part in (labeled.image, labeled.instances)]
    return network, _ready(network, folder, _facts("nuclei-segmenter", data, arrays, settings), training, told)


def _ready(network: nn.Module, folder: Path, facts: dict[str, Any], training: Iterator[float], told: LessonReport) -> str:
    """Bring `network` to its trained state and return its name; `training` runs only if nothing fitting is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    judge = str(facts["judge"])
    weights, card = folder / f"{judge}.safetensors", folder / f"{judge}.json"
    if not _is_kept(weights, card, facts):
        for step, loss in enumerate(training, start=1):
            told(LessonStep(judge, step, facts["settings"]["steps"], loss))
        save_file(network.state_dict(), weights.with_suffix(".partial"))
        os.replace(weights.with_suffix(".partial"), weights)
        card.write_text(json.dumps({**facts, "sha256": _sha256(weights)}, indent=2) + "\n", "utf-8")
    network.load_state_dict(load_file(weights))
    network.eval()
    return f"{judge}-{facts['data']}-{_sha256(weights)[:8]}"


def _is_kept(weights: Path, card: Path, facts: dict[str, Any]) -> bool:
    if not (weights.is_file() and card.is_file()):
        return False
    return json.loads(card.read_text("utf-8")) == {**facts, "sha256": _sha256(weights)}


def _facts(judge: str, data: str, arrays: Sequence[np.ndarray], settings: object) -> dict[str, Any]:
    digest = hashlib.sha256()
    for array in arrays:  # one after the other: together they may be half a gigabyte
        digest.update(np.ascontiguousarray(array).data)
    shape, sha256 = list(arrays[0].shape), digest.hexdigest()
    return {"judge": judge, "data": data, "trained_on": shape, "trained_on_sha256": sha256, "settings": to_json(settings)}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
