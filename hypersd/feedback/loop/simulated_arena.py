"""Simulated votes in the vote store of the arena: pairs are drawn where they are missing, then voters vote."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np

from hypersd.arena.service.matchmaking import pair_probabilities
from hypersd.arena.service.pool import PairPool, PairSource
from hypersd.arena.service.simulation import Scorer, population
from hypersd.arena.service.studies import Study, read_prompts
from hypersd.arena.store.store import Store
from hypersd.arena.votes.images import ImageStore
from hypersd.feedback.generator import EngineGenerator, contestants
from hypersd.feedback.loop.simulated_voters import cast_votes
from hypersd.models.engine import Engine
from hypersd.models.families.embedded import prompt_source

_PROMPTS_A_PAIR = 4
"""So many are asked for, since the held-out ones are few and repeat each other."""


def fill_arena(
    engine: Engine,
    store: Store,
    pictures: ImageStore,
    *,
    study: Study | None,
    count: int,
    seed: int,
    progress: Callable[[str], None],
) -> None:
    """Draw pairs until the store has `count` that nobody owns: of the family's contestants, or those of a study.

    Raises:
        ValueError, OSError: the family has no prompts, and there is no study.
    """
    name = study.name if study else None
    if store.pairs.count(name) >= count:
        return
    able = [each.label for each in contestants(engine.family, engine.machine)]
    if study:
        shares, prompts = study.probabilities({}, able), read_prompts(study.prompts)
    else:
        held_out = prompt_source(engine.family, "draw for simulated voters").held_out(_PROMPTS_A_PAIR * count, seed)
        shares, prompts = pair_probabilities(able), list(dict.fromkeys(held_out))
    source = PairSource(
        study=name,
        probabilities=lambda: shares,
        prompts=random.Random(seed).sample(prompts, len(prompts)),  # noqa: S311 - repeatable
        prompt_set=study.prompts if study else "held-out",
    )
    pool = PairPool(store, pictures, EngineGenerator(engine), [source], rng=np.random.default_rng(seed))
    pool.fill(source, count, progress)


def simulate_votes(
    store: Store, pictures: ImageStore, scorer: Scorer, *, study: Study | None, count: int, voters: int, seed: int
) -> int:
    """Let voters of random tastes vote on the pairs of the open arena, or of a study; how many votes were cast.

    Args:
        store: of the arena's votes.
        pictures: of the pairs in it.
        scorer: how well a picture fits its prompt, as these voters see it.
        study: its pairs and its choices.
        count: of votes.
        voters: how many people vote.
        seed: of their tastes and their choices.
    """
    rng = random.Random(seed)  # noqa: S311 - simulated voters must be repeatable
    labels = sorted({entry.contestant.label for pair in store.pairs.select() for entry in pair.entries})
    tastes = population(voters, rng, contestants=labels)
    return cast_votes(store, pictures, scorer, tastes, count=count, name=f"sim-{seed}", rng=rng, study=study)
