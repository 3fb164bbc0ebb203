"""What a reward model is begun from: a frozen model that says how well a picture fits a prompt."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from huggingface_hub import HfApi, try_to_load_from_cache
from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError
from huggingface_hub.utils import validate_repo_id
from torch import Tensor, nn
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

from hypersd.errors import gist
from hypersd.evaluate.clip import with_words
from hypersd.models.downloads import DownloadError
from hypersd.models.loading import quietly
from hypersd.models.registry import Machine

log = logging.getLogger(__name__)


_KNOWN_BY = ("config.json", "med_config.json")
"""A file that every CLIP model has, and one that ImageReward has."""

_PATIENCE = 5.0
"""Seconds for the Hub to say whether it has a model; a download alone would try for more than a minute."""


def check_backbone(name: Path | str) -> bool:
    """See to it that there is a backbone, before any work; returns whether only files that are here can be read.

    Args:
        name: a folder, or a repository of the Hub.

    Raises:
        OSError: there is neither, or the Hub does not answer and the repository is not in its cache.
    """
    if Path(name).is_dir():
        if not any((Path(name) / file).is_file() for file in _KNOWN_BY):
            raise FileNotFoundError(f"{name} holds neither a CLIP model nor ImageReward: it has no config.json")
        return True
    try:
        validate_repo_id(str(name))
    except HFValidationError as error:
        raise FileNotFoundError(f"there is no folder {name}, and no repository of the Hub is called so") from error
    if Path(name).exists():
        raise NotADirectoryError(f"{name} is a file; name the folder of a CLIP model or ImageReward, or a repository")
    machine = Machine.here()
    if machine.online:
        try:
            HfApi(endpoint=machine.hub).model_info(str(name), timeout=_PATIENCE)
        except RepositoryNotFoundError as error:
            raise DownloadError(f"there is no folder {name}, and the Hub has no model {name} for everybody") from error
        except Exception as error:  # noqa: BLE001 - the network libraries' errors have no base of their own
            log.info("the Hub does not answer (%s); looking in its cache", gist(error))
        else:
            return False
    if not any(isinstance(try_to_load_from_cache(str(name), file, machine.cache), str) for file in _KNOWN_BY):
        raise DownloadError(
            f"there is no folder {name}, the model {name} is not downloaded, and the Hub cannot be reached; "
            "name a folder, or connect once to fetch it"
        )
    return True


class Backbone(nn.Module, ABC):
    """Reads pictures at one size, and prompts.

    Args:
        pixels: the side of the pictures that it reads.
        mean: of the pictures it learned from, for each of red, green and blue, with black at 0 and white at 1.
        deviation: theirs.
    """

    point: ClassVar[float]
    """A difference of the mean fit of many pictures that people begin to see."""

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
        """All that `fit` needs of prompts, `(B, D)`; without gradient."""

    @abstractmethod
    def features(self, pictures: Tensor) -> Tensor:
        """What is seen in pictures `(B, 3, pixels, pixels)` in [-1, 1]: `(B, F)`, of length 1; differentiable."""

    @abstractmethod
    def fit(self, pictures: Tensor, texts: Tensor) -> Tensor:
        """How well each picture fits its prompt, `(B,)`: the more the better; differentiable in the pictures."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write all but the weights, for the model to be made anew.

        Raises:
            OSError: the folder cannot be written.
        """


class Clip(Backbone):
    """A CLIP model: the family's own, or one in its format (CLIP ViT-L and ViT-H, PickScore); the cosine is the fit.

    Args:
        clip: the model.
        tokenizer: its own.
        processor: its own; its mean and deviation are what the picture tower expects.
    """

    point = 0.01
    """Of the CLIP score, which is 100 cosines."""

    def __init__(self, clip: CLIPModel, tokenizer: CLIPTokenizer, processor: CLIPImageProcessor) -> None:
        vision: Any = clip.config.vision_config
        super().__init__(int(vision.image_size), processor.image_mean, processor.image_std)
        # On a CPU the backward pass of PyTorch's fused attention takes several times as long as plain attention's.
        clip.set_attn_implementation("eager")
        self.clip, self.tokenizer, self.processor = clip.requires_grad_(False), tokenizer, processor

    @classmethod
    def pretrained(cls, name: Path | str) -> Clip:
        """From a folder or the Hub's cache.

        Raises:
            OSError: there is no CLIP model there, or a part is missing.
        """
        offline = check_backbone(name)
        with quietly():
            clip = CLIPModel.from_pretrained(name, dtype=torch.float32, local_files_only=offline)
        return cls._around(clip, name, offline=offline)

    @classmethod
    def saved(cls, folder: Path) -> Clip:
        """What `save` wrote, with random weights.

        Raises:
            OSError: a part is missing.
        """
        return cls._around(CLIPModel(CLIPConfig.from_pretrained(folder)), folder, offline=True)

    @classmethod
    def _around(cls, clip: CLIPModel, name: Path | str, *, offline: bool) -> Clip:
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

    def features(self, pictures: Tensor) -> Tensor:
        """Picture embeddings."""
        seen = self.clip.vision_model(self.normalised(pictures))
        return F.normalize(self.clip.visual_projection(seen.pooler_output).float(), dim=-1)

    def fit(self, pictures: Tensor, texts: Tensor) -> Tensor:
        """The cosine of both embeddings."""
        return (self.features(pictures) * texts).sum(dim=1)
