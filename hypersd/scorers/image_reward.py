"""ImageReward (Xu et al. 2023) as a reward model's backbone, based on BLIP.

Its text encoder attends to the patches of the picture (image-grounded: there is no separate text embedding), and linear
layers map its first token to a score with mean 0 and deviation 1 over the authors' data. The published weights have
BLIP's own names; here they are loaded into transformers' BLIP.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from huggingface_hub import hf_hub_download
from torch import Tensor, nn
from transformers import BertTokenizer, BlipConfig, BlipTextConfig, BlipTextModel, BlipVisionConfig, BlipVisionModel
from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

from hypersd.models.downloads import fetched
from hypersd.models.machine import Machine
from hypersd.scorers.backbones import Backbone, with_words
from hypersd.utils.errors import gist

WEIGHTS, TEXT_CONFIG = "ImageReward.pt", "med_config.json"
"""The published files."""

_TOKENIZER, _WORDS = "google-bert/bert-base-uncased", "vocab.txt"
_TOKENS = 35
_MEAN, _DEVIATION = 0.16717362830052426, 1.0333394966054072
"""Mean and deviation of the scores before normalisation."""

_HEAD = 64
"""Width of an attention head in all of BLIP's vision transformers."""

_RENAMED: Sequence[tuple[str, str]] = (
    (r"^blip\.visual_encoder\.norm\.", "vision.post_layernorm."),
    (r"^blip\.visual_encoder\.", "vision."),
    (r"^blip\.text_encoder\.", "text."),
    (r"^vision\.cls_token$", "vision.embeddings.class_embedding"),
    (r"^vision\.pos_embed$", "vision.embeddings.position_embedding"),
    (r"^vision\.patch_embed\.proj\.", "vision.embeddings.patch_embedding."),
    (r"^vision\.blocks\.", "vision.encoder.layers."),
    (r"\.attn\.qkv\.", ".self_attn.qkv."),
    (r"\.attn\.proj\.", ".self_attn.projection."),
    (r"\.norm([12])\.", r".layer_norm\1."),
)
"""Map of BLIP's weight names to transformers'."""


class ImageReward(Backbone):
    """Backbone whose score is ImageReward's.

    Args:
        config: a BlipConfig of both parts, with `score_widths` added: widths of the layers that map the first token
            to a score, from the token's to 1.
        tokenizer: BERT's.
    """

    noticeable_difference = 0.1
    """A tenth of the published scores' deviation."""

    def __init__(self, config: Any, tokenizer: BertTokenizer) -> None:
        super().__init__(int(config.vision_config.image_size), OPENAI_CLIP_MEAN, OPENAI_CLIP_STD)
        self.config, self.tokenizer = config, tokenizer
        self.pad = int(config.text_config.pad_token_id)
        self.vision = BlipVisionModel(config.vision_config)
        self.text = BlipTextModel(config.text_config, add_pooling_layer=False)
        self.mlp = nn.Sequential(*(nn.Linear(*widths) for widths in pairwise(config.score_widths)))
        self.requires_grad_(False).eval()

    @classmethod
    def published(cls, name: Path | str) -> ImageReward:
        """Load the published weights from a folder or from the Hub's cache, downloaded if there is a network.

        Raises:
            OSError: the weights are missing or damaged, or the tokenizer is missing.
        """
        file, described, tokenizer = _file(name, WEIGHTS), _file(name, TEXT_CONFIG), _tokenizer(name)
        try:
            # Only tensors are unpickled.
            weights = renamed(torch.load(file, map_location="cpu", weights_only=True))
            model = cls(_config(weights, json.loads(described.read_text(encoding="utf-8"))), tokenizer)
            model.load_state_dict({key: weights[key].float() for key in model.state_dict()})
        except Exception as error:  # errors of a damaged pickle have no common base class
            raise OSError(f"{file} is damaged, or not ImageReward ({gist(error)})") from error
        return model

    @classmethod
    def saved(cls, folder: Path) -> ImageReward:
        """Load the model that `save` wrote, with random weights.

        Raises:
            OSError: a part is missing.
        """
        return cls(BlipConfig.from_pretrained(folder), with_words(BertTokenizer.from_pretrained(folder), folder))

    def save(self, folder: Path) -> None:
        """See `Backbone`."""
        self.config.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    def embed_prompts(self, prompts: Sequence[str]) -> Tensor:
        """Token ids: the model encodes a prompt only together with a picture."""
        tokens = self.tokenizer(
            list(prompts), padding="max_length", truncation=True, max_length=_TOKENS, return_tensors="pt"
        )
        return tokens.input_ids.to(self.mean.device)

    def embed_images(self, pictures: Tensor) -> Tensor:
        """The picture tower's first token, of length 1."""
        return F.normalize(self._patches(pictures)[:, 0].float(), dim=-1)

    def image_text_score(self, pictures: Tensor, texts: Tensor) -> Tensor:
        """ImageReward's score."""
        read = self.text(
            input_ids=texts,
            attention_mask=texts.ne(self.pad).long(),
            encoder_hidden_states=self._patches(pictures),
        )
        return (self.mlp(read.last_hidden_state[:, 0].float())[:, 0] - _MEAN) / _DEVIATION

    def _patches(self, pictures: Tensor) -> Tensor:
        return self.vision(self.normalised(pictures)).last_hidden_state


