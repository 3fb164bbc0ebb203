"""Simulated voters for the loop: those whose votes train, others who judge, with a taste that may be chosen."""

from __future__ import annotations

import random
from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import timedelta
from itertools import combinations
from types import MappingProxyType

import numpy as np

from hypersd.arena.service.battles import BattleService
from hypersd.arena.service.pool import PairPool, PairSource
from hypersd.arena.service.simulation import Scorer, SimulatedClock, SimulatedVoters, Taste
from hypersd.arena.service.studies import Study
from hypersd.arena.service.vote_rules import BattlePolicy
from hypersd.arena.store.store import Store
from hypersd.arena.votes.battle import Contestant, now
from hypersd.arena.votes.images import ImageStore
from hypersd.feedback.generator import EngineGenerator
from hypersd.models.engine import Engine

_SECONDS_A_VOTE = 40
"""More than a vote takes by the simulated clock."""

_MOST_STEPS = 8
TASTES: Mapping[str, Taste] = MappingProxyType(
    {
        "plain": Taste(alignment=8, sharpness=2, colour=1, noise=0.35, bad_below=0.5),
        "vivid": Taste(alignment=8, sharpness=1, colour=10, noise=0.35, bad_below=0.5),
        "muted": Taste(alignment=8, sharpness=1, colour=-10, noise=0.35, bad_below=0.5),
    }
)
"""Around what the voters' tastes lie: that of `simulation.population`, and two that pull colours either way.

Their noise is half that of the default voters, so that fewer votes tell a model from a better one.
"""


def sample_voters(taste: str, count: int, rng: random.Random) -> list[Taste]:
    """Voters whose tastes vary around one of `TASTES`, each like by a quarter of its size.

    Raises:
        ValueError: there is no such taste.
    """
    if taste not in TASTES:
        raise ValueError(f"unknown taste {taste!r}; choose from: {', '.join(TASTES)}")
    middle = TASTES[taste]
    return [
        Taste(
            alignment=rng.gauss(middle.alignment, 0.25 * middle.alignment),
            sharpness=rng.gauss(middle.sharpness, 0.25 * middle.sharpness),
            colour=rng.gauss(middle.colour, 0.25 * abs(middle.colour)),
            left=rng.gauss(middle.left, 0.1),
            noise=middle.noise,
            bad_below=middle.bad_below,
        )
        for _ in range(count)
    ]


def fill_pool(
    engine: Engine,
    store: Store,
    pictures: ImageStore,
    pairs: Sequence[tuple[Contestant, Contestant]],
    prompts: Sequence[str],
    *,
    count: int,
    seed: int,
) -> None:
    """Draw pairs of pictures until the store has `count`; each pair of contestants is as likely as another."""
    labels = [(one.label, other.label) for one, other in pairs]
    shares = dict.fromkeys(labels, 1 / len(labels))
    source = PairSource(study=None, probabilities=lambda: shares, prompts=prompts, prompt_set="held-out")
    rng = np.random.default_rng((seed, max(0, count - store.pairs.count(None))))
    PairPool(store, pictures, EngineGenerator(engine), [source], rng=rng).fill(source, count)


def cast_votes(
    store: Store,
    pictures: ImageStore,
    scorer: Scorer,
    tastes: Sequence[Taste],
    *,
    count: int,
    name: str,
    rng: random.Random,
    policy: BattlePolicy | None = None,
    study: Study | None = None,
) -> int:
    """Let voters of these tastes vote through the battle service; returns how many votes were cast.

    Args:
        store: of the votes.
        pictures: of the pairs in it.
        scorer: how well a picture fits its prompt, as these voters see it.
        tastes: a voter each.
        count: of votes.
        name: what the voters' names begin with.
        rng: of their choices; simulated voters must be repeatable.
        policy: of the battles that they get.
        study: its pairs and its choices; None is the open arena.
    """
    # The simulated clock begins so long ago that no vote is cast in the future.
    began = now() - timedelta(seconds=_SECONDS_A_VOTE * count)
    choices = {study.name: study.choices()} if study else {}
    service = BattleService(store, policy or BattlePolicy(), choices=choices, rng=rng, clock=SimulatedClock(began))
    voters = SimulatedVoters(service=service, pictures=pictures, scorer=scorer, tastes=tastes, rng=rng, name=name)
    return voters.vote(count, study.name if study else None)


def few_step_contestants(contestants: Iterable[Contestant], strangers: Container[str]) -> list[Contestant]:
    """Contestants whose pictures simulated voters see: those of few steps, and no model of another loop.

    The base takes as long as all others together; what is tuned has few steps and is learned from those. And one
    command gives the same votes on every machine, whatever was tuned there before.
    """
    return [one for one in contestants if one.steps <= _MOST_STEPS and one.model not in strangers]


def all_pairs(contestants: Sequence[Contestant]) -> list[tuple[Contestant, Contestant]]:
    """Everybody against everybody."""
    return list(combinations(contestants, 2))
