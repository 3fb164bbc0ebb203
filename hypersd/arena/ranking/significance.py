"""Significance of pairs: a test that may be looked at after every vote."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln

from hypersd.arena.ranking.counts import Float64Array, PairCounts

PRIOR = 10.0
"""a: the mixture Beta(a, a) over win rates; 10 looks for rates around 60 %."""


@dataclass(frozen=True, slots=True)
class PairTest:
    """A pair of contestants and what the votes say about it.

    Args:
        better, worse: labels, by the share of wins.
        wins, losses: decisive votes for and against `better`.
        e_value: how much more likely the votes are if one is better than if they are equal.
        settled: whether that is enough, for all pairs together.
    """

    better: str
    worse: str
    wins: float
    losses: float
    e_value: float
    settled: bool


def e_value(wins: Float64Array, losses: Float64Array, prior: float = PRIOR) -> Float64Array:
    """E = B(a + w, a + l) / B(a, a) · 2^(w + l): a win rate drawn from Beta(a, a), against one of one half.

    A non-negative martingale that starts at 1 if there is no difference, so it ever reaches 1/α with probability α at
    most, however often one looks (Ville 1939; Robbins 1970, section 3).
    """
    return np.exp(betaln(prior + wins, prior + losses) - betaln(prior, prior) + (wins + losses) * np.log(2))


def pair_tests(pair_counts: PairCounts, alpha: float = 0.05) -> list[PairTest]:
    """Every pair that has met, most certain first, with e-values' Benjamini–Hochberg procedure (Wang and Ramdas 2022).

    Of the pairs called settled, at most a share `alpha` is expected to be equal in truth. Sides are ignored: they are
    random. Voters are taken for independent, so let no voter weigh much (`PairCounts.of(weight_cap=…)`).
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
