"""Errors as short sentences, and the exception for cancelled runs."""

from __future__ import annotations


class Cancelled(Exception):  # noqa: N818 - not an error
    """A run was cancelled; its worker is free."""


def gist(error: BaseException) -> str:
    """The first line of an error's message, or its class if the message is empty: libraries' messages can be long."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
