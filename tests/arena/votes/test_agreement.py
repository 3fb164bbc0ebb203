"""Agreement of voters with each other and with themselves."""

from __future__ import annotations

import math

import evalica
import numpy as np
import pandas as pd
import pytest

from hypersd.arena.votes.agreement import Rating, clustered_wilson, krippendorff, krippendorff_interval, wilson


def test_alpha_is_evalica_s() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=60)
    table = np.where(rng.random((5, 60)) < 0.7, truth, rng.integers(3, size=(5, 60))).astype(float)
    table[rng.random((5, 60)) < 0.4] = np.nan
    ratings = [
        Rating(item, f"v{voter}", int(table[voter, item]))
        for voter in range(5)
        for item in range(60)
        if not np.isnan(table[voter, item])
    ]
    evalica_alpha = evalica.alpha(pd.DataFrame(table), distance="nominal").alpha
    assert krippendorff(ratings) == pytest.approx(evalica_alpha, abs=1e-9)
    interval = krippendorff_interval(ratings)
    assert interval.low < interval.value < interval.high
    assert 0.1 < interval.high - interval.low < 0.5


def test_alpha_knows_perfection_chance_and_nothing() -> None:
    assert krippendorff([Rating(item, voter, item % 2) for item in range(10) for voter in "ab"]) == 1
    rng = np.random.default_rng(0)
    chance = [Rating(item, voter, int(rng.integers(2))) for item in range(3000) for voter in "ab"]
    assert abs(krippendorff(chance)) < 0.06
    assert math.isnan(krippendorff([Rating(1, "a", 0), Rating(2, "b", 1)]))


def test_wilson_s_interval() -> None:
    """The textbook case of 8 in 10: 49.0 % to 94.3 %."""
    share = wilson(8, 10)
    assert (share.low, share.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 5).low == 0
    assert math.isnan(wilson(0, 0).value)
    with pytest.raises(ValueError, match="no share"):
        wilson(3, 2)


def test_one_vote_of_each_voter_has_nearly_wilsons_interval() -> None:
    share, plain = clustered_wilson([(number % 2, 1) for number in range(40)]), wilson(20, 40)
    assert (share.value, share.n) == (0.5, 40)
    assert (share.low, share.high) == pytest.approx((plain.low, plain.high), abs=0.003)


def test_one_voter_says_as_much_as_one_vote_and_nobody_nothing() -> None:
    share, of_one_vote = clustered_wilson([(30, 30)]), wilson(1, 1)
    assert (share.value, share.n) == (1.0, 30)
    assert (share.low, share.high) == pytest.approx((of_one_vote.low, of_one_vote.high))
    assert math.isnan(clustered_wilson([]).value)
    with pytest.raises(ValueError, match="no share"):
        clustered_wilson([(3, 2), (0, 2)])


def test_the_interval_of_clustered_votes_holds_what_it_promises() -> None:
    """Thirty voters of twenty votes each; every voter has a share of their own, 0.6 on average."""
    rng = np.random.default_rng(5)
    held = plain_held = 0
    for _ in range(400):
        voters = [(int(rng.binomial(20, share)), 20) for share in rng.beta(3, 2, 30)]
        clustered, plain = clustered_wilson(voters), wilson(sum(wins for wins, _ in voters), 600)
        held += clustered.low <= 0.6 <= clustered.high
        plain_held += plain.low <= 0.6 <= plain.high
    assert 0.92 <= held / 400 <= 0.98
    assert plain_held / 400 < 0.75, "as if each vote was another person's"
