"""Sources of metrics: the models that look at pictures, each of which several metrics are read off."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hypersd.evaluate.clip_score import ClipScore, Pixels
from hypersd.evaluate.diversity import distances
from hypersd.models.families import embedded
from hypersd.models.machine import Machine
from hypersd.models.specs import Capability, Family
from hypersd.scorers.hub_models import CLIP_B32
from hypersd.scorers.inception import InceptionFeatures, check_inception
from hypersd.utils.model_folders import check_clip

ScorerT = TypeVar("ScorerT")
FindingT = TypeVar("FindingT")

RewardFunction = Callable[[Sequence[Image.Image], Sequence[str]], NDArray[np.float32]]
"""Rewards of pictures for their prompts, `(N,)`; the more the better."""


class Verdict(Protocol):
    """Verdict of a judge on one picture (see `hypersd.emoji.sprite_judge.PromptMatch`)."""

    @property
    def objects(self) -> bool:
        """True if the picture shows the right objects."""
        ...

    @property
    def background(self) -> bool:
        """True if it shows them on the right background."""
        ...

    @property
    def match(self) -> float:
        """Cleanness of the picture, in [0, 1]."""
        ...

    @property
    def kind(self) -> Literal["pair", "single"]:
        """The kind of prompt."""
        ...


class Judge(Protocol):
    """A family's judge: it knows what a picture shows."""

    def score(self, picture: Pixels, wanted: str) -> Verdict:
        """Compare a picture `(H, W, 3)` with what the prompt wants."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptPictures:
    """The pictures of one prompt, in RGB, and the model and number of steps that drew each."""

    prompt: str
    images: Sequence[Image.Image]
    runs: Sequence[tuple[str, int]]

    @property
    def prompts(self) -> list[str]:
        """The prompt, once a picture."""
        return [self.prompt] * len(self.images)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MetricSource(Generic[ScorerT, FindingT]):
    """A model that looks at pictures, for the families that are measured by it.

    Args:
        name: in complaints and records.
        applies: true for a family that is measured by it.
        check: sees before any work that the model is there; raises an `OSError` or `ValueError` of one sentence.
        load: loads it.
        read: looks at the pictures of a prompt with it; metrics are read off the result.
    """

    name: str
    applies: Callable[[Family], bool]
    check: Callable[[Family, Machine], object]
    load: Callable[[Family, Machine], ScorerT]
    read: Callable[[ScorerT, PromptPictures], FindingT]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClipFinding:
    """Findings of a CLIP model about N pictures of a prompt.

    Args:
        features: embeddings before they are normalised, `(N, D)`.
        scores: 100 × the cosine with the prompt, `(N,)`.
        diversities: the distance to the other pictures of the same run, `(N,)`; NaN for a picture that is alone.
    """

    features: NDArray[np.float32]
    scores: Sequence[float]
    diversities: Sequence[float]


def judged_by_its_own(family: Family) -> bool:
    """True for a family that declares a judge of its own."""
    return Capability.JUDGE in family.parts


def _verdicts(judge: Judge, pictures: PromptPictures) -> list[Verdict]:
    return [judge.score(np.asarray(image), pictures.prompt) for image in pictures.images]


JUDGE = MetricSource(
    name="judge",
    applies=judged_by_its_own,
    check=lambda family, _machine: family.require(Capability.JUDGE, "be evaluated"),
    load=lambda family, _machine: embedded.picture_judge(family),
    read=_verdicts,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StyleJudges:
    """Judges of a family's pictures by the sprites of its base's style, and by those of its own base."""

    style: Judge
    own: Judge


def _check_style(family: Family, _machine: Machine) -> None:
    if family.styled is None:
        raise ValueError("the metric 'style' is of a base in another style; choose one with --base")
    family.require(Capability.JUDGE, "be evaluated")


def _styles_kept(judges: StyleJudges, pictures: PromptPictures) -> list[bool]:
    shown = [np.asarray(image) for image in pictures.images]
    pairs = ((judges.style.score(each, pictures.prompt), judges.own.score(each, pictures.prompt)) for each in shown)
    return [styled.match > own.match for styled, own in pairs]


STYLE = MetricSource(
    name="style",
    applies=lambda family: judged_by_its_own(family) and family.styled is not None,
    check=_check_style,
    load=lambda family, _machine: StyleJudges(
        style=embedded.picture_judge(family), own=embedded.picture_judge(replace(family, styled=None))
    ),
    read=_styles_kept,
)
"""For each picture, true if the sprites of the base's style explain it better than those of the family's own base."""


def _check_clip(family: Family, machine: Machine) -> None:
    if judged_by_its_own(family):
        check_clip(family.require(Capability.CLIP, "be evaluated"))
    else:
        CLIP_B32.check(machine)


def _load_clip(family: Family, machine: Machine) -> ClipScore:
    if judged_by_its_own(family):
        return ClipScore.of(family.require(Capability.CLIP, "be evaluated"), device=machine.device)
    return ClipScore.of(CLIP_B32.folder(machine), device=machine.device)


def _clip_finding(clip: ClipScore, pictures: PromptPictures) -> ClipFinding:
    features = clip.embed(pictures.images)
    scores = clip.score(features, pictures.prompts).tolist()
    return ClipFinding(features=features, scores=scores, diversities=_diversities(pictures.runs, features))


def _diversities(runs: Sequence[tuple[str, int]], features: NDArray[np.float32]) -> list[float]:
    """Each picture's distance to the others of its run; NaN if it is alone."""
    apart = np.full(len(runs), math.nan)
    for run in dict.fromkeys(runs):
        places = [place for place, other in enumerate(runs) if other == run]
        if len(places) > 1:
            apart[places] = distances(features[places])
    return apart.tolist()


CLIP = MetricSource(
    name="CLIP",
    applies=lambda _family: True,
    check=_check_clip,
    load=_load_clip,
    read=_clip_finding,
)
"""The family's own CLIP model, or ViT-B/32, by which published CLIP scores are measured."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InceptionFinding:
    """Features of N pictures in Inception v3, `(N, D)`; FID is of all pictures of a run together."""

    features: NDArray[np.float32]


INCEPTION = MetricSource(
    name="Inception v3",
    applies=lambda family: not judged_by_its_own(family),
    check=lambda _family, _machine: check_inception(),
    load=lambda _family, machine: InceptionFeatures.published(machine.device),
    read=lambda network, pictures: InceptionFinding(features=network.embed(pictures.images)),
)


def _rewards(reward: RewardFunction | None, pictures: PromptPictures) -> list[float]:
    if reward is None or not pictures.images:
        return [math.nan] * len(pictures.images)
    rewards = np.asarray(reward(pictures.images, pictures.prompts))
    if rewards.shape != (len(pictures.images),):
        raise ValueError(f"the reward model gave {rewards.shape} numbers for {len(pictures.images)} pictures")
    return rewards.tolist()


def _no_reward(_family: Family, _machine: Machine) -> RewardFunction | None:
    """Nothing: a reward model is of the user's choice, and handed to the suite."""
    return None


REWARD = MetricSource(
    name="reward",
    applies=lambda _family: True,
    check=lambda _family, _machine: None,
    load=_no_reward,
    read=_rewards,
)
