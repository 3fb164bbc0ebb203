"""Votes that a round learns from: cast by simulated voters, summed up, and the prompts that none of them was about."""

from __future__ import annotations

import random
from collections.abc import Callable, Container

from hypersd.arena.service.simulation import Scorer
from hypersd.arena.store.store import Store
from hypersd.arena.votes.images import ImageStore
from hypersd.feedback.generator import contestants
from hypersd.feedback.loop.results import VotesResult
from hypersd.feedback.loop.scale import LoopScale
from hypersd.feedback.loop.simulated_voters import all_pairs, cast_votes, few_step_contestants, fill_pool, sample_voters
from hypersd.feedback.preferences.dataset import Preferences
from hypersd.models.engine import Engine
from hypersd.models.families.embedded import PromptSource

Votes = Callable[[], tuple[Preferences, ImageStore]]
"""The preferences of a round and their pictures."""

Unseen = Callable[[int, int], list[str]]
"""So many held-out prompts, chosen by a seed."""


def cast_training_votes(
    engine: Engine,
    store: Store,
    pictures: ImageStore,
    *,
    strangers: Container[str],
    prompts: PromptSource,
    scorer: Scorer,
    taste: str,
    scale: LoopScale,
    name: str,
    seed: int,
) -> None:
    """Let simulated voters vote on pairs of a family's few-step models until there are as many as the scale says.

    Args:
        engine: of the family.
        store: of the round's votes; what it has already counts.
        pictures: of the pairs in it.
        strangers: models whose pictures the voters do not see.
        prompts: of the family. Battles and metrics are on those that are held out, votes on others.
        scorer: how well a picture fits its prompt, as the voters see it.
        taste: around which theirs lie.
        scale: of the round.
        name: what the voters' names begin with.
        seed: of everything random.
    """
    wanted = few_step_contestants(contestants(engine.family, engine.machine), strangers)
    common = prompts.common(scale.pairs, seed)
    fill_pool(engine, store, pictures, all_pairs(wanted), common, count=scale.pairs, seed=seed)
    missing = scale.votes - store.count_votes()
    tastes = sample_voters(taste, scale.voters, random.Random(seed))  # noqa: S311 - repeatable
    voting = random.Random(seed)  # noqa: S311 - repeatable
    cast_votes(store, pictures, scorer, tastes, count=missing, name=name, rng=voting)


def votes_result(preferences: Preferences, taste: str | None) -> VotesResult:
    """Preferences in figures, as a round's folder keeps them; `taste` is that of simulated voters."""
    return VotesResult(
        kind=preferences.kind,
        data=preferences.digest,
        votes=len(preferences.examples),
        cast=preferences.cast,
        voters=len({example.voter for example in preferences.examples}),
        taste=taste,
    )


def unseen_prompts(source: PromptSource, votes: Votes) -> Unseen:
    """Held-out prompts that none of the votes was about: people vote on some of them in the arena."""

    def prompts(count: int, seed: int) -> list[str]:
        seen = {example.prompt for example in votes()[0].examples}
        held_out = source.held_out(count + len(seen), seed)
        return [prompt for prompt in held_out if prompt not in seen][:count]

    return prompts