def known(name: Path | str) -> bool:
    """True if a folder or a repository of the Hub is ImageReward's."""
    folder = Path(name)
    return (folder / WEIGHTS).is_file() if folder.is_dir() else str(name).rpartition("/")[2] == "ImageReward"


def renamed(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The published weights with the names of `ImageReward`; the layers of the score are renumbered.

    The authors have dropout between those layers, so their numbers have gaps.
    """
    layers: dict[str, Tensor] = {}
    for name, value in published.items():
        for old, new in _RENAMED:
            name = re.sub(old, new, name)  # noqa: PLW2901
        layers[name] = value
    numbers = sorted({int(name.split(".")[2]) for name in layers if name.startswith("mlp.layers.")})
    for place, number in enumerate(numbers):
        for kind in ("weight", "bias"):
            layers[f"mlp.{place}.{kind}"] = layers.pop(f"mlp.layers.{number}.{kind}")
    return layers


def _config(weights: Mapping[str, Tensor], text: Mapping[str, Any]) -> BlipConfig:
    """Configuration of both parts: the text encoder's is published, the picture tower's is derived from the weights."""
    patches = weights["vision.embeddings.patch_embedding.weight"]
    width, _, patch, _ = patches.shape
    vision = BlipVisionConfig(
        hidden_size=width,
        intermediate_size=len(weights["vision.encoder.layers.0.mlp.fc1.bias"]),
        num_hidden_layers=_layers(weights, "vision.encoder.layers."),
        num_attention_heads=width // _HEAD,
        image_size=patch * math.isqrt(weights["vision.embeddings.position_embedding"].shape[1] - 1),
        patch_size=patch,
        layer_norm_eps=1e-6,
    )
    names = (
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "max_position_embeddings",
        "hidden_act",
        "layer_norm_eps",
        "pad_token_id",
    )
    words = len(weights["text.embeddings.word_embeddings.weight"])
    reader = BlipTextConfig(vocab_size=words, encoder_hidden_size=width, **{name: text[name] for name in names})
    scores = range(_layers(weights, "mlp."))
    widths = [weights["mlp.0.weight"].shape[1], *(len(weights[f"mlp.{layer}.bias"]) for layer in scores)]
    config = BlipConfig(text_config=reader.to_dict(), vision_config=vision.to_dict())
    config.score_widths = widths
    return config


def _layers(weights: Mapping[str, Tensor], prefix: str) -> int:
    return len({name.removeprefix(prefix).split(".")[0] for name in weights if name.startswith(prefix)})


def _file(name: Path | str, file: str) -> Path:
    """A published file, in a folder or the Hub's cache."""
    here = Path(name) / file
    if here.is_file():
        return here
    offline = not Machine.here().online  # without a network the Hub's client would retry for more than a minute
    return fetched(f"{file} of {name}", lambda: hf_hub_download(str(name), file, local_files_only=offline))


def _tokenizer(name: Path | str) -> BertTokenizer:
    """BERT's tokenizer, from the folder of the weights or from the Hub.

    The vocabulary file is requested by name: without it transformers creates an empty tokenizer.
    """
    beside = (Path(name) / _WORDS).is_file()
    return BertTokenizer(vocab=str(_file(name if beside else _TOKENIZER, _WORDS)))
