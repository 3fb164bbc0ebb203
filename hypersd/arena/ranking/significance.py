"""Significance of pairs: an anytime-valid test, which may be read after every vote."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln

from hypersd.arena.ranking.counts import Float64Array, PairCounts

PRIOR = 10.0
"""a of the mixture Beta(a, a) over win rates; 10 is most sensitive to rates around 60 %."""


@dataclass(frozen=True, slots=True)
class PairTest:
    """Test of a pair of contestants.

    Args:
        better, worse: labels, by the share of wins.
        wins, losses: decisive votes for and against `better`.
        e_value: evidence against equality.
        settled: whether the pair differs significantly, corrected for all pairs.
    """

    better: str
    worse: str
    wins: float
    losses: float
    e_value: float
    settled: bool


def e_value(wins: Float64Array, losses: Float64Array, prior: float = PRIOR) -> Float64Array:
    """E = B(a + w, a + l) / B(a, a) · 2^(w + l): a win rate drawn from Beta(a, a) against a rate of one half.

    Under equality it is a non-negative martingale that starts at 1, so the probability that it ever reaches 1/α is at
    most α, however often one looks (Ville 1939; Robbins 1970, section 3).
    """
    return np.exp(betaln(prior + wins, prior + losses) - betaln(prior, prior) + (wins + losses) * np.log(2))


def pair_tests(pair_counts: PairCounts, alpha: float = 0.05) -> list[PairTest]:
    """Tests of every pair that has met, most certain first, with the e-BH procedure (Wang and Ramdas 2022).

    The expected share of equal pairs among the settled ones is at most `alpha`. Sides are ignored because they are
    random. Votes are assumed to be independent, so limit each voter's weight (`PairCounts.of(weight_cap=…)`).
    """
    won = pair_counts.wins()
    met = won + won.T + pair_counts.ties()
    first, second = np.nonzero(np.triu(met))
    wins, losses = won[first, second], won[second, first]
    evidence = e_value(wins, losses)
    order = np.argsort(-evidence, kind="stable")
    count = len(order)
    enough = evidence[order] * np.arange(1, count + 1) >= count / alpha
    limit = int(np.nonzero(enough)[0].max(initial=-1)) + 1
    tests: list[PairTest] = []
    for place, index in enumerate(order):
        row, other = pair_counts.contestants[first[index]], pair_counts.contestants[second[index]]
        w, lost = float(wins[index]), float(losses[index])
        better, worse = (row, other) if w >= lost else (other, row)
        tests.append(PairTest(better, worse, max(w, lost), min(w, lost), float(evidence[index]), place < limit))
    return tests
