"""Stage 2 of the family: two CLIP text encoders and the picture tower they are trained against.

Both text towers are trained with the same picture tower (Radford et al. 2021, symmetric cross-entropy over the batch).
The second one and the picture tower are saved as a `CLIPModel`, which computes the family's CLIP score. Each pair is in
the same batch as its mirror image, so that the towers must learn "left of".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from torch import Tensor, nn
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionConfig,
    PreTrainedModel,
)

from hypersd.emoji.captions import caption, free_caption
from hypersd.emoji.world import Scene, World, place, render, sample_scene
from hypersd.training.image_tensors import to_tensor
from hypersd.training.objective import Objective, StepContext, TrainedNetwork
from hypersd.utils.files import atomic_folder

LENGTH = 24
"""Number of tokens of a prompt, including start and end; longer prompts are truncated."""

_WIDTHS = (96, 128)
_PROJECTION = 128
PreTrained = TypeVar("PreTrained", bound=PreTrainedModel)
_START, _END = "<|startoftext|>", "<|endoftext|>"


def corpus(world: World, count: int = 4000) -> list[str]:
    """Captions of random scenes in all wordings, and the name of every object and background."""
    rng = np.random.default_rng(0)
    scenes = [sample_scene(world, rng) for _ in range(count)]
    words = [*world.objects, *world.backgrounds] * 40
    return [caption(scene) for scene in scenes] + [free_caption(scene, rng) for scene in scenes] + words


def build_tokenizer(texts: Iterable[str]) -> CLIPTokenizer:
    """A CLIP tokenizer (byte-pair encoding over bytes) whose merges are learned from `texts`.

    Words of the world become one token each; other words are split into several tokens.
    """
    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>", continuing_subword_prefix=""))
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Punctuation(),
            pre_tokenizers.ByteLevel(False, use_regex=False),
        ]
    )
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    learner.train_from_iterator(
        (text.lower() for text in texts),
        trainers.BpeTrainer(vocab_size=2048, end_of_word_suffix="</w>", initial_alphabet=alphabet, show_progress=False),
    )
    merges: Any = [tuple(pair) for pair in json.loads(learner.to_str())["model"]["merges"]]
    pieces = dict.fromkeys([*alphabet, *(letter + "</w>" for letter in alphabet), *("".join(pair) for pair in merges)])
    vocabulary = {piece: index for index, piece in enumerate([*pieces, _START, _END])}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=LENGTH)


def _text_config(tokenizer: CLIPTokenizer, width: int) -> CLIPTextConfig:
    ends: dict[str, Any] = {
        f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")
    }
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=3,
        num_attention_heads=width // 32,
        max_position_embeddings=LENGTH,
        projection_dim=_PROJECTION,
        **ends,
    )


def _plain(model: PreTrained) -> PreTrained:
    """Set plain attention: on a CPU the backward pass of PyTorch's fused attention is several times slower."""
    model.set_attn_implementation("eager")
    return model


