"""Limits of a filter, and the reason for which a picture is left out: a pure function of what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hypersd.training.filters.measurements import PictureMeasurement

DUPLICATE = "duplicate caption"


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterLimits:
    """Limits of a filter; None leaves one out. The first two are the paper's (SDXL-Lightning's, which it follows).

    Args:
        side: pixels that the smaller side has at least.
        aesthetic: score of LAION's predictor that a picture exceeds.
        sharpness: variance of the Laplacian that a picture has at least. The paper gives no number; this is the one
            that is usual for pictures of 8 bits.
        duplicates: keep pictures whose captions an earlier picture has.
    """

    side: int | None = 1024
    aesthetic: float | None = 5.5
    sharpness: float | None = 100.0
    duplicates: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Reason for which a picture is left out, the value that was measured, and the limit; both as texts."""

    reason: str
    value: str
    limit: str = ""


def rejection(measured: PictureMeasurement, limits: FilterLimits) -> Rejection | None:
    """The first reason to leave a picture out, the cheapest to check first; None to keep it."""
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
