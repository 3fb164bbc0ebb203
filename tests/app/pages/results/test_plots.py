"""Labels of a plot do not overlap."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from app.pages.results.plots import apart

PLACES = st.lists(st.tuples(st.floats(0, 640), st.floats(0, 300)), max_size=16)


@given(PLACES)
def test_labels_do_not_overlap_and_never_move_up(places: list[tuple[float, float]]) -> None:
    heights = apart(places)
    assert all(height >= y for height, (_, y) in zip(heights, places, strict=True))
    for (upper, left), (other, right) in combinations(zip(heights, places, strict=True), 2):
        assert abs(left[0] - right[0]) >= 84 or abs(upper - other) >= 13 - 1e-9


def test_labels_with_room_stay_where_they_are() -> None:
    assert apart([(10, 50), (100, 50), (10, 70)]) == [50, 50, 70]
