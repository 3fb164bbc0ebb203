"""Limits of a filter, and the reason for rejecting a picture: a pure function of its measurements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hypersd.training.filters.measurements import PictureMeasurement

DUPLICATE = "duplicate caption"


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterLimits:
    """Limits of a filter; None turns a limit off. The first two are SDXL-Lightning's, which the paper follows.

    Args:
        side: minimum of the smaller side in pixels.
        aesthetic: score of LAION's predictor that a picture must exceed.
        sharpness: minimum variance of the Laplacian. The paper gives no number; this one is usual for 8-bit pictures.
        duplicates: keep pictures with the same captions as an earlier picture.
    """

    side: int | None = 1024
    aesthetic: float | None = 5.5
    sharpness: float | None = 100.0
    duplicates: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Reason for rejecting a picture, with the measured value and the limit as texts."""

    reason: str
    value: str
    limit: str = ""


def rejection(measured: PictureMeasurement, limits: FilterLimits) -> Rejection | None:
    """The first reason to reject a picture, cheapest checks first; None to keep it."""
    if measured.problem is not None:
        return Rejection(reason="unreadable", value=measured.problem)
    if limits.side is not None and measured.side < limits.side:
        return Rejection(reason="side", value=str(measured.side), limit=f">= {limits.side}")
    if not measured.captions:
        return Rejection(reason="caption", value="no word is left once it is cleaned")
    if limits.sharpness is not None and not measured.sharpness >= limits.sharpness:
        return Rejection(reason="sharpness", value=f"{measured.sharpness:.2f}", limit=f">= {limits.sharpness:g}")
    if limits.aesthetic is not None and not measured.aesthetic > limits.aesthetic:
        return Rejection(reason="aesthetic", value=f"{measured.aesthetic:.3f}", limit=f"> {limits.aesthetic:g}")
    return None
