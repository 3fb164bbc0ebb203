"""Errors as short sentences; and the one that is no error."""

from __future__ import annotations


class Cancelled(Exception):  # noqa: N818 - not an error
    """A run was cancelled; its worker is free."""


def gist(error: BaseException) -> str:
    """The first line of an error's message; its kind, if it has none. Libraries' messages often run over many lines."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
