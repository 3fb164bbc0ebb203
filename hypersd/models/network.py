"""Reachability of the Hub, before anything waits for it in vain."""

from __future__ import annotations

import socket
import time
from functools import lru_cache
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

_PATIENCE = 2.0
"""Seconds until an address that does not answer is given up; a server may have several."""

_BELIEVED = 60
"""Seconds for which an answer is taken to hold: people switch networks on while a page is open."""


def reachable(address: str) -> bool:
    """Tell if something listens at `address` (a URL). Where a proxy leads there, a download itself has to tell."""
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
