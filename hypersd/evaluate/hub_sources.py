"""Published models as sources of metrics, on the scales of the Hyper-SD paper's tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize
from torchvision.transforms.functional import pil_to_tensor

from hypersd.evaluate.clip_score import ClipScore
from hypersd.evaluate.metric_sources import MetricSource, PromptPictures, judged_by_its_own
from hypersd.models.machine import Machine
from hypersd.models.specs import Family
from hypersd.scorers.aesthetic import AestheticHead
from hypersd.scorers.hps import load_hps
from hypersd.scorers.hub_models import (
    AESTHETIC,
    BERT_WORDS,
    CLIP_H14_INPUTS,
    CLIP_L14,
    HPS,
    IMAGE_REWARD,
    PICK_SCORE,
    HubModel,
)
from hypersd.scorers.image_reward import ImageReward

_BATCH = 16
"""Pictures that ImageReward reads at once."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class AestheticScorer:
    """LAION's aesthetic predictor: CLIP ViT-L/14 and its head."""

    clip: ClipScore
    head: AestheticHead

    @classmethod
    def published(cls, machine: Machine) -> AestheticScorer:
        """The published weights, fetched if need be.

        Raises:
            OSError: they cannot be fetched, or are damaged.
        """
        (file,) = AESTHETIC.paths(machine)
        clip = ClipScore.of(CLIP_L14.folder(machine), device=machine.device)
        return cls(clip=clip, head=AestheticHead.published(file))

    def scores(self, images: Sequence[Image.Image]) -> list[float]:
        """Scores of pictures of any size, from 1 to 10."""
        return self.head(F.normalize(torch.from_numpy(self.clip.embed(images)), dim=-1)).tolist()


def _published(family: Family) -> bool:
    """True for a family that draws anything, as published models score it."""
    return not judged_by_its_own(family)


def _check(*models: HubModel) -> Callable[[Family, Machine], None]:
    def check(_family: Family, machine: Machine) -> None:
        for model in models:
            model.check(machine)

    return check


AESTHETIC_SCORE = MetricSource(
    name="LAION's aesthetic predictor",
    applies=_published,
    check=_check(CLIP_L14, AESTHETIC),
    load=lambda _family, machine: AestheticScorer.published(machine),
    read=lambda scorer, pictures: scorer.scores(pictures.images),
)


def _load_image_reward(_family: Family, machine: Machine) -> ImageReward:
    return ImageReward.published(IMAGE_REWARD.repository).to(machine.device)


@torch.inference_mode()
def _image_reward_scores(model: ImageReward, pictures: PromptPictures) -> list[float]:
    """Scores of pictures as the authors show them to the model: the shorter side resized, the middle cut out."""
    scores: list[float] = []
    for start in range(0, len(pictures.images), _BATCH):
        seen = torch.stack([_square(image, model.pixels) for image in pictures.images[start : start + _BATCH]])
        texts = model.embed_prompts([pictures.prompt] * len(seen))
        scores += model.image_text_score(seen.to(texts.device), texts).tolist()
    return scores


def _square(image: Image.Image, side: int) -> Tensor:
    """A picture as `(3, side, side)` in [-1, 1]."""
    middle: Any = Compose([Resize(side, InterpolationMode.BICUBIC), CenterCrop(side)])(image)
    return pil_to_tensor(middle) / 127.5 - 1


IMAGE_REWARD_SCORE = MetricSource(
    name="ImageReward",
    applies=_published,
    check=_check(IMAGE_REWARD, BERT_WORDS),
    load=_load_image_reward,
    read=_image_reward_scores,
)


def _cosines(clip: ClipScore, pictures: PromptPictures) -> list[float]:
    """Cosines: PickScore as the paper's tables have it, without the logit scale; and HPSv2 as its authors have it."""
    return (clip(pictures.images, pictures.prompts) / 100).tolist()


def _load_pick(_family: Family, machine: Machine) -> ClipScore:
    return ClipScore.of(PICK_SCORE.folder(machine), CLIP_H14_INPUTS.folder(machine), machine.device)


PICK = MetricSource(
    name="PickScore", applies=_published, check=_check(PICK_SCORE, CLIP_H14_INPUTS), load=_load_pick, read=_cosines
)


def _load_hps(_family: Family, machine: Machine) -> ClipScore:
    inputs = CLIP_H14_INPUTS.folder(machine)
    (file,) = HPS.paths(machine)
    return ClipScore(load_hps(file, inputs), inputs, machine.device)


HPS_V2 = MetricSource(
    name="HPSv2", applies=_published, check=_check(HPS, CLIP_H14_INPUTS), load=_load_hps, read=_cosines
)
