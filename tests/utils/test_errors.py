"""An error is told in one line."""

from __future__ import annotations

from hypersd.utils.errors import gist


def test_an_error_is_told_in_one_line() -> None:
    assert gist(ValueError("there is no cat\nTraceback: much more")) == "there is no cat"
    assert gist(OSError("\n  the disk is full \n")) == "the disk is full"
    assert gist(KeyboardInterrupt()) == "KeyboardInterrupt"
