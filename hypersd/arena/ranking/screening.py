"""The rules of `quality` for votes in columns: the same reasons, for a million votes in a second."""

from __future__ import annotations

from typing import get_args

import numpy as np
from numpy.typing import NDArray

from hypersd.arena.ranking.columns import PURPOSES, Truths, VoteColumns
from hypersd.arena.votes.agreement import Coincidences
from hypersd.arena.votes.quality import QualityRules, Reason

REASONS: tuple[Reason, ...] = get_args(Reason)
COUNTS = -1

Reasons = NDArray[np.int8]
"""Reason for each vote that does not count, an index in `REASONS`; −1 if the vote counts, `(N,)`."""


def screen(votes: VoteColumns, rules: QualityRules | None = None) -> Reasons:
    """The reason of each vote, as `quality.clean` gives it; all votes are of one kind of voter."""
    rules = rules or QualityRules()
    says = ~votes.withdrawn & ~_identical(votes)
    fast = (votes.decision_ms >= 0) & (votes.decision_ms < rules.impossible_ms)
    checks: tuple[tuple[Reason, Truths], ...] = (
        ("withdrawn", votes.withdrawn),
        ("identical", _identical(votes)),
        ("gold pair", votes.purpose.codes == PURPOSES.index("gold")),
        ("repeat", votes.purpose.codes == PURPOSES.index("repeat")),
        ("own prompt", votes.owned),
        ("skipped", votes.chose("skip")),
        ("gate", votes.failed),
        ("too fast", fast),
        ("seen before", _where(says, _seen_before(votes[says]))),
        ("burst", _where(says, _bursts(votes[says], rules))),
        ("both bad", votes.chose("both_bad")),
    )
    names = [REASONS.index(reason) for reason, _ in checks]
    habits = _habits(votes[says], rules)[votes.voter.codes]
    return np.select([holds for _, holds in checks], names, habits).astype(np.int8)


def _identical(votes: VoteColumns) -> Truths:
    return votes.left_picture.codes == votes.right_picture.codes


def _where(chosen: Truths, holds: Truths) -> Truths:
    """Spread a mask of the chosen votes over all votes; it is false for the others."""
    every = np.zeros(len(chosen), dtype=bool)
    every[chosen] = holds
    return every


def _habits(votes: VoteColumns, rules: QualityRules) -> Reasons:
    """Reason to drop all votes of each voter, `(voters,)`."""
    voters = len(votes.voter.values)

    def count(which: Truths) -> NDArray[np.int64]:
        return np.bincount(votes.voter.codes[which], minlength=voters)

    decisive, left = votes.chose("left", "right"), votes.chose("left")
    gold = decisive & (votes.gold >= 0)
    right = count(gold & (left == (votes.gold == 0)))
    tested, given, lefts = count(gold), count(decisive), count(left)
    failed = (tested >= rules.least_gold) & ((3 + right) / (4 + tested) < rules.gold_accuracy)
    timed = count(decisive & (votes.decision_ms >= 0))
    snaps = count(decisive & (votes.decision_ms >= 0) & (votes.decision_ms < rules.fast_ms))
    judged = given >= rules.least_votes
    hasty = judged & (timed >= rules.least_votes) & (snaps > rules.snap_share * timed)
    one_sided = judged & (np.maximum(lefts, given - lefts) >= rules.one_sided_share * given)
    names = [REASONS.index(reason) for reason in ("failed gold pairs", "hasty voter", "one-sided")]
    return np.select([failed, hasty, one_sided], names, COUNTS).astype(np.int8)


def _bursts(votes: VoteColumns, rules: QualityRules) -> Truths:
    """Mask of the votes within a window of `burst_seconds` that has more than `burst_votes` of one voter."""
    order = np.lexsort((votes.voted, votes.voter.codes))
    voter, voted, size = votes.voter.codes[order], votes.voted[order], rules.burst_votes
    last = max(0, len(order) - size)
    full = (voter[size:] == voter[:last]) & (voted[size:] - voted[:last] <= rules.burst_seconds * 10**6)
    edges = np.zeros(len(order) + 1, dtype=np.int64)
    starts = np.flatnonzero(full)
    np.add.at(edges, starts, 1)
    np.add.at(edges, starts + size + 1, -1)
    value = np.zeros(len(order), dtype=bool)
    value[order] = np.cumsum(edges)[:-1] > 0
    return value


def _seen_before(votes: VoteColumns) -> Truths:
    """Mask of the votes on a pair that the voter had voted on before, except planned repeats."""
    planned = votes.purpose.codes == PURPOSES.index("repeat")
    key = votes.voter.codes.astype(np.int64) * max(1, len(votes.pair.values)) + votes.pair.codes
    rows = np.flatnonzero(~planned)
    rows = rows[np.lexsort((votes.voted[rows], key[rows]))]
    value = np.zeros(len(votes), dtype=bool)
    value[rows[1:]] = key[rows[1:]] == key[rows[:-1]]
    return value


def coincidences(kept: VoteColumns) -> Coincidences:
    """Ratings of pairs for the agreement between voters: the winning contestant, regardless of its side."""
    winner = kept.winner(kept.left, kept.right)
    _, first, item = np.unique(kept.pair.codes, return_index=True, return_inverse=True)
    place = np.argsort(np.argsort(first))  # in the order of the pairs' first votes, not of their codes
    return Coincidences.of(place[item], np.where(winner < 0, len(kept.left.values), winner))


def repeated_alike(votes: VoteColumns) -> tuple[int, int]:
    """Number of repeated pairs answered alike, and number of repeated pairs, as `quality.self_agreement`."""
    stands = votes[~votes.withdrawn & ~_identical(votes)]
    picture = stands.winner(stands.left_picture, stands.right_picture)
    row = np.full(len(stands.battle.values) + 1, -1)
    row[stands.battle.codes] = np.arange(len(stands))
    first = row[stands.repeat_of.codes]  # the last of `row` is −1, for votes that are not repeats
    again = np.flatnonzero(first >= 0)
    again = again[~stands.chose("skip")[again] & ~stands.chose("skip")[first[again]]]
    return int((picture[again] == picture[first[again]]).sum()), len(again)


def seconds_of(votes: VoteColumns) -> dict[str, float]:
    """Median time of each contestant's pictures, if known."""
    contestant = np.stack([votes.left.codes, votes.right.codes], axis=1).ravel()
    seconds = votes.seconds.ravel()
    rows = np.flatnonzero(~np.isnan(seconds))
    rows = rows[np.argsort(contestant[rows], kind="stable")]
    names, starts = np.unique(contestant[rows], return_index=True)
    parts = np.split(seconds[rows], starts[1:])
    labels = votes.left.texts()
    return {labels[name]: float(np.median(part)) for name, part in zip(names, parts, strict=False)}
