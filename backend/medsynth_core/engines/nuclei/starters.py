"""The recipe of the nuclei model that ships.

msynth train nuclei DATA -o OUT --starter nuclei-he      (DATA: the folder that holds the folders of `SETS`)
"""

from __future__ import annotations

from dataclasses import replace

from medsynth_core.engines.nuclei.presets import COMPACT
from medsynth_core.engines.nuclei.tiles import PIXELS
from medsynth_core.protocol import LabelInfo, ModelCard

NUCLEI_HE = "nuclei-he"
PRESET = replace(COMPACT, name="starter-nuclei-he")
SETS = ("nuclei_nuinsseg", "nuclei_tnbc", "nuclei_dsb2018")
NUCLEUS = LabelInfo(1, "nucleus", "#7e57c2")
NOTES = "Makes tissue of nobody, instances and image together. For research and training of algorithms, never for diagnosis."
CARD = ModelCard(
    id=NUCLEI_HE,
    title="Nuclei in H&E, instances and image",
    engine="nuclei",
    channels=3,
    size=(PIXELS, PIXELS),
    labels=(),
    fit="tile",
    license="Apache-2.0 (weights); trained on CC BY 4.0 and CC0 data",
    data="NuInsSeg (CC BY 4.0), TNBC nuclei (Zenodo 1175282, CC BY 4.0), purple tissue of DSB 2018 (BBBC038v1, CC0)",
    attribution=(
        "Mahbod et al., NuInsSeg, Scientific Data 11:295 (2024), doi:10.1038/s41597-024-03117-2; Naylor et al., IEEE TMI 38(2) "
        "(2019); Caicedo et al., Nature Methods 16 (2019)"
    ),
    split="blocks of 7 tiles, patients, look-alikes by sha256: 15 % held out, 5 % for settings, 80 % trained on",
    notes=NOTES,
)
