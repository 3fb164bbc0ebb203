"""Anonymous and signed-in identities of the same visitors."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

_MOST = 20_000


@dataclass
class Identities:
    """Pairs of pseudonyms of one browser: by its token, and by the account that signed in there. Thread-safe.

    They are only in memory, so that no table connects them: a visitor is not shown a pair again after signing in or
    out, but their votes before and after are those of two voters.
    """

    _others: OrderedDict[str, str] = field(default_factory=OrderedDict[str, str])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def connect(self, anonymous: str, account: str) -> None:
        """Remember that a browser has both pseudonyms."""
        with self._lock:
            for name, other in ((anonymous, account), (account, anonymous)):
                self._others[name] = other
                self._others.move_to_end(name)
            while len(self._others) > _MOST:
                self._others.popitem(last=False)

    def other(self, voter: str) -> str:
        """The other pseudonym of a voter; empty if none is known."""
        return self._others.get(voter, "")
