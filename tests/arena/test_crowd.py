"""What one address may do, how long it has to wait, and which voters are marked."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from hypersd.arena.crowd import Allowance, Crowd


@dataclass
class Clock:
    """Seconds that pass when they are told to."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_class_behind_one_address_is_never_held_up(clock: Clock) -> None:
    crowd = Crowd(clock=clock)
    for _ in range(200):  # ten minutes
        for pupil in range(30):
            for _ in range(3):  # a vote, a draw, a reveal
                assert crowd.wait("school") == 0
            crowd.note("school", f"pupil-{pupil}")
            assert crowd.check(f"pupil-{pupil}") == "ok"
        clock.now += 3


def test_a_flood_has_to_wait_and_others_need_not(clock: Clock) -> None:
    crowd = Crowd(Allowance(requests_a_minute=60), clock)
    assert [crowd.wait("flood") for _ in range(60)] == [0.0] * 60
    assert crowd.wait("flood") == pytest.approx(1.0)
    assert crowd.wait("somebody else") == 0
    clock.now += 1.001
    assert crowd.wait("flood") == 0
    assert crowd.wait("flood") > 0


def test_own_prompts_are_dearer(clock: Clock) -> None:
    crowd = Crowd(Allowance(own_a_minute=2), clock)
    assert [crowd.wait("a", own=True) for _ in range(2)] == [0, 0]
    assert crowd.wait("a", own=True) == pytest.approx(30)
    assert crowd.wait("a") == 0, "votes go on"


def test_voters_of_an_address_that_sends_too_many_new_ones_are_marked_for_an_hour(clock: Clock) -> None:
    crowd = Crowd(Allowance(voters_an_hour=3), clock)
    for number in range(4):
        crowd.note("farm", f"voter-{number}")
        crowd.note("home", "somebody")
    assert {crowd.check(f"voter-{number}") for number in range(4)} == {"failed"}
    assert crowd.check("somebody") == "ok"
    assert crowd.check("a stranger") == "unavailable"
    clock.now += 3601
    assert crowd.check("voter-0") == "ok"


def test_it_forgets_who_came_long_ago(clock: Clock) -> None:
    crowd = Crowd(Allowance(requests_a_minute=1, remembered=2), clock)
    crowd.note("a", "first")
    for address in "abc":
        assert crowd.wait(address) == 0
        crowd.note(address, f"voter of {address}")
    assert crowd.wait("a") == 0, "as if it had never come"
    assert crowd.check("first") == "unavailable"
