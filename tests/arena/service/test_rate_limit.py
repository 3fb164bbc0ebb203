"""Rate limits of an address: requests, waiting times, and marked voters."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from hypersd.arena.service.rate_limit import RateLimiter, RateLimits


@dataclass
class Clock:
    """A clock in seconds, set by the test."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_school_class_behind_one_address_is_never_limited(clock: Clock) -> None:
    rate_limiter = RateLimiter(clock=clock)
    for _ in range(200):  # ten minutes
        for pupil in range(30):
            for _ in range(3):  # a vote, a draw, a reveal
                assert rate_limiter.retry_after("school") == 0
            rate_limiter.record_voter("school", f"pupil-{pupil}")
            assert rate_limiter.check(f"pupil-{pupil}") == "ok"
        clock.now += 3


def test_only_the_flooding_address_is_limited(clock: Clock) -> None:
    rate_limiter = RateLimiter(RateLimits(requests_a_minute=60), clock)
    assert [rate_limiter.retry_after("flood") for _ in range(60)] == [0.0] * 60
    assert rate_limiter.retry_after("flood") == pytest.approx(1.0)
    assert rate_limiter.retry_after("somebody else") == 0
    clock.now += 1.001
    assert rate_limiter.retry_after("flood") == 0
    assert rate_limiter.retry_after("flood") > 0


def test_own_prompts_have_a_lower_limit(clock: Clock) -> None:
    rate_limiter = RateLimiter(RateLimits(own_a_minute=2), clock)
    assert [rate_limiter.retry_after("a", own=True) for _ in range(2)] == [0, 0]
    assert rate_limiter.retry_after("a", own=True) == pytest.approx(30)
    assert rate_limiter.retry_after("a") == 0, "votes are still allowed"


def test_voters_of_an_address_that_sends_too_many_new_ones_are_marked_for_an_hour(clock: Clock) -> None:
    rate_limiter = RateLimiter(RateLimits(voters_an_hour=3), clock)
    for number in range(4):
        rate_limiter.record_voter("farm", f"voter-{number}")
        rate_limiter.record_voter("home", "somebody")
    assert {rate_limiter.check(f"voter-{number}") for number in range(4)} == {"failed"}
    assert rate_limiter.check("somebody") == "ok"
    assert rate_limiter.check("a stranger") == "unavailable"
    clock.now += 3601
    assert rate_limiter.check("voter-0") == "ok"


def test_old_addresses_are_forgotten(clock: Clock) -> None:
    rate_limiter = RateLimiter(RateLimits(requests_a_minute=1, remembered=2), clock)
    rate_limiter.record_voter("a", "first")
    for address in "abc":
        assert rate_limiter.retry_after(address) == 0
        rate_limiter.record_voter(address, f"voter of {address}")
    assert rate_limiter.retry_after("a") == 0, "like a new address"
    assert rate_limiter.check("first") == "unavailable"


def test_the_daily_limit_refills_evenly(clock: Clock) -> None:
    rate_limiter = RateLimiter(RateLimits(own_a_minute=10, own_a_day=12), clock)
    for _ in range(2):
        while rate_limiter.retry_after("a", own=True) == 0:
            clock.now += 6
    clock.now += 600
    assert 0 < rate_limiter.retry_after("a", own=True) <= 86_400 / 12
    assert rate_limiter.retry_after("a") == 0, "votes are still allowed"
    clock.now += 86_400
    assert rate_limiter.retry_after("a", own=True) == 0


def test_a_school_class_that_votes_all_day_stays_below_the_daily_limit(clock: Clock) -> None:
    rate_limiter = RateLimiter(clock=clock)
    for _ in range(30 * 1000):
        for _ in range(3):
            assert rate_limiter.retry_after("school") == 0
        clock.now += 0.3  # all pupils together make a vote ten times every three seconds


def test_rejected_requests_use_no_tokens(clock: Clock) -> None:
    rate_limiter = RateLimiter(RateLimits(requests_a_minute=60, own_a_minute=1), clock)
    for _ in range(100):
        rate_limiter.retry_after("a", own=True)
    assert [rate_limiter.retry_after("a") for _ in range(59)] == [0.0] * 59
    assert rate_limiter.retry_after("a") > 0


def test_memory_for_voters_of_one_address_is_bounded(clock: Clock) -> None:
    rate_limiter = RateLimiter(RateLimits(voters_an_hour=3, remembered_each=5), clock)
    for number in range(1000):
        rate_limiter.record_voter("farm", f"voter-{number}")
    assert len(rate_limiter._addresses["farm"].voters) == 5
    assert rate_limiter.check("voter-999") == "failed"


def test_returning_voters_are_not_new(clock: Clock) -> None:
    rate_limiter = RateLimiter(RateLimits(voters_an_hour=3), clock)
    for _ in range(3):  # two in each of three hours
        clock.now += 3601
        for number in range(2):
            rate_limiter.record_voter("home", f"voter-{number}")
            assert rate_limiter.check(f"voter-{number}") == "ok"
    for number in range(3):
        rate_limiter.record_voter("home", f"guest-{number}")
    assert rate_limiter.check("voter-0") == "ok", "three of the five are new"


def test_many_voters_of_one_address_are_logged_before_their_votes_are_marked_and_then(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    rate_limiter = RateLimiter(clock=clock)
    for number in range(49):
        rate_limiter.record_voter("203.0.113.9", f"voter-{number}")
        rate_limiter.record_voter("203.0.113.9", f"voter-{number}")
    assert (rate_limiter.crowded(), caplog.messages) == (0, [])
    rate_limiter.record_voter("203.0.113.9", "voter-49")
    assert rate_limiter.crowded() == 50
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("50 voters within an hour share one address")
    assert "more than 100" in caplog.messages[0]
    assert "HYPERSD_TRUSTED_PROXIES" in caplog.messages[0]
    for number in range(50, 130):
        rate_limiter.record_voter("203.0.113.9", f"voter-{number}")
        rate_limiter.check(f"voter-{number}")
    assert (rate_limiter.crowded(), rate_limiter.marked) == (130, 30), "votes 101 to 130"
    assert len(caplog.messages) == 2
    assert caplog.messages[1].startswith("101 voters")
    clock.now += 3601
    assert rate_limiter.crowded() == 0
    assert "203.0.113" not in caplog.text, "no address is logged"
