"""Backbones of a reward model: a frozen model that scores how well a picture fits a prompt."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer, PreTrainedTokenizerBase

from hypersd.models.libraries import quietly
from hypersd.scorers.backbone_source import check_backbone

TokenizerT = TypeVar("TokenizerT", bound=PreTrainedTokenizerBase)


def with_words(tokenizer: TokenizerT, where: Path | str) -> TokenizerT:
    """The tokenizer, if it has any words: where its files are missing, transformers makes one that has none.

    Raises:
        OSError: it has none.
    """
    if len(tokenizer) <= len(tokenizer.all_special_tokens):
        raise OSError(f"{where} has no tokenizer: the files with its words are missing")
    return tokenizer


class Backbone(nn.Module, ABC):
    """Scorer of pictures of one size for prompts.

    Args:
        pixels: side of the input pictures.
        mean: per channel of the training pictures, with black at 0 and white at 1.
        deviation: standard deviation per channel.
    """

    noticeable_difference: ClassVar[float]
    """The smallest difference of mean scores that people notice."""

    def __init__(self, pixels: int, mean: Sequence[float], deviation: Sequence[float]) -> None:
        super().__init__()
        self.pixels = pixels
        self.mean = nn.Buffer(torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.deviation = nn.Buffer(torch.tensor(deviation).view(1, 3, 1, 1), persistent=False)

    def normalised(self, pictures: Tensor) -> Tensor:
        """Pictures `(B, 3, H, W)` in [-1, 1] as the picture tower expects them."""
        return ((pictures + 1) / 2 - self.mean) / self.deviation

    @abstractmethod
    def embed_prompts(self, prompts: Sequence[str]) -> Tensor:
        """Representations of prompts for `image_text_score`, `(B, D)`; without gradient."""

    @abstractmethod
    def embed_images(self, pictures: Tensor) -> Tensor:
        """Unit embeddings `(B, F)` of pictures `(B, 3, pixels, pixels)` in [-1, 1]; differentiable."""

    @abstractmethod
    def image_text_score(self, pictures: Tensor, texts: Tensor) -> Tensor:
        """Score the match of each picture and its prompt, `(B,)`: higher is better; differentiable in the pictures."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write everything except the weights, so that the model can be built again.

        Raises:
            OSError: the folder cannot be written.
        """


class ClipBackbone(Backbone):
    """A CLIP model, the family's or a published one (CLIP ViT-L and ViT-H, PickScore); its score is the cosine.

    Args:
        clip: the model.
        tokenizer: of the model.
        processor: of the model; it has the mean and deviation that the picture tower expects.
    """

    noticeable_difference = 0.01
    """In units of the cosine; the CLIP score is 100 times the cosine."""

    def __init__(self, clip: CLIPModel, tokenizer: CLIPTokenizer, processor: CLIPImageProcessor) -> None:
        vision: Any = clip.config.vision_config
        super().__init__(int(vision.image_size), processor.image_mean, processor.image_std)
        # On a CPU the backward pass of PyTorch's fused attention takes several times as long as plain attention's.
        clip.set_attn_implementation("eager")
        self.clip, self.tokenizer, self.processor = clip.requires_grad_(False), tokenizer, processor

    @classmethod
    def pretrained(cls, name: Path | str) -> ClipBackbone:
        """From a folder or the Hub's cache.

        Raises:
            OSError: there is no CLIP model there, or a part is missing.
        """
        offline = check_backbone(name)
        with quietly():
            clip = CLIPModel.from_pretrained(name, dtype=torch.float32, local_files_only=offline)
        return cls._around(clip, name, offline=offline)

    @classmethod
    def saved(cls, folder: Path) -> ClipBackbone:
        """Load the model that `save` wrote, with random weights.

        Raises:
            OSError: a part is missing.
        """
        return cls._around(CLIPModel(CLIPConfig.from_pretrained(folder)), folder, offline=True)

    @classmethod
    def _around(cls, clip: CLIPModel, name: Path | str, *, offline: bool) -> ClipBackbone:
        tokenizer = with_words(CLIPTokenizer.from_pretrained(name, local_files_only=offline), name)
        return cls(clip, tokenizer, CLIPImageProcessor.from_pretrained(name, local_files_only=offline))

    def save(self, folder: Path) -> None:
        """See `Backbone`."""
        for part in (self.clip.config, self.tokenizer, self.processor):
            part.save_pretrained(folder)

    def embed_prompts(self, prompts: Sequence[str]) -> Tensor:
        """Text embeddings of length 1."""
        tokens = self.tokenizer(list(prompts), padding="max_length", truncation=True, return_tensors="pt")
        with torch.no_grad():
            output = self.clip.text_model(**tokens.to(self.mean.device)).pooler_output
            return F.normalize(self.clip.text_projection(output).float(), dim=-1)

    def embed_images(self, pictures: Tensor) -> Tensor:
        """Picture embeddings."""
        seen = self.clip.vision_model(self.normalised(pictures))
        return F.normalize(self.clip.visual_projection(seen.pooler_output).float(), dim=-1)

    def image_text_score(self, pictures: Tensor, texts: Tensor) -> Tensor:
        """The cosine of both embeddings."""
        return (self.embed_images(pictures) * texts).sum(dim=1)
