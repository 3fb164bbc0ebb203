"""What one address may do: a voter's name costs nothing, an address does.

Addresses come as keyed hashes (`pseudonym`), and are forgotten with the process: nothing here is stored. Each replica
counts for itself. That is enough for what this protects, the replica's own threads and models, and costs no round trip;
what a vote is worth is decided later, by the gate that is stored beside it.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from hypersd.arena.battle import Gate


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """The thresholds, for one address. A school class behind one of them stays below all.

    Args:
        requests_a_minute: of any kind. Thirty people who vote every 3 seconds make 600 votes and 1,200 other requests.
        own_a_minute: own prompts: each takes the models for a second or more.
        voters_an_hour: more new voters than this within an hour are not people who share an address; whatever all of
            them vote in that time is marked.
        remembered: addresses and voters that are kept in mind, the latest.
    """

    requests_a_minute: int = 2400
    own_a_minute: int = 20
    voters_an_hour: int = 100
    remembered: int = 20_000


@dataclass
class _Address:
    """What is left to an address, as of a moment, and since when it has sent which voters."""

    requests: float
    own: float
    moment: float
    voters: dict[str, float] = field(default_factory=dict[str, float])


@dataclass
class Crowd:
    """Counts what comes from where. Thread-safe.

    Args:
        clock: seconds, never going back.
    """

    allowance: Allowance = field(default_factory=Allowance)
    clock: Callable[[], float] = time.monotonic
    _addresses: OrderedDict[str, _Address] = field(default_factory=OrderedDict[str, _Address])
    _home: OrderedDict[str, str] = field(default_factory=OrderedDict[str, str])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, address: str, *, own: bool = False) -> float:
        """Count a request, one for an own prompt if `own`; seconds after which it may come again, 0 if it may now."""
        with self._lock:
            found = self._at(address)
            if found.requests < 1:
                return (1 - found.requests) * 60 / self.allowance.requests_a_minute
            if own and found.own < 1:
                return (1 - found.own) * 60 / self.allowance.own_a_minute
            found.requests -= 1
            found.own -= own
            return 0.0

    def note(self, address: str, voter: str) -> None:
        """A voter comes from an address."""
        with self._lock:
            self._at(address).voters.setdefault(voter, self.clock())
            self._home[voter] = address
            self._home.move_to_end(voter)
            while len(self._home) > self.allowance.remembered:
                self._home.popitem(last=False)

    def check(self, voter: str) -> Gate:
        """A gate for the desk: `failed` if this voter's address has sent too many new ones within an hour.

        `unavailable` if it is not known where they come from: after a restart, or for votes that came another way.
        """
        with self._lock:
            if voter not in self._home:
                return "unavailable"
            found = self._at(self._home[voter])
            since = self.clock() - 3600
            found.voters = {name: first for name, first in found.voters.items() if first >= since}
            return "failed" if len(found.voters) > self.allowance.voters_an_hour else "ok"

    def _at(self, address: str) -> _Address:
        now, most = self.clock(), self.allowance
        found = self._addresses.setdefault(address, _Address(most.requests_a_minute, most.own_a_minute, now))
        passed = (now - found.moment) / 60
        found.requests = min(most.requests_a_minute, found.requests + passed * most.requests_a_minute)
        found.own = min(most.own_a_minute, found.own + passed * most.own_a_minute)
        found.moment = now
        self._addresses.move_to_end(address)
        while len(self._addresses) > most.remembered:
            self._addresses.popitem(last=False)
        return found
