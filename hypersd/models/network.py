"""Check whether the Hub is reachable, to avoid long timeouts."""

from __future__ import annotations

import socket
import time
from functools import lru_cache
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

_PATIENCE = 2.0
"""Timeout in seconds for each address of a server."""

_BELIEVED = 60
"""Seconds for which the result is cached: users may connect while a page is open."""


def reachable(address: str) -> bool:
    """True if a server listens at `address` (a URL). Behind a proxy only a download itself can show it."""
    there = urlsplit(address)
    if {there.scheme, "all"} & getproxies().keys() and not proxy_bypass(there.netloc):
        return True
    port = there.port or (80 if there.scheme == "http" else 443)
    return _listens(there.hostname or "", port, int(time.monotonic() // _BELIEVED))


@lru_cache(maxsize=16)
def _listens(host: str, port: int, _when: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=_PATIENCE):
            return True
    except OSError:
        return False
