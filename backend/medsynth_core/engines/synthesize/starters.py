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
from medsynth_core.training.labels import BACKGROUND
from medsynth_core.training.pairs import Columns
from medsynth_core.training.sources import BRISC, POLYPGEN, Source

RESEARCH_NOTE = "Synthetic images: for research and training of algorithms, never for diagnosis."


@dataclass(frozen=True)
class Starter:
    """A preset, the data set, the columns of its metadata.csv that the model is told, and the card without figures."""

    preset: Preset
    card: ModelCard
    source: Source
    options: dict[str, str]

    def columns(self, data: Path) -> Columns:
        """Return the columns, read from the metadata.csv beside the training folder."""
        return self.source.columns(data, self.options)


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
            license=POLYPGEN.license,
            data=POLYPGEN.data,
            attribution=POLYPGEN.attribution,
            split=POLYPGEN.split,
            notes=RESEARCH_NOTE,
        ),
        source=POLYPGEN,
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
            license=BRISC.license,
            data=BRISC.data,
            attribution=BRISC.attribution,
            split=BRISC.split,
            notes=RESEARCH_NOTE,
        ),
        source=BRISC,
        options={"tumor": "tumour", "plane": "plane"},
    ),
}


def get_starter(name: str) -> Starter:
    """Return one starter recipe. Raises ParameterError listing what there is."""
    if name not in STARTERS:
        raise ParameterError(f"starter is {name!r}: it must be one of {', '.join(STARTERS)}")
    return STARTERS[name]
