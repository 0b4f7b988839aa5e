"""A trained compact model in memory: hint encoder, denoiser and card."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from diffusers import ModelMixin
from torch import Tensor, nn

from medsynth_core import __version__
from medsynth_core.diffusion.distil import MAX_GUIDANCE
from medsynth_core.diffusion.flow import as_images, resolution_shift
from medsynth_core.diffusion.samplers import noise_for, sample
from medsynth_core.diffusion.tiles import blended, windows_over
from medsynth_core.engines.synthesize import network
from medsynth_core.engines.synthesize.network import Control, Denoiser, HintEncoder, LinearHint
from medsynth_core.engines.synthesize.objective import mask_hint
from medsynth_core.errors import ModelError, ParameterError
from medsynth_core.imaging.grid import labels_to_grid
from medsynth_core.models.folder import verify, write_json
from medsynth_core.protocol import ModelCard, Scalar
from medsynth_core.vocabulary import one_hot_channels

_HINTS = {"HintEncoder": HintEncoder, "LinearHint": LinearHint}


@dataclass(frozen=True)
class CompactModel:
    """Networks ready to run on `device`, in evaluation mode, 32 bit on the CPU."""

    hint_encoder: HintEncoder | LinearHint
    denoiser: Denoiser
    card: ModelCard
    device: str = "cpu"

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> CompactModel:
        """Return the model of a verified folder. Raises ModelTamperedError, ModelTooNewError or ModelError."""
        card = verify(folder)
        if card.fit not in ("resize", "tile"):
            raise ModelError(f"the card of model {card.id} says fit is {card.fit!r}: it must be resize or tile")
        index = json.loads((folder / "model_index.json").read_text("utf-8"))
        hint_class = _HINTS.get(index.get("hint_encoder", [None, None])[1])
        if index.get("_class_name") != "CompactSynthesizer" or hint_class is None:
            raise ModelError(f"model {card.id} is not a compact synthesize model: its model_index.json names other parts")
        hint = hint_class.from_pretrained(folder / "hint_encoder", torch_dtype=torch.float32, low_cpu_mem_usage=False)
        denoiser = Denoiser.from_pretrained(folder / "denoiser", torch_dtype=torch.float32, low_cpu_mem_usage=False)
        return cls(hint.to(device).eval(), denoiser.to(device).eval(), card, device)

    @torch.inference_mode()
    def generate(
        self, labels: npt.NDArray[np.uint8], seed: int, steps: int, guidance: float, options: dict[str, Scalar]
    ) -> Iterator[Tensor]:
        """Yield the image (channels, y, x) in [−1, 1] after each of `steps` evaluations.

        A model whose card says "resize" gives it on the model's grid, one that says "tile" in the mask's size.
        """
        if self.denoiser.config.flow_map and guidance > MAX_GUIDANCE:
            raise ParameterError(f"guidance is {guidance}: model {self.card.id} has learned guidance from 1 to {MAX_GUIDANCE}")
        masks = self._masks(labels).to(self.device)
        windows = windows_over((masks.shape[-2], masks.shape[-1]), self.card.size)
        hints = [window.cut(masks) for window in windows]
        controls = [self.hint_encoder(mask_hint(hint, self.card.channels)) for hint in hints]
        flow_map, indices = self.denoiser.config.flow_map, self.option_indices(options, 1)
        alone = flow_map or guidance == 1
        nothing = None if alone else no_control(self.hint_encoder, hints[0], self.card.channels)

        def predict_window(part: Tensor, t: Tensor, r: Tensor, control: Control) -> Tensor:
            scale = torch.full_like(t, guidance)
            if flow_map:
                return self.denoiser(part, t, control, indices, r, scale)
            return guided(self.denoiser, part, t, control, nothing, indices, scale)

        def predict(x_t: Tensor, t: Tensor, r: Tensor) -> Tensor:
            return blended(windows, lambda i, window: predict_window(window.cut(x_t), t, r, controls[i]), x_t)

        noise = noise_for(seed, 0, (1, self.card.channels, *masks.shape[-2:])).to(self.device)
        height, width = labels.shape if self.card.fit == "tile" else self.card.size
        for image in sample(predict, noise, steps, resolution_shift(hints[0])):
            yield image[0, :, :height, :width]

    def _masks(self, labels: npt.NDArray[np.uint8]) -> Tensor:
        """Return the one-hot mask (1, labels, y, x): on the model's grid, or, to be tiled, as it is and at least as large."""
        size = self.card.size
        if self.card.fit == "tile":
            size = (max(size[0], labels.shape[0]), max(size[1], labels.shape[1]))
            labels = np.pad(labels, [(0, size[0] - labels.shape[0]), (0, size[1] - labels.shape[1])])
        return labels_to_grid(labels, one_hot_channels(self.card.labels), size)[None]

    def option_indices(self, values: dict[str, Scalar], count: int) -> Tensor | None:
        """Return the options as indices (count, number of options), in the order of the card."""
        if not self.card.options:
            return None
        row = [list(option.choices).index(values[option.name]) for option in self.card.options]
        return torch.tensor([row], device=self.device).expand(count, -1)


def no_control(hint_encoder: nn.Module, masks: Tensor, channels: int) -> Control:
    """Return the learned null control, for as many images as there are masks."""
    return hint_encoder(mask_hint(masks, channels), keep=masks.new_zeros(len(masks), dtype=torch.bool))


def guided(
    denoiser: nn.Module,
    x_t: Tensor,
    t: Tensor,
    control: Control,
    nothing: Control | None,
    options: Tensor | None,
    guidance: Tensor,
) -> Tensor:
    """Return X under classifier-free guidance of scale (B,) (arXiv 2207.12598, eq. 6); one evaluation if `nothing` is None."""
    predicted = denoiser(x_t, t, control, options)
    if nothing is None:
        return predicted
    free = denoiser(x_t, t, nothing, None)
    return free + as_images(guidance) * (predicted - free)


def save_parts(hint_encoder: ModelMixin, denoiser: ModelMixin, folder: Path) -> None:
    """Write both parts in half precision and the diffusers index beside them."""
    for name, part in (("hint_encoder", hint_encoder), ("denoiser", denoiser)):
        copy.deepcopy(part).half().save_pretrained(folder / name)
    library = network.__name__
    index = {
        "_class_name": "CompactSynthesizer",
        "_medsynth_version": __version__,
        "denoiser": [library, type(denoiser).__name__],
        "hint_encoder": [library, type(hint_encoder).__name__],
    }
    write_json(folder / "model_index.json", index)
