"""Quality control: a pure function from all votes to the kept ones and one reason for each dropped one.

Raw votes are never changed, so other rules can be applied to the same votes at any time.
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
    """Thresholds with their units and reasons. Results computed with them record the version.

    Args:
        impossible_ms: nobody looks at two pictures and chooses in less (a simple reaction takes 200 to 300 ms).
        fast_ms: a decision faster than this is a snap decision; honest voters make a few.
        snap_share: a voter with a larger share of snap decisions is not looking.
        burst_votes: a voter with more votes than this within `burst_seconds` is not looking.
        one_sided_share: a voter who takes one side this often always presses one key; sides are random.
        least_votes: decisive votes from which a voter's habits are checked.
        gold_accuracy: lowest accepted posterior mean (prior Beta(3, 1)) of the accuracy on gold pairs.
        least_gold: gold pairs from which it is checked.
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
    """Votes of one kind of voter after quality control, with the reasons of the dropped ones."""

    kept: tuple[Vote, ...]
    dropped: tuple[tuple[Vote, Reason], ...]
    kind: Kind
    rules: str

    @property
    def votes(self) -> tuple[Vote, ...]:
        """All votes, kept ones first."""
        return (*self.kept, *(vote for vote, _ in self.dropped))

    @property
    def reasons(self) -> dict[str, int]:
        """Number of votes that were dropped for each reason, most first."""
        return dict(Counter(reason for _, reason in self.dropped).most_common())

    def within(self, study: str | None) -> Cleaned:
        """The votes given in a study or, for None, in the open arena."""
        return self.where(lambda vote: vote.battle.pair.study == study)

    def where(self, holds: Callable[[Vote], bool]) -> Cleaned:
        """The votes for which a condition holds."""
        kept = tuple(vote for vote in self.kept if holds(vote))
        return replace(self, kept=kept, dropped=tuple((vote, why) for vote, why in self.dropped if holds(vote)))


def clean(votes: Iterable[Vote], rules: QualityRules | None = None, *, kind: Kind = "human") -> Cleaned:
    """Keep the trusted votes of one kind of voter on public pairs.

    Votes of the other kind are left out, not dropped: simulated votes never mix into a human ranking. A vote has one
    reason, the first that holds; reasons that concern the voter come last.
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
    """True if a vote is not withdrawn and its two pictures differ: only such votes decide on a voter's quality."""
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
        # Last, so that analyses of pictures can keep votes that were dropped for their voter alone.
        ("both bad", vote.choice == "both_bad"),
    )
    return next((reason for reason, holds in checks if holds), None)


def _habit(votes: Sequence[Vote], rules: QualityRules) -> Reason | None:
    """Reason to drop all of a voter's votes, if any."""
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
    """Count correct and wrong answers on gold pairs; ties and skips are neither."""
    right = wrong = 0
    for vote in votes:
        gold = vote.battle.pair.gold
        if gold is not None and vote.winner is not None and _says_something(vote):
            good = vote.winner is vote.battle.pair.entries[gold]
            right, wrong = right + good, wrong + (not good)
    return right, wrong


def _bursts(votes: Sequence[Vote], rules: QualityRules) -> list[Vote]:
    """The votes in every window of `burst_seconds` that has more than `burst_votes`."""
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
    """Votes on a pair that the voter had voted on before, except planned repeats."""
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
    """Ratings of pairs for the agreement between voters: the winning contestant, regardless of its side."""
    return [
        Rating(vote.battle.pair.id, vote.battle.voter, vote.winner.contestant.label if vote.winner else "tie")
        for vote in votes
    ]


def self_agreement(votes: Iterable[Vote]) -> tuple[int, int]:
    """Number of repeated pairs (sides swapped) answered alike, and number of repeated pairs.

    Alike means the same entry, or neither both times. Skips and withdrawn votes do not count.
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
