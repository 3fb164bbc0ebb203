"""The Fréchet distance between two sets of pictures, by their features (Heusel et al. 2017, "FID").

The distance is that of the two Gaussians with the sets' means and covariances (Dowson and Landau 1982),

    |m₁ - m₂|² + tr(C₁ + C₂ - 2 (C₁ C₂)^½).

It is biased: of few pictures a covariance is known badly, and that alone puts two sets of one kind apart, by roughly
a constant over N (Chong and Forsyth 2020). So distances can be compared only at equal N, and a small one means little
without the distance of N real pictures, which `reference.Reference.floor` gives. And it depends on the features: with
those of a family's own CLIP it has nothing to do with the FIDs of papers, which take an Inception network's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hypersd.evaluate.intervals import Floats

LEAST = 32
"""Pictures below which no distance is given: it would be nearly all bias."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Moments:
    """Moments of the features of a set of pictures: the `mean` `(D,)` and `covariance` `(D, D)`."""

    mean: Floats
    covariance: Floats

    @classmethod
    def of(cls, features: Floats) -> Moments:
        """The moments of features `(N, D)`, in float64; the covariance divides by N - 1.

        Raises:
            ValueError: there are fewer than `LEAST` pictures, or features that are not finite numbers.
        """
        if features.ndim != 2 or len(features) < LEAST:
            raise ValueError(
                f"a Fréchet distance needs the features of at least {LEAST} pictures, (N, D), not {features.shape}"
            )
        exact = features.astype(np.float64)
        if not np.isfinite(exact).all():
            raise ValueError("a Fréchet distance needs finite features, and some are not")
        mean = exact.mean(axis=0)
        centred = exact - mean
        return cls(mean=mean, covariance=centred.T @ centred / (len(exact) - 1))

    @classmethod
    def of_batches(cls, batches: Iterable[Floats]) -> Moments:
        """The moments of features that come in batches `(B, D)`, none of which is kept.

        Raises:
            ValueError: as `of`.
        """
        count, shift, total, products = 0, np.zeros(0), np.zeros(0), np.zeros((0, 0))
        for batch in batches:
            exact = batch.astype(np.float64)
            if not np.isfinite(exact).all():
                raise ValueError("a Fréchet distance needs finite features, and some are not")
            if not count:  # near the mean, so that nothing cancels
                shift = exact.mean(axis=0)
                total, products = np.zeros_like(shift), np.zeros((shift.size, shift.size))
            count += len(exact)
            total += (exact - shift).sum(axis=0)
            products += (exact - shift).T @ (exact - shift)
        if count < LEAST:
            raise ValueError(f"a Fréchet distance needs at least {LEAST} pictures, not {count}")
        mean = total / count
        return cls(mean=shift + mean, covariance=(products - count * np.outer(mean, mean)) / (count - 1))


def distance(first: Moments, second: Moments) -> float:
    """The squared Fréchet distance of two Gaussians, which is what is called FID; never negative.

    Raises:
        ValueError: their features have not the same number of dimensions.
    """
    if first.mean.shape != second.mean.shape:
        raise ValueError(f"features of {first.mean.size} and of {second.mean.size} dimensions cannot be compared")
    # The trace of (C₁ C₂)^½ is the sum of the singular values of C₁^½ C₂^½. Unlike a square root of the product, which
    # is not symmetric, that stays real and exact where covariances are singular: with fewer pictures than dimensions.
    shared = np.linalg.svd(_root(first.covariance) @ _root(second.covariance), compute_uv=False).sum()
    apart = float(np.square(first.mean - second.mean).sum())
    return max(0.0, apart + float(np.trace(first.covariance) + np.trace(second.covariance) - 2 * shared))


def frechet_distance(features: Floats, others: Floats) -> float:
    """The distance between two sets of pictures, by their features `(N, D)` and `(M, D)`.

    Raises:
        ValueError: there are too few pictures in one of them (see `LEAST`), or the features do not fit each other.
    """
    return distance(Moments.of(features), Moments.of(others))


def _root(covariance: Floats) -> Floats:
    """The symmetric square root; eigenvalues that rounding made negative count as zero."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
