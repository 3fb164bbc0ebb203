"""Rate limits by client address: new voter names are free, new addresses are not.

Addresses are keyed hashes (`pseudonym`), kept in memory only. Each replica counts separately: that is enough to protect
its own threads and models, and needs no network request. The result of the check is stored with each vote, and later
decides whether the vote counts.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from hypersd.arena.votes.battle import CheckResult

log = logging.getLogger(__name__)

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0
"""In seconds."""


SHARED = (
    "{voters:,} voters within an hour share one address; votes from an address with more than {most:,} do not count. "
    "If that address is your proxy's (Docker, nginx), name the proxy in HYPERSD_TRUSTED_PROXIES"
)
"""Warning for the page's operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """Limits for one address. A school class that shares an address stays below all of them.

    Tokens refill evenly: after a day's limit is used up, the wait is seconds or minutes, not until tomorrow.

    Args:
        requests_a_minute: of any kind. Thirty people who vote every 3 seconds make 600 votes and 1,200 other requests.
        requests_a_day: thirty people who all reach the daily limit of one voter make 90,000.
        own_a_minute: own prompts: each occupies the models for a second or more.
        own_a_day: about half an hour of the models on a small machine.
        voters_an_hour: more new voters than this within an hour are not people who share an address. While the number
            is exceeded, all votes from the address are marked, also those of known voters. Earlier votes are not.
        many_an_hour: number of voters from which a warning is logged: the address may be that of an unknown proxy.
        remembered: number of addresses and of voters kept in memory, the latest.
        remembered_each: number of voters kept in memory per address, the latest; others count as new when they return.
    """

    requests_a_minute: int = 2400
    requests_a_day: int = 100_000
    own_a_minute: int = 20
    own_a_day: int = 600
    voters_an_hour: int = 100
    many_an_hour: int = 50
    remembered: int = 20_000
    remembered_each: int = 400


@dataclass
class _TokenBucket:
    """Token bucket of `capacity`, refilled evenly over `seconds`; `moment` is the last refill."""

    capacity: int
    seconds: float
    moment: float
    tokens: float = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = self.capacity

    def retry_after(self, now: float) -> float:
        """Seconds until a token is available, 0 if one is."""
        self.tokens = min(self.capacity, self.tokens + (now - self.moment) * self.capacity / self.seconds)
        self.moment = now
        return max(0.0, (1 - self.tokens) * self.seconds / self.capacity)


@dataclass
class _AddressState:
    """Token buckets of one client address, and its voters with the time each was first seen (newest last)."""

    requests: tuple[_TokenBucket, _TokenBucket]
    own: tuple[_TokenBucket, _TokenBucket]
    voters: dict[str, float] = field(default_factory=dict[str, float])
    warned: float = -math.inf

    def fresh(self, now: float) -> int:
        """Number of voters that were first seen here within the last hour."""
        return sum(first >= now - _HOUR for first in self.voters.values())


@dataclass
class RateLimiter:
    """Rate limiter by client address. Thread-safe.

    Args:
        clock: monotonic time in seconds.
        marked: number of votes that failed `check` since the start.
    """

    limits: RateLimits = field(default_factory=RateLimits)
    clock: Callable[[], float] = time.monotonic
    marked: int = field(default=0, init=False)
    _addresses: OrderedDict[str, _AddressState] = field(default_factory=OrderedDict[str, _AddressState])
    _home: OrderedDict[str, str] = field(default_factory=OrderedDict[str, str])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def retry_after(self, address: str, *, own: bool = False) -> float:
        """Count a request (for an own prompt if `own`); seconds until it may be retried, 0 if it is allowed now."""
        with self._lock:
            state, now = self._at(address), self.clock()
            shares = (*state.requests, *state.own) if own else state.requests
            if seconds := max(share.retry_after(now) for share in shares):
                return seconds
            for share in shares:
                share.tokens -= 1
            return 0.0

    def record_voter(self, address: str, voter: str) -> None:
        """Record that a voter uses an address."""
        with self._lock:
            state, now = self._at(address), self.clock()
            voters = state.voters
            if voter not in voters:
                voters[voter] = now
                self._warn(state, now)
            if len(voters) > self.limits.remembered_each:
                del voters[next(iter(voters))]
            self._home[voter] = address
            self._home.move_to_end(voter)
            while len(self._home) > self.limits.remembered:
                self._home.popitem(last=False)

    def check(self, voter: str) -> CheckResult:
        """Check of a new vote: `failed` if this voter's address had too many new voters within the last hour.

        `unavailable` if the voter's address is unknown: after a restart, or for votes not given on the page.
        """
        with self._lock:
            if voter not in self._home:
                return "unavailable"
            failed = self._at(self._home[voter]).fresh(self.clock()) > self.limits.voters_an_hour
            self.marked += failed
            return "failed" if failed else "ok"

    def crowded(self) -> int:
        """Largest number of new voters of one address within the last hour; 0 if below the warning limit."""
        with self._lock:
            now, many = self.clock(), self.limits.many_an_hour
            large = [one for one in self._addresses.values() if len(one.voters) >= many]
            most = max((one.fresh(now) for one in large), default=0)
            return most if most >= many else 0

    def _warn(self, address: _AddressState, now: float) -> None:
        """Log when many voters share an address, and again when their votes are marked; each once an hour at most."""
        most, count = self.limits, address.fresh(now)
        if count == most.voters_an_hour + 1 or (count >= most.many_an_hour and now - address.warned >= _HOUR):
            address.warned = now
            log.warning(SHARED.format(voters=count, most=most.voters_an_hour))

    def _at(self, address: str) -> _AddressState:
        most = self.limits
        if address not in self._addresses:
            self._addresses[address] = _AddressState(
                (self._bucket(most.requests_a_minute, _MINUTE), self._bucket(most.requests_a_day, _DAY)),
                (self._bucket(most.own_a_minute, _MINUTE), self._bucket(most.own_a_day, _DAY)),
            )
        self._addresses.move_to_end(address)
        while len(self._addresses) > most.remembered:
            self._addresses.popitem(last=False)
        return self._addresses[address]

    def _bucket(self, most: int, seconds: float) -> _TokenBucket:
        return _TokenBucket(most, seconds, self.clock())
