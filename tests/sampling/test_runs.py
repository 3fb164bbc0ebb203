"""Runs, from a choice of models and numbers of steps."""

from __future__ import annotations

import pytest

from hypersd.models.specs import Family
from hypersd.sampling.request import Run
from hypersd.sampling.runs import expand


def test_a_choice_is_spelt_out(emoji: Family) -> None:
    assert expand(emoji, ["hyper"], [1, 2]) == (Run(model="hyper", steps=1), Run(model="hyper", steps=2))
    assert {run.model for run in expand(emoji, None, [50])} == {"base"}
    with pytest.raises(ValueError, match="does not run at 50"):
        expand(emoji, ["hyper"], [50])
    with pytest.raises(ValueError, match="runs at 51 steps"):
        expand(emoji, None, [51])
    with pytest.raises(ValueError, match="unknown model"):
        expand(emoji, ["hypr"], None)
