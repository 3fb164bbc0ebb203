"""Profile likelihood of contrasts of the parameters, for confidence intervals.

For a nearly perfect record the likelihood is far from a parabola: a symmetric (Wald) interval is too short on one side
and too long on the other. The ends of the profile likelihood's interval do not have this fault.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hypersd.arena.ranking.counts import Float64Array
from hypersd.arena.ranking.davidson import DavidsonFit

_ITERATIONS = 60
_CHUNK = 48
_LARGEST_STEP = 3.0
_TOLERANCE = 1e-6
_ENOUGH = 1e-4
"""Tolerance of a deviance search: the expected remaining gain, which has already been subtracted."""


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """The likelihood of a fit's votes along contrasts c·β, maximised over all other directions.

    Args:
        fit: with a prior: without one the interval of a perfect record is unbounded.
        counts: of its comparisons, including the prior's, `(K, 3)`.
        covariance: the inverse of the information at the fit, `(p, p)`.
    """

    fit: DavidsonFit
    counts: Float64Array
    covariance: Float64Array

    @classmethod
    def of(cls, fit: DavidsonFit) -> Profile:
        """The profile of a fit."""
        counts = fit.design.counts(fit.pair_counts.totals())
        covariance: Float64Array = np.linalg.inv(fit.design.information(fit.beta, counts)).astype(np.float64)
        return cls(fit, counts, covariance)

    def deviances(self, contrasts: Float64Array, values: Float64Array) -> Float64Array:
        """Twice the loss of log-likelihood at c·β = value, `(b,)`, for contrasts `(b, p)` and values `(b,)`."""
        parts = [
            _search(self, contrasts[start : start + _CHUNK], values[start : start + _CHUNK], None)[1]
            for start in range(0, len(contrasts), _CHUNK)
        ]
        return np.concatenate([np.zeros(0), *parts])

    def bounds(self, contrasts: Float64Array, values: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Quadratic approximations of the deviances at β̂, and upper bounds: the deviances at the parabola's minimum."""
        away = values - contrasts @ self.fit.beta
        variances = self._variances(contrasts)
        points = self.fit.beta + contrasts @ self.covariance * (away / variances)[:, None]
        best = self.fit.design.log_likelihood(self.fit.beta, self.counts)
        parts = [
            self.fit.design.log_likelihood(some, np.broadcast_to(self.counts, (len(some), *self.counts.shape)))
            for some in (points[start : start + _CHUNK] for start in range(0, len(points), _CHUNK))
        ]
        return away**2 / variances, 2 * (best - np.concatenate([np.zeros(0), *parts]))

    def ends(self, contrasts: Float64Array, limits: Float64Array) -> tuple[Float64Array, Float64Array]:
        """The lowest and the highest c·β with a deviance of at most `limits` `(b,)`, of contrasts `(b, p)`.

        Venzon and Moolgavkar 1988: Newton's method for the end and the other parameters together.
        """
        center = contrasts @ self.fit.beta
        reach = np.sqrt(limits * self._variances(contrasts))
        both: list[Float64Array] = []
        for sign in (-1, 1):
            parts = [
                _search(self, contrasts[part], (center + sign * reach)[part], limits[part])[0]
                for part in (slice(start, start + _CHUNK) for start in range(0, len(contrasts), _CHUNK))
            ]
            both.append(np.concatenate([np.zeros(0), *parts]))
        return both[0], both[1]

    def _variances(self, contrasts: Float64Array) -> Float64Array:
        return np.einsum("bp,pq,bq->b", contrasts, self.covariance, contrasts)


def _search(
    profile: Profile, contrasts: Float64Array, values: Float64Array, limits: Float64Array | None
) -> tuple[Float64Array, Float64Array]:
    """Values and their deviances, `(b,)` each; with limits, the values at which the deviance equals the limit."""
    fit, counts = profile.fit, profile.counts
    best = fit.design.log_likelihood(fit.beta, counts)
    center = contrasts @ fit.beta
    direction = contrasts @ profile.covariance
    beta = fit.beta + direction * ((values - center) / (direction * contrasts).sum(axis=1))[:, None]
    many = np.broadcast_to(counts, (len(beta), *counts.shape))
    values, deviance = values.copy(), np.zeros(len(values))
    for _ in range(_ITERATIONS):
        slope = fit.design.gradient(beta, many)
        curvature = fit.design.information(beta, many)
        solved = np.linalg.solve(curvature, np.stack([slope, contrasts], axis=-1))
        rise, along = solved[..., 0], solved[..., 1]
        weight = (contrasts * along).sum(axis=1)
        pull = -(contrasts * rise).sum(axis=1) / weight  # the Lagrange multiplier of the constraint on c·β
        step = rise + pull[:, None] * along
        gain = (step * slope).sum(axis=1)  # twice the remaining gain from the other parameters
        deviance = 2 * (best - fit.design.log_likelihood(beta, many)) - gain
        if limits is None and gain.max(initial=0) < _ENOUGH:
            break
        move = np.zeros(len(values)) if limits is None else _move(values - center, limits - deviance, pull)
        step = step + along * (move / weight)[:, None]
        size = np.abs(step).max(axis=1)
        scale = np.minimum(1, _LARGEST_STEP / np.maximum(size, 1e-300))
        beta = beta + step * scale[:, None]
        values = values + move * scale
        if size.max(initial=0) < _TOLERANCE:
            break
    return values, deviance


def _move(distance: Float64Array, missing: Float64Array, pull: Float64Array) -> Float64Array:
    """Newton step of the value towards the limit of the deviance, whose slope is 2·pull; never past β̂."""
    away = np.where(distance < 0, -1.0, 1.0)
    outward = missing / (2 * np.maximum(away * pull, 1e-9))
    reach = np.abs(distance)
    return away * np.clip(outward, -0.7 * reach, np.maximum(2 * reach, 1))
