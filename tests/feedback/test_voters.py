"""Simulated voters of the loop."""

from __future__ import annotations

from hypersd.arena.battle import Contestant
from hypersd.feedback.voters import who_draws


def test_simulated_voters_see_few_steps_and_nothing_of_another_loop() -> None:
    names = [("base", 25), ("hyper", 1), ("hyper", 8), ("hyper-mine-r1", 4), ("hyper-other-r1", 4)]
    able = [Contestant(family="emoji", model=name, steps=steps) for name, steps in names]
    drawn = who_draws(able, {"hyper-other-r1"})
    assert [(one.model, one.steps) for one in drawn] == [("hyper", 1), ("hyper", 8), ("hyper-mine-r1", 4)]
