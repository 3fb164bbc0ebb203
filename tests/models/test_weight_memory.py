"""Memory that weights take."""

from __future__ import annotations

import pytest

from hypersd.models.weight_memory import plan


@pytest.mark.parametrize(("budget", "count", "expected"), [(500, 4, "fused"), (499, 4, "shared"), (100, 0, "fused")])
def test_the_plan_is_fused_where_the_copies_fit(budget: int, count: int, expected: str) -> None:
    assert plan(budget, 100, count) == expected
