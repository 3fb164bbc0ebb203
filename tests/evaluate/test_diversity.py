"""Diversity of pictures of one prompt."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from hypersd.evaluate.diversity import distances


def test_the_mean_of_the_distances_is_that_over_all_pairs() -> None:
    features = np.random.default_rng(0).normal(size=(7, 5)) + 0.5
    directions = features / np.linalg.norm(features, axis=1, keepdims=True)
    pairs = [1 - directions[one] @ directions[other] for one, other in combinations(range(7), 2)]
    assert distances(features).mean() == pytest.approx(np.mean(pairs))
    alone = [1 - directions[0] @ directions[other] for other in range(1, 7)]
    assert distances(features)[0] == pytest.approx(np.mean(alone))


def test_only_the_direction_counts() -> None:
    same = np.array([[1.0, 2.0], [3.0, 6.0], [0.5, 1.0]], dtype=np.float32)
    np.testing.assert_allclose(distances(same), 0, atol=1e-7)
    np.testing.assert_allclose(distances(np.eye(3)), 1)
    np.testing.assert_allclose(distances(np.array([[1.0, 0.0], [-2.0, 0.0]])), 2)


@pytest.mark.parametrize("features", [np.ones((1, 4)), np.ones((0, 4)), np.ones(4)])
def test_unfit_input_is_refused(features: np.ndarray) -> None:
    with pytest.raises(ValueError, match="two pictures"):
        distances(features)
