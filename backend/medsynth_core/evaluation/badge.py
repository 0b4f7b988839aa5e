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
from medsynth_core.evaluation.generator import Images, Masks
from medsynth_core.evaluation.plain_unet import PlainUNet
from medsynth_core.evaluation.segmenter import SegmenterSettings, build_segmenter
from medsynth_core.evaluation.tensors import image_array, image_tensor
from medsynth_core.imaging.grid import labels_to_grid
from medsynth_core.models.folder import read_json, write_json
from medsynth_core.protocol import ModelCard, from_json, to_json
from medsynth_core.quality import Badge, Range
from medsynth_core.vocabulary import one_hot_channels

FOLDER, FACTS = "judge", "judge.json"
SEGMENTER, COPIES, INDEX = "segmenter.safetensors", "copies.safetensors", "index.safetensors"
DARK, BRIGHT = 1, 99
RESIZED = "resize"


@dataclass(frozen=True)
class Facts:
    """What the networks are built by: their widths, labels with background, the length of a vector."""

    labels: int
    segmenter_widths: tuple[int, ...]
    copy_widths: tuple[int, ...] = ()
    length: int = 0


@dataclass(frozen=True, eq=False)
class Known:
    """What was learned from, as vectors (n, length), and the network that makes them."""

    network: CopyNetwork
    index: Vectors

    def likeness(self, images: Images) -> npt.NDArray[np.float64]:
        """Return how like each image (n, c, y, x), as it is or mirrored, is to what was learned from, (n,)."""
        ways = (images, images[..., ::-1])
        found = np.stack([(vectors(self.network, way) @ self.index.T).max(axis=1) for way in ways])
        return found.max(axis=0).astype(np.float64)


@dataclass(frozen=True, eq=False)
class ResultJudge:
    """Measures results of one model by what its folder carries; a part that is None is not measured."""

    card: ModelCard
    segmenter: PlainUNet | None = None
    known: Known | None = None

    def badge(self, image: Tensor, labels: npt.NDArray[np.uint8]) -> Badge:
        """Return the badge of an image (c, y, x) in [−1, 1] made for labels (y, x)."""
        pixels = image_array(image[None])
        there = self.card.fit == RESIZED  # the networks know pictures of the model's grid, not windows of larger ones
        adherence = self._adherence(pixels, labels) if there else None
        likeness = float(self.known.likeness(pixels)[0]) if there and self.known is not None else None
        return Badge.of(self.card.quality, adherence, range_of(pixels[0]), likeness)

    def _adherence(self, pixels: Images, labels: npt.NDArray[np.uint8]) -> float | None:
        if self.segmenter is None:
            return None
        shares = labels_to_grid(labels, one_hot_channels(self.card.labels), (pixels.shape[2], pixels.shape[3]))
        wanted: Masks = shares.argmax(dim=0).to(torch.uint8).numpy()[None]
        if not wanted.any():
            return None  # a lesion below a pixel of the grid cannot be measured
        return adherence_of(self.segmenter, pixels[0], wanted[0])


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


def range_of(image: npt.NDArray[np.uint8]) -> Range:
    """Return the 1st and the 99th percentile of the grey levels of an image."""
    dark, bright = np.percentile(image, (DARK, BRIGHT))
    return float(dark), float(bright)


def write_judge(folder: Path, labels: int, segmenter: PlainUNet, widths: tuple[int, ...], known: Known | None) -> None:
    """Write the judge as a part of a model folder; the card's checksums must be taken afterwards.

    Without `known` nothing about the training images is in the folder: their vectors are about people, too.
    """
    place = folder / FOLDER
    place.mkdir(exist_ok=True)
    for name in (SEGMENTER, COPIES, INDEX):
        (place / name).unlink(missing_ok=True)
    facts = Facts(labels, widths)
    save_file(_halved(segmenter), place / SEGMENTER)
    if known is not None:
        stages = (part.out_channels for part in known.network.modules() if isinstance(part, nn.Conv2d))
        facts = replace(facts, copy_widths=tuple(stages), length=known.index.shape[1])
        save_file(_halved(known.network), place / COPIES)
        save_file({"vectors": torch.from_numpy(known.index).half()}, place / INDEX)
    write_json(place / FACTS, to_json(facts))


def read_judge(folder: Path, card: ModelCard) -> ResultJudge:
    """Return the judge of a verified model folder, with what is there. Raises ModelError for parts that do not fit."""
    place = folder / FOLDER
    if not (place / FACTS).is_file():
        return ResultJudge(card)
    try:
        facts = from_json(Facts, read_json(place / FACTS))
        settings = SegmenterSettings(widths=facts.segmenter_widths)
        segmenter = build_segmenter(card.channels, facts.labels, settings)
        _fill(segmenter, place / SEGMENTER)
        return ResultJudge(card, segmenter, _read_known(place, card.channels, facts) if facts.length else None)
    except (InputError, OSError, ValueError, RuntimeError, KeyError) as problem:
        raise ModelError(f"the judge of model {card.id} cannot be used ({problem}): get the model again") from None


def halved(network: nn.Module) -> None:
    """Round the weights of a network to what is kept of them, so that thresholds are measured with what ships."""
    network.load_state_dict({name: value.float() for name, value in _halved(network).items()})


def _read_known(place: Path, channels: int, facts: Facts) -> Known:
    network = build_copy_network(channels, CopySettings(widths=facts.copy_widths, length=facts.length))
    _fill(network, place / COPIES)
    return Known(network, load_file(place / INDEX)["vectors"].float().numpy())


def _fill(network: nn.Module, weights: Path) -> None:
    network.load_state_dict({name: value.float() for name, value in load_file(weights).items()})
    network.eval()


def _halved(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().half().contiguous().cpu() for name, value in network.state_dict().items()}
