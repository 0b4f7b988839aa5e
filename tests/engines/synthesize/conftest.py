"""A Stable Diffusion 1.5 folder of the right shape and of no worth: every part there, tiny, with random weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

WIDTH = 16
ENDS = ("<|startoftext|>", "<|endoftext|>")


def write_tokenizer(folder: Path) -> int:
    """Write vocab.json and merges.txt, as the hub's folders have them, and return the size of the vocabulary."""
    folder.mkdir()
    letters = [chr(c) for c in range(33, 127)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "di", "dis", "disc</w>", *ENDS]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}), "utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\nd i\ndi s\ndis c</w>\n", "utf-8")
    specials = {"bos_token": ENDS[0], "eos_token": ENDS[1], "unk_token": ENDS[1], "pad_token": ENDS[1]}
    settings = {"model_max_length": 16, "tokenizer_class": "CLIPTokenizer", **specials}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    return len(words)


def write_base(folder: Path) -> Path:
    """Write the whole folder, as `StableDiffusionPipeline.save_pretrained` would."""
    torch.manual_seed(0)
    folder.mkdir(parents=True)
    words = write_tokenizer(folder / "tokenizer")
    text = CLIPTextConfig(
        vocab_size=words,
        hidden_size=WIDTH,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=16,
        bos_token_id=words - 2,
        eos_token_id=words - 1,
        pad_token_id=words - 1,
    )
    CLIPTextModel(text).save_pretrained(folder / "text_encoder")
    blocks = 4
    AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks,
        block_out_channels=(4, 4, 4, 8),
        latent_channels=4,
        norm_num_groups=4,
    ).save_pretrained(folder / "vae")
    UNet2DConditionModel(
        sample_size=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(WIDTH, WIDTH),
        layers_per_block=1,
        norm_num_groups=4,
        cross_attention_dim=WIDTH,
        attention_head_dim=2,
    ).save_pretrained(folder / "unet")
    PNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1
    ).save_pretrained(folder / "scheduler")
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline"}), "utf-8")
    return folder


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Stable Diffusion 1.5 folder without a control network; not to be changed."""
    return write_base(tmp_path_factory.mktemp("base") / "tiny-sd")
