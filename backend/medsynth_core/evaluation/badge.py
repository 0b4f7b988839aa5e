"""What a model folder carries so that its results can be judged without its training data: two small networks and an index.

    judge/
    ├── judge.json               widths of both networks, labels
    ├── segmenter.safetensors    finds the labels in an image; trained on real training images alone        float16
    ├── copies.safetensors       knows training images again: image → unit vector of 128 numbers             float16
    └── index.safetensors        those vectors of all training images, and no picture                        float16

They are among the files with checksums on the card, which holds the thresholds. A folder may do without any of them: what is not
there is not judged, and the badge says so. The likeness is the weaker first step of `copies_search`: without pictures there is
nothing to align, so it says that a result may be a copy, and `msynth evaluate copies` decides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file
from scipy.stats import rankdata
from torch import Tensor, nn

from medsynth_core.errors import InputError, ModelError
from medsynth_core.evaluation.copies import CopyNetwork, CopySettings, Vectors, build_copy_network, vectors
from medsynth_core.evaluation.copies_search import ALL_WAYS, Way
from medsynth_core.evaluation.generator import Images
from medsynth_core.evaluation.looks import Look
from medsynth_core.evaluation.plain_unet import PlainUNet
from medsynth_core.evaluation.segmenter import SegmenterSettings, build_segmenter
from medsynth_core.evaluation.tensors import image_tensor
from medsynth_core.imaging.nuclei_maps import turned
from medsynth_core.models.folder import JUDGE, read_json, write_json
from medsynth_core.protocol import ModelCard, from_json, to_json
from medsynth_core.quality import Badge

FACTS = "judge.json"
SEGMENTER, COPIES, INDEX = "segmenter.safetensors", "copies.safetensors", "index.safetensors"
MIRRORED: tuple[Way, ...] = ((False, 0), (True, 0))


@dataclass(frozen=True)
class Facts:
    """What the networks are built by: their widths, labels with background, the length of a vector.

    `channels` are those of pictures that are segmented, `copy_channels` of those that are searched for; 0 is as the card says.
    `turned` says that what was learned from is looked for in all eight orientations, not as it is and mirrored alone.
    """

    labels: int
    segmenter_widths: tuple[int, ...]
    copy_widths: tuple[int, ...] = ()
    length: int = 0
    channels: int = 0
    copy_channels: int = 0
    turned: bool = False


@dataclass(frozen=True, eq=False)
class Known:
    """What was learned from, as vectors (n, length), the network that makes them, and the ways a copy may be turned."""

    network: CopyNetwork
    index: Vectors
    ways: tuple[Way, ...] = MIRRORED

    def likeness(self, images: Images) -> npt.NDArray[np.float64]:
        """Return how like each image (n, c, y, x), turned in any of the ways, is to what was learned from, (n,)."""
        shown = (np.ascontiguousarray(turned(images, *way)) for way in self.ways)
        return np.stack([(vectors(self.network, view) @ self.index.T).max(axis=1) for view in shown]).max(axis=0).astype(float)

    def of(self, look: Look) -> float | None:
        """Return the largest likeness of what a look searches for; None where that is nothing."""
        return float(self.likeness(look.small).max()) if len(look.small) else None


@dataclass(frozen=True, eq=False)
class ResultJudge:
    """Measures results of one model by what its folder carries; a part that is None is not measured."""

    card: ModelCard
    segmenter: PlainUNet | None = None
    known: Known | None = None

    def badge(self, *looks: Look) -> Badge:
        """Return the badge of a result; of one with several parts, such as tiles, each measure is that of its worst part."""
        return Badge.worst([self._badge(look) for look in looks])

    def _badge(self, look: Look) -> Badge:
        adherence = adherence_in(self.segmenter, look) if self.segmenter is not None else None
        return Badge.of(self.card.quality, adherence, look.range, self.known.of(look) if self.known is not None else None)


def adherence_in(segmenter: nn.Module, look: Look) -> float | None:
    """Return the mean adherence of the pictures that show a label; None where none does."""
    shown = [i for i, labels in enumerate(look.labels) if labels.any()]
    return float(np.mean([adherence_of(segmenter, look.pictures[i], look.labels[i]) for i in shown])) if shown else None


@torch.no_grad()
def adherence_of(segmenter: nn.Module, image: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> float:
    """Return how surely a segmenter tells the labels (y, x) of an image (c, y, x) from the rest of it; 0.5 is chance, 1 the best.

    The chance that a pixel inside is more like its label than one outside (area under the curve); a mean over the labels there.
    Dice was tried: of a tenth of real polyps this small a judge finds nothing, so the threshold was 0 and judged nothing.
    """
    shares = segmenter(image_tensor(image[None])).softmax(dim=1)[0].numpy()  # (labels, y, x)
    return float(np.mean([_told_apart(shares[value], labels == value) for value in np.unique(labels) if value]))


def _told_apart(share: npt.NDArray[np.float32], inside: npt.NDArray[np.bool_]) -> float:
    count, ranks = int(inside.sum()), rankdata(share).reshape(share.shape)
    if count == inside.size:
        return 0.5  # there is no outside to tell it from
    return float((ranks[inside].mean() - (count + 1) / 2) / (inside.size - count))


def write_judge(place: Path, labels: int, segmenter: PlainUNet, widths: tuple[int, ...], known: Known | None) -> None:
    """Write the judge into its folder; the card's checksums must be taken afterwards.

    Without `known` nothing about the training images is in the folder: their vectors are about people, too.
    """
    place.mkdir(parents=True, exist_ok=True)
    for name in (SEGMENTER, COPIES, INDEX):
        (place / name).unlink(missing_ok=True)
    facts = Facts(labels, widths, channels=segmenter.channels)
    save_file(_halved(segmenter), place / SEGMENTER)
    if known is not None:
        stages = [part for part in known.network.modules() if isinstance(part, nn.Conv2d)]
        facts = replace(
            facts,
            copy_widths=tuple(part.out_channels for part in stages),
            length=known.index.shape[1],
            copy_channels=stages[0].in_channels,
            turned=known.ways == ALL_WAYS,
        )
        save_file(_halved(known.network), place / COPIES)
        save_file({"vectors": torch.from_numpy(known.index).half()}, place / INDEX)
    write_json(place / FACTS, to_json(facts))


def read_judge(folder: Path, card: ModelCard) -> ResultJudge:
    """Return the judge of a verified model folder, with what is there. Raises ModelError for parts that do not fit."""
    place = folder / JUDGE
    if not (place / FACTS).is_file():
        return ResultJudge(card)
    try:
        facts = from_json(Facts, read_json(place / FACTS))
        settings = SegmenterSettings(widths=facts.segmenter_widths)
        segmenter = build_segmenter(facts.channels or card.channels, facts.labels, settings)
        _fill(segmenter, place / SEGMENTER)
        known = _read_known(place, facts.copy_channels or card.channels, facts) if facts.length else None
        return ResultJudge(card, segmenter, known)
    except (InputError, OSError, ValueError, RuntimeError, KeyError) as problem:
        raise ModelError(f"the judge of model {card.id} cannot be used ({problem}): get the model again") from None


def halved(network: nn.Module) -> None:
    """Round the weights of a network to what is kept of them, so that thresholds are measured with what ships."""
    network.load_state_dict({name: value.float() for name, value in _halved(network).items()})


def _read_known(place: Path, channels: int, facts: Facts) -> Known:
    network = build_copy_network(channels, CopySettings(widths=facts.copy_widths, length=facts.length))
    _fill(network, place / COPIES)
    return Known(network, load_file(place / INDEX)["vectors"].float().numpy(), ALL_WAYS if facts.turned else MIRRORED)


def _fill(network: nn.Module, weights: Path) -> None:
    network.load_state_dict({name: value.float() for name, value in load_file(weights).items()})
    network.eval()


def _halved(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().half().contiguous().cpu() for name, value in network.state_dict().items()}
