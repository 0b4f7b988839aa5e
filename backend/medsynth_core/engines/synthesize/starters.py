"""The recipes of the models that ship: what data, which split, how long.

msynth train synthesize DATA/polyp_polypgen/train -o OUT --starter polyp
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from medsynth_core.engines.synthesize.presets import COMPACT, Preset
from medsynth_core.errors import ParameterError
from medsynth_core.protocol import LabelInfo, ModelCard
from medsynth_core.training.augment import Augmentation
from medsynth_core.training.pairs import Columns

BACKGROUND = LabelInfo(0, "background", "#000000")
RESEARCH_NOTE = "Synthetic images: for research and training of algorithms, never for diagnosis."


@dataclass(frozen=True)
class Starter:
    """A preset, the columns of the data's metadata.csv, and the card without figures."""

    preset: Preset
    card: ModelCard
    group: str
    options: dict[str, str]

    def columns(self, data: Path) -> Columns:
        """Return the columns, read from the metadata.csv beside the training folder."""
        return Columns(data.resolve().parent / "metadata.csv", self.group, self.options)


STARTERS = {
    "polyp": Starter(
        replace(COMPACT, name="starter-polyp", steps=20_000),
        ModelCard(
            id="polyp",
            title="Colonoscopy frame with polyp",
            engine="synthesize",
            channels=3,
            size=(128, 128),
            labels=(BACKGROUND, LabelInfo(1, "polyp", "#4dd0e1")),
            license="Apache-2.0 (weights); trained on CC BY 4.0 data",
            data="PolypGen single frames (Synapse syn26376615), CC BY 4.0",
            attribution="Ali S, Jha D, Ghatwary N et al., Scientific Data 10:75 (2023), doi:10.1038/s41597-023-01981-y",
            split="by dup_group of metadata.csv; groups whose sha256 is below 15 % are held out",
            notes=RESEARCH_NOTE,
        ),
        group="dup_group",
        options={},
    ),
    "brain-slice": Starter(
        replace(
            COMPACT,
            name="starter-brain-slice",
            steps=20_000,
            augmentation=Augmentation(zoom=0.05, shift=0.03),
        ),
        ModelCard(
            id="brain-slice",
            title="Brain slice, T1 with contrast, with tumor",
            engine="synthesize",
            channels=1,
            size=(128, 128),
            labels=(BACKGROUND, LabelInfo(1, "tumor", "#ffb74d")),
            license="Apache-2.0 (weights); trained on CC BY 4.0 data",
            data="BRISC 2025 contrast-enhanced T1 slices, subset of the official training split, CC BY 4.0",
            attribution="Fateh A, Rezvani Y, Moayedi S et al., BRISC, arXiv:2506.14318 (2025)",
            split="exact duplicates removed, look-alikes (thumbnail correlation > 0.97) kept together; by sha256, 15 % held out",
            notes=RESEARCH_NOTE,
        ),
        group="",
        options={"tumor": "tumour", "plane": "plane"},
    ),
}


def get_starter(name: str) -> Starter:
    """Return one starter recipe. Raises ParameterError listing what there is."""
    if name not in STARTERS:
        raise ParameterError(f"starter is {name!r}: it must be one of {', '.join(STARTERS)}")
    return STARTERS[name]
