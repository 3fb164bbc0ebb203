"""CLIP score: how well a picture fits a prompt, by a family's own CLIP model or a published one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import CLIPImageProcessor, CLIPModel, CLIPTokenizer

from hypersd.models.libraries import quietly
from hypersd.scorers.backbones import with_words

Pixels = NDArray[np.uint8]

_BATCH = 64
"""Pictures a call; more would only take more memory."""


class ClipScore:
    """Scores pictures against prompts with a CLIP model.

    Args:
        model: in float32: half precision is slow and inexact on a CPU.
        inputs: the folder of its processor and tokenizer.
        device: on which it computes.

    Raises:
        OSError: the folder has no processor, or no tokenizer.
    """

    def __init__(self, model: CLIPModel, inputs: Path | str, device: str = "cpu") -> None:
        placed: Any = model.eval()  # the annotations of its `to` take no device
        self._model: CLIPModel = placed.to(device)
        self._processor = CLIPImageProcessor.from_pretrained(inputs, local_files_only=True)
        self._tokenizer = with_words(CLIPTokenizer.from_pretrained(inputs, local_files_only=True), inputs)

    @classmethod
    def of(cls, folder: Path | str, inputs: Path | str | None = None, device: str = "cpu") -> ClipScore:
        """The model in a folder, which also holds its processor and tokenizer if they are not in another.

        Raises:
            FileNotFoundError: the folder holds no model.
            OSError: it holds something else, or no tokenizer.
        """
        if not (Path(folder) / "config.json").is_file():
            raise FileNotFoundError(f"there is no CLIP model in {folder}")
        with quietly():
            model = CLIPModel.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
        return cls(model, inputs or folder, device)

    def __call__(self, pictures: Sequence[Pixels | Image.Image], prompts: Sequence[str]) -> NDArray[np.float32]:
        """100 × the cosine between the embeddings of each picture and its prompt (Hessel et al. 2021), `(N,)`.

        Pictures are of any size; prompts longer than the model reads are cut.

        Raises:
            ValueError: there are not as many prompts as pictures.
        """
        return self.score(self.embed(pictures), prompts)

    @torch.inference_mode()
    def embed(self, pictures: Sequence[Pixels | Image.Image]) -> NDArray[np.float32]:
        """The embeddings of pictures of any size, projected but not normalised, `(N, D)`."""
        features = [np.empty((0, self._model.visual_projection.out_features), dtype=np.float32)]
        for start in range(0, len(pictures), _BATCH):
            part = pictures[start : start + _BATCH]
            opened = [picture if isinstance(picture, Image.Image) else Image.fromarray(picture) for picture in part]
            pixels = self._processor(images=[picture.convert("RGB") for picture in opened], return_tensors="pt")
            seen = self._model.vision_model(pixel_values=pixels["pixel_values"].to(self._model.device))
            features.append(self._model.visual_projection(seen.pooler_output).float().cpu().numpy())
        return np.concatenate(features)

    def score(self, features: NDArray[np.float32], prompts: Sequence[str]) -> NDArray[np.float32]:
        """The scores of pictures that are embedded already, `(N, D)`: half the work where both are wanted.

        Raises:
            ValueError: there are not as many prompts as pictures.
        """
        if len(features) != len(prompts):
            raise ValueError(f"{len(features)} pictures and {len(prompts)} prompts: there must be one prompt a picture")
        # The prompts of an evaluation repeat: the same one for every model and seed.
        words = {prompt: place for place, prompt in enumerate(dict.fromkeys(prompts))}
        texts = self._read(list(words))[[words[prompt] for prompt in prompts]]
        return 100 * (_directions(features) * _directions(texts)).sum(axis=1)

    @torch.inference_mode()
    def _read(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """The embeddings of prompts, projected but not normalised, `(N, D)`."""
        features = [np.empty((0, self._model.text_projection.out_features), dtype=np.float32)]
        for start in range(0, len(prompts), _BATCH):
            part = list(prompts[start : start + _BATCH])
            tokens = self._tokenizer(part, padding="max_length", truncation=True, return_tensors="pt")
            tokens = tokens.to(self._model.device)
            output = self._model.text_model(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])
            features.append(self._model.text_projection(output.pooler_output).float().cpu().numpy())
        return np.concatenate(features)


def _directions(features: NDArray[np.float32]) -> NDArray[np.float32]:
    return features / np.linalg.norm(features, axis=1, keepdims=True)
