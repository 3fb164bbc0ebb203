"""Names of the files that a comparison leaves in its folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hypersd.sampling.request import Run

COMPARISON, GRID, SWEEP = "comparison.json", "grid.png", "sweep.csv"
"""The record, the picture of all pictures, and the numbers of a sweep."""


def picture_files(runs: Sequence[Run], seeds: Sequence[int]) -> dict[tuple[str, int | None, int], str]:
    """Names of the pictures, by model, steps and seed.

    Without the steps where a model runs at one number of them, and without the seed where there is but one.
    """
    often = Counter(run.model for run in runs)
    return {
        (run.model, run.steps, seed): "-".join(
            [
                run.model,
                *([str(run.steps)] if often[run.model] > 1 else []),
                *([f"seed-{seed}"] if len(seeds) > 1 else []),
            ]
        )
        + ".png"
        for run in runs
        for seed in seeds
    }
