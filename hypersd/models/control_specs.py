"""Modes of control, as data. Nothing is loaded here."""

from __future__ import annotations

from enum import StrEnum


class ControlMode(StrEnum):
    """Kind of picture that a ControlNet follows: white lines on black."""

    CANNY = "canny"
    SCRIBBLE = "scribble"
