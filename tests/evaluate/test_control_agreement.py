"""Intersection over union of lines, within a tolerance, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from hypersd.evaluate.control_agreement import edge_iou


def column(x: int, *, height: int = 10, width: int = 20) -> np.ndarray:
    mask = np.zeros((height, width), dtype=bool)
    mask[:, x] = True
    return mask


@pytest.mark.parametrize(("x", "iou"), [(5, 1.0), (6, 1.0), (7, 1.0), (8, 0.0)])
def test_lines_match_within_two_pixels(x: int, iou: float) -> None:
    assert edge_iou(column(5), column(x)) == iou


def test_what_is_astray_and_what_is_missing_count() -> None:
    both = column(5) | column(15)
    assert edge_iou(column(5), both) == 0.5  # 10 matched, 10 astray
    assert edge_iou(both, column(5)) == 0.5  # 10 matched of 20, none astray


def test_thick_lines_gain_nothing() -> None:
    thick = np.zeros((10, 20), dtype=bool)
    thick[:] = True
    assert edge_iou(column(5), thick) == pytest.approx(10 / (10 + 10 * 15))  # 5 of 20 columns are near


def test_without_lines_there_is_nothing_to_agree_on() -> None:
    empty = np.zeros((10, 20), dtype=bool)
    assert edge_iou(empty, empty) == 1
    assert edge_iou(empty, column(5)) == edge_iou(column(5), empty) == 0
