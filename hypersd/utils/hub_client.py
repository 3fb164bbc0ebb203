"""The Hub's client, which by itself waits for ever for a Hub that has fallen silent."""

from __future__ import annotations

from typing import Any

from huggingface_hub import get_token, set_client_factory
from huggingface_hub.utils import _http  # pyright: ignore[reportPrivateUsage]

SILENCE_SECONDS = 30.0


def logged_in_token() -> str:
    """The token of whoever is logged in on this machine.

    Raises:
        ValueError: nobody is.
    """
    token = get_token()
    if token is None:
        raise ValueError("nobody is logged in on this machine; do so with `hf auth login`, or set HF_TOKEN")
    return token


def limit_silence(seconds: float = SILENCE_SECONDS) -> None:
    """Let requests to the Hub fail if it is silent for so many seconds; call it before this process's first request."""

    def client() -> Any:
        # The client that it would make itself is public nowhere.
        limited = _http.default_client_factory()
        limited.timeout = seconds
        return limited

    set_client_factory(client)
