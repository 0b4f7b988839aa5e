"""The recipe of the tumor model that ships.

msynth train tumor DATA/train -o OUT --starter lgg-flair
"""

from __future__ import annotations

from dataclasses import replace

from medsynth_core.engines.tumor.presets import COMPACT
from medsynth_core.engines.tumor.stacks import PIXELS
from medsynth_core.protocol import LabelInfo, ModelCard

LGG_FLAIR = "lgg-flair"
PRESET = replace(COMPACT, name="starter-lgg-flair")
STACK_HEIGHT_MM = 145.0
"""The headers of this set give 5 mm whatever the scan; a whole head is about this high, so the slice distance follows."""
TUMOR = LabelInfo(1, "tumor", "#e45756")
CARD = ModelCard(
    id=LGG_FLAIR,
    title="Low-grade glioma in FLAIR, whole head",
    engine="tumor",
    channels=1,
    size=(PIXELS, PIXELS),
    labels=(TUMOR,),
    license="CC BY-NC-SA 4.0 (weights), research only: the masks of TCGA-LGG that it learned from are under these terms",
    data="TCGA-LGG FLAIR volumes (images: TCIA, CC BY 3.0; masks: Kaggle mateuszbuda/lgg-mri-segmentation, CC BY-NC-SA 4.0)",
    commercial_use=False,
    attribution=(
        "Buda et al., Computers in Biology and Medicine 109:218-225 (2019); Mazurowski et al., J Neuro-Oncology 133 (2017); "
        "Pedano et al., TCGA-LGG, TCIA doi:10.7937/K9/TCIA.2016.L4LTD3TK"
    ),
    split="patients by sha256: 15 % held out, 5 % for settings, 80 % trained on",
    notes=(
        "Makes heads of nobody with a lesion, image and mask together; slice distances are estimated, because the data lost "
        "theirs. For research, never for diagnosis."
    ),
)
