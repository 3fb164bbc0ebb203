"""Rate limits of an address: a voter's name costs nothing, an address does.

Addresses come as keyed hashes (`pseudonym`), and are forgotten with the process: nothing here is stored. Each replica
counts for itself. That is enough for what this protects, the replica's own threads and models, and costs no round trip;
what a vote is worth is decided later, by the gate that is stored beside it.
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
"""The warning for whoever runs the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """The thresholds, for one address. A school class behind one of them stays below all.

    What is allowed comes back evenly: who has used up a day's share waits for seconds or minutes, not until tomorrow.

    Args:
        requests_a_minute: of any kind. Thirty people who vote every 3 seconds make 600 votes and 1,200 other requests.
        requests_a_day: thirty people who all vote as often as one of them may in a day make 90,000.
        own_a_minute: own prompts: each takes the models for a second or more.
        own_a_day: about half an hour of the models on a small machine.
        voters_an_hour: more new voters than this within an hour are not people who share an address. From the one too
            many on, whatever comes from there is marked, by old voters and new, for as long as there are as many
            within the hour. Votes that were given before stay as they were.
        many_an_hour: from so many on it is logged: they may be everybody, behind a proxy that is not known as one.
        remembered: addresses and voters that are kept in mind, the latest.
        remembered_each: voters of one address that are kept in mind, the latest; the others are new when they return.
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
        """Seconds until one more is there, 0 if one is."""
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
        """The number of voters that were new here within the last hour."""
        return sum(first >= now - _HOUR for first in self.voters.values())


@dataclass
class RateLimiter:
    """Rate limiter by client address. Thread-safe.

    Args:
        clock: seconds, never going back.
        marked: votes that `check` let fail since the start.
    """

    limits: RateLimits = field(default_factory=RateLimits)
    clock: Callable[[], float] = time.monotonic
    marked: int = field(default=0, init=False)
    _addresses: OrderedDict[str, _AddressState] = field(default_factory=OrderedDict[str, _AddressState])
    _home: OrderedDict[str, str] = field(default_factory=OrderedDict[str, str])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def retry_after(self, address: str, *, own: bool = False) -> float:
        """Count a request, one for an own prompt if `own`; seconds after which it may come again, 0 if it may now."""
        with self._lock:
            state, now = self._at(address), self.clock()
            shares = (*state.requests, *state.own) if own else state.requests
            if seconds := max(share.retry_after(now) for share in shares):
                return seconds
            for share in shares:
                share.tokens -= 1
            return 0.0

    def record_voter(self, address: str, voter: str) -> None:
        """A voter comes from an address."""
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
        """Check of a vote: `failed` if this voter's address has sent too many new ones within the last hour.

        It is asked once, when a vote comes in. `unavailable` if it is not known where they come from: after a restart,
        or for votes that came another way.
        """
        with self._lock:
            if voter not in self._home:
                return "unavailable"
            failed = self._at(self._home[voter]).fresh(self.clock()) > self.limits.voters_an_hour
            self.marked += failed
            return "failed" if failed else "ok"

    def crowded(self) -> int:
        """The largest number of voters that one address has sent within the last hour; 0 if it is not many."""
        with self._lock:
            now, many = self.clock(), self.limits.many_an_hour
            large = [one for one in self._addresses.values() if len(one.voters) >= many]
            most = max((one.fresh(now) for one in large), default=0)
            return most if most >= many else 0

    def _warn(self, address: _AddressState, now: float) -> None:
        """Log when many voters share an address, and again when their votes begin to be marked; once an hour each."""
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