class Towers(nn.Module):
    """The CLIP model that is saved, and the other text encoder with its projection."""

    def __init__(self, tokenizer: CLIPTokenizer) -> None:
        super().__init__()
        vision = CLIPVisionConfig(
            hidden_size=128,
            intermediate_size=384,
            num_hidden_layers=4,
            num_attention_heads=4,
            image_size=128,
            patch_size=16,
            projection_dim=_PROJECTION,
        )
        text = _text_config(tokenizer, _WIDTHS[1])
        config = CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=_PROJECTION)
        self.clip = _plain(CLIPModel(config))
        self.first = _plain(CLIPTextModel(_text_config(tokenizer, _WIDTHS[0])))
        self.first_projection = nn.Linear(_WIDTHS[0], _PROJECTION, bias=False)

    def forward(self, pictures: Tensor, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Unit embeddings `(B, 128)`: of the pictures, and of the texts by the second and the first encoder."""
        output = self.clip(input_ids=tokens, attention_mask=mask, pixel_values=pictures)
        first = self.first_projection(self.first(input_ids=tokens, attention_mask=mask).pooler_output)
        return output.image_embeds, output.text_embeds, F.normalize(first.float(), dim=-1)


@dataclass(frozen=True, slots=True)
class Captioned:
    """Pictures `(B, 3, 128, 128)` in [-1, 1] and their captions."""

    pictures: Tensor
    captions: list[str]


def captioned(world: World, batch_size: int, step: StepContext) -> Captioned:
    """A batch for contrastive training: each pair together with its mirrored order."""
    scenes: list[Scene] = []
    while len(scenes) < batch_size * step.shards:
        scene = sample_scene(world, step.rng)
        scenes.append(scene)
        if scene.size == "pair":
            names = tuple(placed.name for placed in reversed(scene.objects))
            scenes.append(place(world, names, scene.background, "pair", step.rng))
    first = batch_size * step.shard  # consecutive scenes, because the two of a pair must stay together
    scenes = scenes[first : first + batch_size]
    texts = [caption(scene) if step.rng.random() < 0.7 else free_caption(scene, step.rng) for scene in scenes]
    return Captioned(to_tensor([render(world, scene) for scene in scenes]).to(step.device), texts)


@dataclass
class Contrast(Objective[Captioned]):
    """Objective: match every caption with its picture in the batch, and every picture with its caption."""

    world: World
    tokenizer: CLIPTokenizer
    learning_rate: float = 1e-3
    towers: Towers = field(init=False)

    def __post_init__(self) -> None:
        self.towers = Towers(self.tokenizer)
        self.networks = [
            TrainedNetwork(
                name="clip", module=self.towers, learning_rate=self.learning_rate, betas=(0.9, 0.98), weight_decay=0.05
            )
        ]

    def loss(self, network: str, batch: Captioned, step: StepContext) -> Mapping[str, Tensor]:
        """Also logs `found`: the share of pictures whose nearest caption is right."""
        tokens = self.tokenizer(batch.captions, padding="max_length", truncation=True, return_tensors="pt").to(
            step.device
        )
        pictures, second, first = self.towers(batch.pictures, tokens.input_ids, tokens.attention_mask)
        scale = self.towers.clip.logit_scale.exp().clamp(max=100)
        # The same caption may describe several pictures of a batch: all of them are correct targets.
        same = torch.tensor([[a == b for b in batch.captions] for a in batch.captions], device=step.device).float()
        target = same / same.sum(dim=1, keepdim=True)
        losses, accuracy = [], torch.tensor(0.0)
        for texts in (second, first):
            logits = scale * pictures.float() @ texts.float().T
            losses.append(F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target))
            accuracy = same.gather(1, logits.argmax(dim=1, keepdim=True)).mean()
        return {"loss": torch.stack(losses).sum() / 4, "found": accuracy}

    def save(self, folder: Path) -> None:
        """Write `tokenizer`, `tokenizer_2`, `text_encoder`, `text_encoder_2` and `clip` (with its processor)."""
        with atomic_folder(folder) as part:
            for name in ("tokenizer", "tokenizer_2", "clip"):
                self.tokenizer.save_pretrained(part / name)
            self.towers.first.save_pretrained(part / "text_encoder")
            text_config: Any = self.towers.clip.config.text_config
            second = CLIPTextModelWithProjection(text_config)
            second.text_model.load_state_dict(self.towers.clip.text_model.state_dict())
            second.text_projection.load_state_dict(self.towers.clip.text_projection.state_dict())
            second.save_pretrained(part / "text_encoder_2")
            self.towers.clip.half().save_pretrained(part / "clip")
            CLIPImageProcessor(
                size={"shortest_edge": 128},
                crop_size={"height": 128, "width": 128},
                image_mean=[0.5] * 3,
                image_std=[0.5] * 3,
            ).save_pretrained(part / "clip")
