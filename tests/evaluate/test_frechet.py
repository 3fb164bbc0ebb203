"""The Fréchet distance, against its closed form and another way to compute it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from hypersd.evaluate.frechet import LEAST, Moments, distance, frechet_distance
from hypersd.evaluate.intervals import Floats


def features(n: int, dimensions: int, seed: int) -> Floats:
    """Correlated features, none of them around zero."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, dimensions)) @ rng.normal(size=(dimensions, dimensions)) + rng.normal(size=dimensions)


def test_gaussians_with_diagonal_covariances_have_a_closed_form() -> None:
    first = Moments(mean=np.array([0.0, 1.0, 2.0]), covariance=np.diag([4.0, 9.0, 0.0]))
    second = Moments(mean=np.array([3.0, 1.0, 0.0]), covariance=np.diag([1.0, 16.0, 25.0]))
    expected = 9 + 4 + (2 - 1) ** 2 + (3 - 4) ** 2 + (0 - 5) ** 2
    assert distance(first, second) == pytest.approx(expected, rel=1e-12)


def test_samples_come_close_to_the_distance_of_their_gaussians() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(0, 1, size=(20_000, 8)), rng.normal(0.5, 2, size=(20_000, 8))
    assert frechet_distance(first, second) == pytest.approx(8 * (0.25 + 1), rel=0.03)


def test_it_is_the_formula_with_the_square_root_of_the_product() -> None:
    first, second = Moments.of(features(200, 16, 1)), Moments.of(features(300, 16, 2))
    root = np.real(sqrtm(first.covariance @ second.covariance))
    expected = np.square(first.mean - second.mean).sum() + np.trace(first.covariance + second.covariance - 2 * root)
    assert distance(first, second) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("n", [LEAST, 500])
def test_it_is_symmetric_and_zero_on_equal_sets_even_where_covariances_are_singular(n: int) -> None:
    first, second = features(n, 64, 1), features(n, 64, 2)
    there = frechet_distance(first, second)
    assert there > 1
    assert frechet_distance(second, first) == pytest.approx(there, rel=1e-9)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-9 * there)
    assert frechet_distance(first, first[::-1]) == pytest.approx(0, abs=1e-9 * there)


def test_it_does_not_depend_on_the_precision_of_the_features() -> None:
    first, second = features(100, 16, 1) + 1000, features(100, 16, 2) + 1000
    single = frechet_distance(first.astype(np.float32), second.astype(np.float32))
    assert single == pytest.approx(frechet_distance(first, second), rel=1e-3)


@pytest.mark.parametrize("size", [1, 7, 100])
def test_batches_have_the_moments_of_the_whole(size: int) -> None:
    whole = (features(100, 16, 1) + 1e4).astype(np.float32)
    expected = Moments.of(whole)
    moments = Moments.of_batches(whole[start : start + size] for start in range(0, 100, size))
    np.testing.assert_allclose(moments.mean, expected.mean, rtol=1e-12)
    np.testing.assert_allclose(moments.covariance, expected.covariance, rtol=1e-6, atol=1e-6)
    assert distance(moments, expected) == pytest.approx(0, abs=1e-6)


def test_batches_of_too_few_or_of_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 32 pictures, not 31"):
        Moments.of_batches([features(31, 4, 1)])
    with pytest.raises(ValueError, match="at least 32 pictures, not 0"):
        Moments.of_batches([])
    with pytest.raises(ValueError, match="finite"):
        Moments.of_batches([np.full((40, 4), np.inf)])


def test_it_is_torch_fidelity_s() -> None:
    fid = pytest.importorskip("torch_fidelity.metric_fid")
    first, second = Moments.of(features(200, 16, 1)), Moments.of(features(300, 16, 2))
    statistics = [{"mu": moments.mean, "sigma": moments.covariance} for moments in (first, second)]
    oracle = fid.fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    assert distance(first, second) == pytest.approx(oracle, rel=1e-6)


def test_fewer_pictures_lie_further_apart() -> None:
    rng = np.random.default_rng(0)
    many = rng.normal(size=(4000, 32))
    few = [frechet_distance(rng.normal(size=(n, 32)), many) for n in (40, 160, 640)]
    assert few[0] > 2 * few[1] > 4 * few[2] > 0


def test_unfit_input_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 32 pictures"):
        frechet_distance(features(31, 4, 0), features(64, 4, 1))
    with pytest.raises(ValueError, match="at least 32 pictures"):
        Moments.of(np.zeros(64))
    with pytest.raises(ValueError, match="finite"):
        Moments.of(np.full((40, 2), np.nan))
    with pytest.raises(ValueError, match="4 and of 5 dimensions"):
        frechet_distance(features(40, 4, 0), features(40, 5, 0))
