"""Quality control: a pure function from all votes to those kept and, for each of the others, one reason.

Raw votes are never changed, so another set of rules can be played over the same votes at any time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from hypersd.arena.votes.agreement import Rating
from hypersd.arena.votes.battle import Kind, Vote

Reason = Literal[
    "withdrawn", "identical", "skipped", "both bad", "own prompt", "gold pair", "repeat", "gate", "too fast",
    "seen before", "burst", "one-sided", "hasty voter", "failed gold pairs",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRules:
    """Every threshold, with its unit and why it is what it is. The version goes into whatever is computed by them.

    Args:
        impossible_ms: nobody looks at two pictures and chooses in less (a simple reaction takes 200 to 300 ms).
        fast_ms: a decision faster than this is a snap decision; people do make some.
        snap_share: a voter with more of them than this is not looking.
        burst_votes: more votes than this within `burst_seconds` are not made by looking.
        one_sided_share: a voter who takes one side this often presses one key; sides are random.
        least_votes: a voter's habits are judged from this many decisive votes on.
        gold_accuracy: the lowest posterior mean (prior Beta(3, 1)) of getting gold pairs right.
        least_gold: and after how many gold pairs it is looked at.
    """

    version: str = "2"
    impossible_ms: int = 350
    fast_ms: int = 700
    snap_share: float = 0.6
    burst_votes: int = 30
    burst_seconds: int = 60
    one_sided_share: float = 0.95
    least_votes: int = 20
    gold_accuracy: float = 0.7
    least_gold: int = 5


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Votes of one kind of voter after a version of the rules, and the reasons of those that do not count."""

    kept: tuple[Vote, ...]
    dropped: tuple[tuple[Vote, Reason], ...]
    kind: Kind
    rules: str

    @property
    def votes(self) -> tuple[Vote, ...]:
        """All of them, those that count first."""
        return (*self.kept, *(vote for vote, _ in self.dropped))

    @property
    def reasons(self) -> dict[str, int]:
        """Number of votes that were dropped for each reason, most first."""
        return dict(Counter(reason for _, reason in self.dropped).most_common())

    def within(self, study: str | None) -> Cleaned:
        """Those given in a study or, for None, in the open arena."""
        return self.where(lambda vote: vote.battle.pair.study == study)

    def where(self, holds: Callable[[Vote], bool]) -> Cleaned:
        """Those for which something holds."""
        kept = tuple(vote for vote in self.kept if holds(vote))
        return replace(self, kept=kept, dropped=tuple((vote, why) for vote, why in self.dropped if holds(vote)))


def clean(votes: Iterable[Vote], rules: QualityRules | None = None, *, kind: Kind = "human") -> Cleaned:
    """Keep the votes of one kind of voter that can be trusted and compare contestants in the open.

    Votes of the other kind are left out altogether, not dropped: simulated votes never mix into a human ranking. A
    vote has one reason, the first that holds; what concerns the voter comes last.
    """
    rules = rules or QualityRules()
    mine = [vote for vote in votes if vote.battle.kind == kind]
    by_voter: dict[str, list[Vote]] = defaultdict(list)
    for vote in mine:
        if _says_something(vote):
            by_voter[vote.battle.voter].append(vote)
    habits: dict[str, Reason | None] = {voter: _habit(given, rules) for voter, given in by_voter.items()}
    bursts = {vote.id for theirs in by_voter.values() for vote in _bursts(theirs, rules)}
    again = {vote.id for theirs in by_voter.values() for vote in _seen_before(theirs)}
    kept: list[Vote] = []
    dropped: list[tuple[Vote, Reason]] = []
    for vote in mine:
        reason = _reason(vote, rules, bursts, again) or habits.get(vote.battle.voter)
        if reason:
            dropped.append((vote, reason))
        else:
            kept.append(vote)
    return Cleaned(tuple(kept), tuple(dropped), kind, rules.version)


def _says_something(vote: Vote) -> bool:
    """True if a vote stands and its two pictures differ: a voter is judged by no other votes."""
    return vote.withdrawn is None and not vote.battle.pair.identical


