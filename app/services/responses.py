"""What the arena tells a visitor: after a vote, about themselves, and beside the paper."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.services.engines import Studio
from hypersd.arena.service.studies import STUDIES, Comparison, Study
from hypersd.arena.votes.battle import Contestant, Entry, Vote


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison of a study, and how the votes went: for ours, of all decisive ones."""

    row: Comparison
    wins: int
    decisive: int


def compared(family: str, votes: Sequence[Vote]) -> list[Compared]:
    """The comparisons of the paper's Figure 5 for a family (or their counterparts), with these votes."""
    file = STUDIES / f"figure5-{family}.json"
    if not file.exists():
        return []
    return [Compared(row, wins, decisive) for row, (wins, decisive) in Study.read(file).shares(votes).items()]


def revealed(studio: Studio, vote: Vote) -> dict[str, Any]:
    """What a battle was about, once its vote is kept."""
    left, right = (_told(studio, entry) for entry in vote.battle.sides)
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


def _told(studio: Studio, entry: Entry) -> dict[str, Any]:
    return {**_named(studio, entry.contestant), "calls": entry.calls, "seconds": entry.seconds}


def _named(studio: Studio, who: Contestant) -> dict[str, Any]:
    try:
        title = studio.family(who.family).spec(who.model).title
    except ValueError:  # a contestant of former times
        title = who.model
    return {"name": title, "label": who.label, "steps": who.steps}


def personal(studio: Studio, votes: Sequence[Vote]) -> list[dict[str, Any]]:
    """What a voter prefers: each contestant's share of its decisive battles, best first."""
    won: Counter[Contestant] = Counter()
    met: Counter[Contestant] = Counter()
    for vote in votes:
        if vote.winner and vote.battle.purpose == "open" and not vote.battle.pair.identical:
            won[vote.winner.contestant] += 1
            met.update(entry.contestant for entry in vote.battle.pair.entries)
    shares = {who: won[who] / count for who, count in met.items()}
    ranked = sorted(shares, key=lambda who: (-shares[who], who))
    return [{**_named(studio, who), "share": shares[who], "battles": met[who]} for who in ranked]
