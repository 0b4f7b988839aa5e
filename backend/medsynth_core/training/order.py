"""What a user may say about a training, whatever the engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from medsynth_core.training.pairs import Columns
from medsynth_core.training.volume_cases import VolumeOptions

ALL_DEFAULT = VolumeOptions()


@dataclass(frozen=True)
class TrainingOrder:
    """One training as ordered. None, or an empty text, keeps the value of the preset or the starter.

    `preset` empty is the backbone's own default. `label_names` maps mask values to names; `starter` names one of the recipes of
    the models that ship; `base` is a model folder to go on from, or a hub id OWNER/NAME@COMMIT. `volumes` is for engines that
    learn from volumes. `items` names the cases of the training side that alone are learned from, with none to choose
    by; empty for all. `label_percent` of the training patches are learned from, for the engine nuclei. `title` is what the model
    is called in lists, by default its id. `excluded` names cases that are left out, as the doctor names them. `unlabeled` is a
    folder of images without masks that teach how images look, for the engine synthesize. Without `judge` no judge of the model's
    results is taught.
    """

    preset: str = ""
    starter: str = ""
    model_id: str = "my-model"
    grey: bool = False
    label_names: dict[int, str] | None = None
    columns: Columns | None = None
    steps: int | None = None
    batch: int | None = None
    base: Path | None = None
    license: str = "not stated"
    seed: int = 0
    device: str = "cpu"
    volumes: VolumeOptions = ALL_DEFAULT
    label_percent: int = 100
    items: tuple[str, ...] = ()
    title: str = ""
    excluded: tuple[str, ...] = ()
    unlabeled: Path | None = None
    judge: bool = True

    @property
    def split_said(self) -> str:
        """How the cases are parted, as a model's card says it."""
        by = "by group column" if self.columns and self.columns.group else "look-alikes kept together"
        return f"{by}; 15 % held out, 5 % to choose by"