def _reason(vote: Vote, rules: QualityRules, bursts: set[str], again: set[str]) -> Reason | None:
    battle, fast = vote.battle, vote.client.decision_ms
    checks: Sequence[tuple[Reason, bool]] = (
        ("withdrawn", vote.withdrawn is not None),
        ("identical", battle.pair.identical),
        ("gold pair", battle.purpose == "gold"),
        ("repeat", battle.purpose == "repeat"),
        ("own prompt", battle.pair.owner is not None),
        ("skipped", vote.choice == "skip"),
        ("gate", "failed" in vote.gates.values()),
        ("too fast", fast is not None and fast < rules.impossible_ms),
        ("seen before", vote.id in again),
        ("burst", vote.id in bursts),
        # Last: who reads these votes for what they say of pictures leaves the others alone.
        ("both bad", vote.choice == "both_bad"),
    )
    return next((reason for reason, holds in checks if holds), None)


def _habit(votes: Sequence[Vote], rules: QualityRules) -> Reason | None:
    """Reason against all of a voter's votes, if there is one."""
    right, wrong = gold_score(votes)
    if right + wrong >= rules.least_gold and (3 + right) / (4 + right + wrong) < rules.gold_accuracy:
        return "failed gold pairs"
    decisive = [vote for vote in votes if vote.choice in {"left", "right"}]
    if len(decisive) < rules.least_votes:
        return None
    timed = [vote.client.decision_ms for vote in decisive if vote.client.decision_ms is not None]
    if len(timed) >= rules.least_votes and sum(ms < rules.fast_ms for ms in timed) > rules.snap_share * len(timed):
        return "hasty voter"
    left = sum(vote.choice == "left" for vote in decisive)
    return "one-sided" if max(left, len(decisive) - left) >= rules.one_sided_share * len(decisive) else None


def gold_score(votes: Iterable[Vote]) -> tuple[int, int]:
    """Count the gold pairs that were answered right, and wrong; ties and skips are neither."""
    right = wrong = 0
    for vote in votes:
        gold = vote.battle.pair.gold
        if gold is not None and vote.winner is not None and _says_something(vote):
            good = vote.winner is vote.battle.pair.entries[gold]
            right, wrong = right + good, wrong + (not good)
    return right, wrong


def _bursts(votes: Sequence[Vote], rules: QualityRules) -> list[Vote]:
    """The votes of every window of `burst_seconds` with more than `burst_votes` in it."""
    ordered = sorted(votes, key=lambda vote: vote.voted)
    span = timedelta(seconds=rules.burst_seconds)
    burst: dict[str, Vote] = {}
    start = 0
    for end, vote in enumerate(ordered):
        while vote.voted - ordered[start].voted > span:
            start += 1
        if end - start + 1 > rules.burst_votes:
            burst |= {one.id: one for one in ordered[start : end + 1]}
    return list(burst.values())


def _seen_before(votes: Sequence[Vote]) -> list[Vote]:
    """Votes on a pair that the voter has voted on before, without its being a planned repeat."""
    seen: set[str] = set()
    again: list[Vote] = []
    for vote in sorted(votes, key=lambda vote: vote.voted):
        if vote.battle.purpose == "repeat":
            continue
        if vote.battle.pair.id in seen:
            again.append(vote)
        seen.add(vote.battle.pair.id)
    return again


def ratings(votes: Iterable[Vote]) -> list[Rating]:
    """Ratings of pairs, for the agreement of voters with each other: the winning contestant, whatever its side."""
    return [
        Rating(vote.battle.pair.id, vote.battle.voter, vote.winner.contestant.label if vote.winner else "tie")
        for vote in votes
    ]


def self_agreement(votes: Iterable[Vote]) -> tuple[int, int]:
    """Of the pairs shown again with sides swapped, how many were answered alike, and how many there are.

    Alike means the same entry, or neither both times. Skips do not count, nor what was taken back.
    """
    by_battle: Mapping[str, Vote] = {vote.battle.id: vote for vote in votes if _says_something(vote)}
    alike = total = 0
    for vote in by_battle.values():
        first = by_battle.get(vote.battle.repeat_of or "")
        if first is None or "skip" in {first.choice, vote.choice}:
            continue
        total += 1
        earlier, other = first.winner, vote.winner
        alike += (earlier and earlier.picture) == (other and other.picture)
    return alike, total
