"""Responses of the arena: revealed battle, personal ranking, and results of the paper's study."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.services.engines import EngineManager
from hypersd.arena.service.studies import STUDIES, Comparison, Study
from hypersd.arena.votes.battle import Contestant, Entry, Vote


@dataclass(frozen=True, slots=True)
class StudyResult:
    """A comparison of a study, with the votes for ours and all decisive votes."""

    row: Comparison
    wins: int
    decisive: int


def study_results(family: str, votes: Sequence[Vote]) -> list[StudyResult]:
    """The comparisons of the paper's Figure 5 for a family (or their counterparts), with these votes."""
    file = STUDIES / f"figure5-{family}.json"
    if not file.exists():
        return []
    return [StudyResult(row, wins, decisive) for row, (wins, decisive) in Study.read(file).shares(votes).items()]


def reveal_battle(engines: EngineManager, vote: Vote) -> dict[str, Any]:
    """Reveal a battle's contestants, once its vote is kept."""
    left, right = (_entry(engines, entry) for entry in vote.battle.sides)
    pair = vote.battle.pair
    return {
        "battle": vote.battle.id,
        "choice": vote.choice,
        "left": left,
        "right": right,
        "seed": pair.seed,
        "prompt": pair.prompt,
        "public": pair.owner is None,
        "check": pair.gold is not None,
    }


def _entry(engines: EngineManager, entry: Entry) -> dict[str, Any]:
    return {**_contestant(engines, entry.contestant), "calls": entry.calls, "seconds": entry.seconds}


def _contestant(engines: EngineManager, contestant: Contestant) -> dict[str, Any]:
    try:
        title = engines.family(contestant.family).spec(contestant.model).title
    except ValueError:  # a contestant that no longer exists
        title = contestant.model
    return {"name": title, "label": contestant.label, "steps": contestant.steps}


def personal_ranking(engines: EngineManager, votes: Sequence[Vote]) -> list[dict[str, Any]]:
    """Ranking of a voter's own preferences: each contestant's share of its decisive battles, best first."""
    won: Counter[Contestant] = Counter()
    met: Counter[Contestant] = Counter()
    for vote in votes:
        if vote.winner and vote.battle.purpose == "open" and not vote.battle.pair.identical:
            won[vote.winner.contestant] += 1
            met.update(entry.contestant for entry in vote.battle.pair.entries)
    shares = {who: won[who] / count for who, count in met.items()}
    ranked = sorted(shares, key=lambda who: (-shares[who], who))
    return [{**_contestant(engines, who), "share": shares[who], "battles": met[who]} for who in ranked]
