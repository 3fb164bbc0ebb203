"""Agreement of voters with each other and with themselves."""

from __future__ import annotations

import math

import evalica
import numpy as np
import pandas as pd
import pytest

from hypersd.arena.votes.agreement import Coincidences, Rating, krippendorff


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
    items, labels = (np.array([getattr(rating, name) for rating in ratings]) for name in ("item", "label"))
    interval = Coincidences.of(items, labels).interval(rounds=400)
    assert interval.value == pytest.approx(evalica_alpha, abs=1e-9)
    assert interval.low < interval.value < interval.high
    assert 0.1 < interval.high - interval.low < 0.5


def test_alpha_of_perfect_random_and_missing_agreement() -> None:
    assert krippendorff([Rating(item, voter, item % 2) for item in range(10) for voter in "ab"]) == 1
    rng = np.random.default_rng(0)
    chance = [Rating(item, voter, int(rng.integers(2))) for item in range(3000) for voter in "ab"]
    assert abs(krippendorff(chance)) < 0.06
    assert math.isnan(krippendorff([Rating(1, "a", 0), Rating(2, "b", 1)]))
