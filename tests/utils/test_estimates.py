"""Shares of votes with their intervals, and resampling."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hypersd.utils import estimates
from hypersd.utils.estimates import UNKNOWN, Estimate, clustered_wilson, percentile_interval, resamples, wilson


def test_a_value_is_known_or_not() -> None:
    assert Estimate(0.5, 0.4, 0.8, 10).reach == pytest.approx(0.2)
    assert Estimate(0.5, math.nan, math.nan, 1).known
    assert not UNKNOWN.known


def test_the_same_seed_resamples_alike_in_blocks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate(list(resamples(7, 100, seed=3)))
    monkeypatch.setattr(estimates, "_BLOCK", 50)
    blocks = list(resamples(7, 100, seed=3))
    assert len(blocks) > 1
    assert np.array_equal(np.concatenate(blocks), whole)
    assert whole.shape == (100, 7)
    assert set(whole.ravel()) == set(range(7))


def test_a_percentile_interval_holds_its_level_of_the_draws() -> None:
    assert percentile_interval(np.arange(101.0), level=0.9) == pytest.approx((5, 95))


def test_wilson_s_interval() -> None:
    """The textbook case of 8 in 10: 49.0 % to 94.3 %."""
    share = wilson(8, 10)
    assert (share.low, share.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 5).low == 0
    assert math.isnan(wilson(0, 0).value)
    with pytest.raises(ValueError, match="not a share"):
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
    with pytest.raises(ValueError, match="not a share"):
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
