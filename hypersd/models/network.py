"""Whether the Hub can be reached, before anything waits for it in vain."""

from __future__ import annotations

import socket
import time
from functools import lru_cache
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

_PATIENCE = 2.0
"""Seconds until a server that does not answer is given up."""

_BELIEVED = 60
"""Seconds for which an answer is taken to hold: people switch networks on while a page is open."""


def reachable(address: str) -> bool:
    """Whether something listens where `address` (a URL) leads: there, or at the environment's proxy for it."""
    there = urlsplit(address)
    if not proxy_bypass(there.netloc):
        there = urlsplit(getproxies().get(there.scheme, address))
    port = there.port or (80 if there.scheme == "http" else 443)
    return _listens(there.hostname or "", port, int(time.monotonic() // _BELIEVED))


@lru_cache(maxsize=16)
def _listens(host: str, port: int, _when: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=_PATIENCE):
            return True
    except OSError:
        return False
