"""Matchmaking: prefer the pairs whose next vote is most informative, and sometimes draw any pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNIFORM_SHARE = 0.2
"""Share of uniform draws: every pair keeps a known, positive probability, so that votes can be re-weighted."""


@dataclass(frozen=True, slots=True)
class Draw:
    """A pair of contestants, and the probability with which it was drawn."""

    first: str
    second: str
    probability: float


def pair_probabilities(
    contestants: Sequence[str],
    strengths: Mapping[str, float] | None = None,
    covariance: NDArray[np.float64] | None = None,
    counts: Mapping[tuple[str, str], int] | None = None,
) -> dict[tuple[str, str], float]:
    """The probability of each pair `(a, b)`, a before b in the order given; together they are 1.

    With strengths (log-odds) and their covariance `(n, n)`, in the order of `contestants`: in proportion to the
    expected reduction, by one more vote, of the variances of all differences of strengths. A vote on d = e_a − e_b adds
    the information w = p(1 − p), so Σ loses w·Σd dᵀΣ / (1 + w·dᵀΣd) (Sherman and Morrison 1950); this is the D-optimal
    rule of Chiang et al. 2024 (Chatbot Arena), section 5, with the trace instead of the determinant. Without strengths:
    in proportion to 1 / (votes on the pair + 5).

    Raises:
        ValueError: there are fewer than two contestants, or the covariance does not fit them.
    """
    if len(contestants) < 2:
        raise ValueError("a battle needs two contestants that can run on this machine")
    pairs = list(combinations(range(len(contestants)), 2))
    if strengths is None or covariance is None:
        seen = counts or {}
        names = [(contestants[a], contestants[b]) for a, b in pairs]
        gains = np.array([1 / (seen.get((a, b), 0) + seen.get((b, a), 0) + 5) for a, b in names])
    else:
        if covariance.shape != (len(contestants), len(contestants)):
            raise ValueError(f"a covariance of shape {covariance.shape} does not fit {len(contestants)} contestants")
        values = [strengths[name] for name in contestants]
        gains = np.array([_expected_drop(covariance, values[a] - values[b], a, b) for a, b in pairs])
    uniform = np.full(len(pairs), 1 / len(pairs))
    best = gains / gains.sum() if gains.sum() > 0 else uniform
    mixed = UNIFORM_SHARE * uniform + (1 - UNIFORM_SHARE) * best
    return {
        (contestants[a], contestants[b]): float(share) for (a, b), share in zip(pairs, mixed / mixed.sum(), strict=True)
    }


def _expected_drop(covariance: NDArray[np.float64], difference: float, a: int, b: int) -> float:
    moved = covariance[:, a] - covariance[:, b]
    probability = 1 / (1 + np.exp(-difference))
    information = probability * (1 - probability)
    variance = moved[a] - moved[b]
    # Σ over all pairs f of (fᵀΣd)² is n·Σu² − (Σu)² with u = Σd.
    spread = len(moved) * np.square(moved).sum() - moved.sum() ** 2
    return float(information * spread / (1 + information * variance))


def least_used_prompt(prompts: Sequence[str], used: Mapping[str, int], rng: Any) -> str:
    """Draw one of the prompts that were used least; `rng` is a numpy generator.

    This spreads the votes evenly over all prompts: a reward model generalises better from one vote on each of a
    hundred prompts than from a hundred votes on one.
    """
    least = min(used.get(prompt, 0) for prompt in prompts)
    rarest = [prompt for prompt in prompts if used.get(prompt, 0) == least]
    return rarest[int(rng.integers(len(rarest)))]


def draw(probabilities: Mapping[tuple[str, str], float], rng: Any) -> Draw:
    """Draw a pair; `rng` is a numpy generator."""
    pairs = list(probabilities)
    chosen = pairs[int(rng.choice(len(pairs), p=list(probabilities.values())))]
    return Draw(*chosen, probability=probabilities[chosen])
