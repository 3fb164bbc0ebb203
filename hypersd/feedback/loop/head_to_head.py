"""Blind battles of two versions of a model at equal steps, by simulated voters."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from hypersd.arena.dataset.export import export
from hypersd.arena.ranking.leaderboard import compute_leaderboard
from hypersd.arena.service.simulation import Scorer, Taste
from hypersd.arena.service.vote_rules import BattlePolicy
from hypersd.arena.store.store import Store
from hypersd.arena.votes.battle import Contestant, Vote
from hypersd.arena.votes.images import ImageStore
from hypersd.arena.votes.quality import clean
from hypersd.feedback.loop.results import BattleResult
from hypersd.feedback.loop.simulated_voters import cast_votes, fill_pool
from hypersd.models.engine import Engine
from hypersd.models.specs import ModelSpec
from hypersd.utils.estimates import Estimate, wilson


def open_folder(folder: Path) -> tuple[Store, ImageStore]:
    """A store of votes and its pictures in a folder of their own.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return Store(f"sqlite:///{folder}/votes.sqlite"), ImageStore(str(folder / "pictures"))


def run_head_to_head(
    engine: Engine,
    folder: Path,
    *,
    new: str,
    old: str,
    steps: Sequence[int],
    scorer: Scorer,
    tastes: Sequence[Taste],
    prompts: Sequence[str],
    votes: int,
    name: str,
    seed: int,
) -> BattleResult:
    """Let voters of these tastes judge `new` against `old`; what was begun before goes on.

    Args:
        engine: of the family.
        folder: of the battles' own store; their dataset is written there too.
        new: the tuned model.
        old: the untuned one.
        steps: numbers of steps; those at which both models run are used.
        scorer: how well a picture fits its prompt, as these voters see it.
        tastes: a voter each.
        prompts: as many pairs are drawn.
        votes: for each number of steps.
        name: what the voters' names begin with.
        seed: of everything random.
    """
    specs = [engine.family.spec(model) for model in (new, old)]
    common = [count for count in steps if all(_runs(spec, count) for spec in specs)]
    family = engine.family.name
    pairs = [(Contestant(family, new, count), Contestant(family, old, count)) for count in common]
    store, pictures = open_folder(folder)
    fill_pool(engine, store, pictures, pairs, prompts, count=len(prompts), seed=seed)
    missing = votes * len(pairs) - store.count_votes()
    policy = BattlePolicy(gold_share=0, first_gold=0, repeat_share=0, overlap_share=0.3)
    rng = random.Random(seed)  # noqa: S311 - simulated voters must be repeatable
    cast_votes(store, pictures, scorer, tastes, count=missing, name=name, rng=rng, policy=policy)
    given = list(store.votes())
    export(given, pictures, "arena", folder / "dataset", kind="simulated")
    kept = clean(given, kind="simulated").kept
    return BattleResult(
        kind="simulated",
        voters=len(tastes),
        steps={count: wins(kept, new, count) for count in common},
        ties={count: _ties(kept, count) for count in common},
        board=compute_leaderboard(given, kind="simulated").as_dict(),
    )


def wins(votes: Sequence[Vote], model: str, steps: int) -> Estimate:
    """Of the decisive battles at a number of steps, how many a model won."""
    mine = [vote for vote in votes if vote.winner and vote.battle.pair.entries[0].contestant.steps == steps]
    won = sum(vote.winner is not None and vote.winner.contestant.model == model for vote in mine)
    return wilson(won, len(mine))


def _ties(votes: Sequence[Vote], steps: int) -> int:
    return sum(vote.winner is None and vote.battle.pair.entries[0].contestant.steps == steps for vote in votes)


def _runs(spec: ModelSpec, steps: int) -> bool:
    return steps in {recipe.steps for recipe in spec.recipes}
