"""The fewest steps that are good enough: a sweep's pictures against the range of the base's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hypersd.evaluate.metric_sources import JUDGE, PromptPictures, RewardFunction, Verdict, judged_by_its_own
from hypersd.models.families.embedded import judged_prompt_check
from hypersd.models.machine import Machine
from hypersd.models.specs import Family
from hypersd.sampling.planning import plan_run
from hypersd.sampling.request import Generation, Request, sides
from hypersd.sampling.step_sweep import CellKey, SweepTable
from hypersd.utils.estimates import LEVEL, UNKNOWN, Estimate, percentile_interval, resamples

_ROUNDS = 2000
_LEAST = 2
"""Pictures of the base from which on it has a range."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QualityScore:
    """A score of pictures, the more the better.

    Args:
        name: in tables and records.
        score: from pictures and their prompt to a number each.
    """

    name: str
    score: Callable[[Sequence[Image.Image], str], Sequence[float]]


def check_scorable(family: Family, request: Request) -> None:
    """See that the family's own judge can score a request's pictures, before any work.

    Raises:
        OSError: a file of the judge is missing.
        ValueError: the family has no judge, or the judge cannot read the prompt or pictures of this size.
    """
    if not judged_by_its_own(family):
        raise ValueError(
            f"nothing is marked as good enough: {family.name} has no judge of its own; name a reward model"
        )
    base = plan_run(family, family.specs[0], None, request.parameters)
    if base.size != (family.pixels, family.pixels):
        own = sides((family.pixels, family.pixels))
        raise ValueError(f"nothing is marked as good enough: the judge reads pictures of {own} pixels only")
    try:
        judged_prompt_check(family)(request.prompt)
    except ValueError as error:
        raise ValueError(f"nothing is marked as good enough: {error}") from error


def quality_score(family: Family, machine: Machine, reward: RewardFunction | None = None) -> QualityScore:
    """The score by which a family's pictures are good enough: a reward, if there is a reward model, or its judge.

    A judge's score is its match where the picture shows the right objects on the right background, and 0 elsewhere.

    Raises:
        OSError: a file of the judge is missing.
        ValueError: the family has none.
    """
    if reward is not None:
        return QualityScore(name="reward", score=lambda images, prompt: reward(images, [prompt] * len(images)).tolist())
    judge = JUDGE.load(family, machine)

    def score(images: Sequence[Image.Image], prompt: str) -> list[float]:
        pictures = PromptPictures(prompt=prompt, images=[image.convert("RGB") for image in images], runs=())
        return [verdict_score(verdict) for verdict in JUDGE.read(judge, pictures)]

    return QualityScore(name="match where right", score=score)


def verdict_score(verdict: Verdict) -> float:
    """The match of a picture that shows the right objects on the right background, 0 for one that does not."""
    return verdict.match if verdict.objects and verdict.background else 0.0


def range_of_means(scores: Sequence[float], count: int) -> Estimate:
    """The range in which the mean score of `count` pictures by the same model lies, with 95 % probability.

    Pictures are drawn with replacement (the bootstrap, Efron 1979): for one picture it is the range of the scores
    themselves, and the more pictures, the narrower it is. `value` is the mean, `n` the number of scores.

    Args:
        scores: of the model's pictures of one prompt.
        count: of pictures whose mean is compared with the range; at most as many as there are scores are taken.

    Returns:
        `UNKNOWN` for fewer than two scores: one picture says nothing about how much they differ.
    """
    known = np.asarray(scores, dtype=np.float64)
    if known.size < _LEAST:
        return UNKNOWN
    means: list[NDArray[np.floating[Any]]] = [
        known[drawn[:, :count]].mean(axis=1) for drawn in resamples(known.size, _ROUNDS, seed=0)
    ]
    low, high = percentile_interval(np.concatenate(means), LEVEL)
    return Estimate(float(known.mean()), low, high, known.size)


def scored(
    table: SweepTable,
    family: Family,
    prompt: str,
    drawn: Sequence[Generation],
    *,
    extra: Sequence[Generation],
    quality: QualityScore,
) -> SweepTable:
    """The table with the scores of its cells and the range of the base's.

    Args:
        table: of what was drawn.
        family: of the models.
        prompt: of all pictures.
        drawn: pictures of the table's cells.
        extra: pictures by the base beside them (`reference_request`).
        quality: scores pictures.

    Raises:
        ValueError: the score cannot read the prompt or the pictures.
    """
    pictures = [(each, each.image) for each in (*drawn, *extra) if each.image is not None]
    scores = quality.score([image for _, image in pictures], prompt)
    keyed = [((each.model, each.steps), score) for (each, _), score in zip(pictures, scores, strict=True)]
    own = sum(each.image is not None for each in drawn)
    by_cell: dict[CellKey, list[float]] = {}
    for key, score in keyed[:own]:
        by_cell.setdefault(key, []).append(score)
    base = family.specs[0]
    of_base = [score for key, score in keyed if key == (base.name, base.default_steps)]
    cells = {
        key: replace(cell, score=float(np.mean(by_cell[key]))) if key in by_cell else cell
        for key, cell in table.cells.items()
    }
    count = max((len(values) for values in by_cell.values()), default=1)
    return replace(table, cells=MappingProxyType(cells), metric=quality.name, base=range_of_means(of_base, count))
