"""The recipe of the refiner that ships: one network for every kind of image, learned from all sources together.

msynth train refine DATA -o OUT --starter refiner      (DATA: the folder that holds the folders of `sources.SOURCES`)
"""

from __future__ import annotations

from dataclasses import replace

from medsynth_core.engines.refine.presets import DISCRETE
from medsynth_core.protocol import ModelCard

REFINER = "refiner"
PRESET = replace(DISCRETE, name="starter-refiner")
CARD = ModelCard(
    id=REFINER,
    title="Boundary refiner for any label, grey or color",
    engine="refine",
    channels=3,
    size=(DISCRETE.pixels, DISCRETE.pixels),
    labels=(),
    license="CC BY-NC-SA 4.0 (weights), research only: masks of TCGA-LGG, which it learned from, are under these terms",
    data="PolypGen, BRISC 2025, TCGA-LGG FLAIR (masks CC BY-NC-SA 4.0), DSB2018 purple tissue, NuInsSeg, TNBC nuclei",
    commercial_use=False,
    attribution=(
        "Ali et al., Scientific Data 10:75 (2023); Fateh et al., arXiv:2506.14318 (2025); Buda et al., Computers in Biology and "
        "Medicine 109 (2019); Caicedo et al., Nature Methods 16 (2019); Mahbod et al., NuInsSeg, Scientific Data 11 (2024); "
        "Naylor et al., IEEE TMI 38 (2019)"
    ),
    split="groups (scene, look-alikes, patient, block of tiles) by sha256: 15 % held out, 5 % for settings, 80 % trained on",
    notes="Changes masks, not images: check the result before use. For research, never for diagnosis.",
)
