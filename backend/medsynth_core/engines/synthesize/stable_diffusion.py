"""The paper's backbone: Stable Diffusion 1.5 steered by a ControlNet, with weights the user brings.

The mask is painted in the colors of the card's labels and handed to the ControlNet; the prompt comes from the card; DDIM
(arXiv 2010.02502) runs from noise to image. Only the mask branch of the training is left at this point.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from medsynth_core.diffusion.samplers import noise_for
from medsynth_core.engines.synthesize.stable_diffusion_folder import LATENT_PIXELS, Backbone
from medsynth_core.engines.synthesize.stable_diffusion_objective import control_of, predict_noise
from medsynth_core.errors import ModelError
from medsynth_core.imaging.grid import labels_to_grid
from medsynth_core.models.folder import verify
from medsynth_core.protocol import LabelInfo, ModelCard, Scalar
from medsynth_core.vocabulary import one_hot_channels

PROMPT = "prompt"
"""The card's option that holds the prompt; the other options are read after it."""


@dataclass(frozen=True)
class StableDiffusionModel:
    """A verified folder, ready to run."""

    backbone: Backbone
    card: ModelCard
    device: str = "cpu"

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> StableDiffusionModel:
        """Return the model of a folder. Raises ModelTamperedError, ModelTooNewError or ModelError."""
        card = verify(folder)
        if card.fit != "resize":
            raise ModelError(f"the card of model {card.id} says fit is {card.fit!r}: a Stable Diffusion model can only resize")
        return cls(Backbone.load(folder, device), card, device)

    @torch.no_grad()
    def generate(
        self, labels: npt.NDArray[np.uint8], seed: int, steps: int, guidance: float, options: dict[str, Scalar]
    ) -> Iterator[Tensor]:
        """Yield the image (channels, y, x) in [−1, 1] on the model's grid after each of `steps` evaluations."""
        hint = paint(labels_to_grid(labels, one_hot_channels(self.card.labels), self.card.size)[None], palette(self.card.labels))
        for image in sample(self.backbone, hint.to(self.device), caption(self.card, options), seed, steps, guidance):
            yield image[0] if self.card.channels == 3 else image[0].mean(dim=0, keepdim=True)


def sample(backbone: Backbone, hint: Tensor, caption: str, seed: int, steps: int, guidance: float) -> Iterator[Tensor]:
    """Yield the images (B, 3, y, x) predicted after each of `steps` DDIM evaluations of painted masks (B, 3, y, x) in [0, 1]."""
    around, unet, (b, _, y, x) = backbone.surroundings, backbone.unet, hint.shape
    z = noise_for(seed, 0, (b, unet.config.in_channels, y // LATENT_PIXELS, x // LATENT_PIXELS)).to(hint)
    text, free_text = (around.read_captions([words]).expand(b, -1, -1) for words in (caption, ""))

    def predict(z_t: Tensor, t: Tensor, words: Tensor) -> Tensor:
        return predict_noise(unet, z_t, t, words, control_of(backbone.controlnet, z_t, t, words, hint))

    around.scheduler.set_timesteps(steps, device=hint.device)
    for t in around.scheduler.timesteps:
        noise = predict(z, t, text)
        if guidance != 1:
            free = predict(z, t, free_text)
            noise = free + guidance * (noise - free)  # classifier-free guidance, arXiv 2207.12598, eq. 6
        step = around.scheduler.step(noise, t, z)
        z = step.prev_sample
        yield around.decode(step.pred_original_sample)


def palette(labels: tuple[LabelInfo, ...]) -> Tensor:
    """Return the colors (label values, 3) in [0, 1]; a value that is not in the vocabulary is black."""
    colors = torch.zeros(one_hot_channels(labels), 3)
    for label in labels:
        colors[label.value] = torch.tensor(list(bytes.fromhex(label.color.removeprefix("#")))) / 255
    return colors


def paint(masks: Tensor, colors: Tensor) -> Tensor:
    """Return one-hot masks (B, labels, y, x) as pictures (B, 3, y, x) in [0, 1]."""
    return torch.einsum("blyx,lc->bcyx", masks, colors.to(masks))


def caption(card: ModelCard, values: Mapping[str, Scalar]) -> str:
    """Return the text for the options' values: the prompt, then each other option's value; without a prompt, the title."""
    chosen = {option.name: str(values.get(option.name, option.default)) for option in card.options}
    prompt = chosen.pop(PROMPT, "") or card.title
    return ", ".join([prompt, *chosen.values()])
