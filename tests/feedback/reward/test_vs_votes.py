"""A judge beside voters: means by contestant, agreement on what it did not learn from."""

from __future__ import annotations

import pytest

from hypersd.arena.votes.battle import Pair, Vote
from hypersd.feedback.reward.vs_votes import compare_with_votes, pictures_of
from tests.arena.conftest import entry, pair
from tests.arena.votes.test_quality import vote


def drawn(number: int) -> Pair:
    """A pair of a prompt of its own, its pictures named after it."""
    entries = (entry("emoji/hyper@4", f"h{number}"), entry("emoji/base@25", f"b{number}"))
    return pair(id=f"pair-{number}", entries=entries, prompt=f"prompt {number}")


def chosen(number: int, choice: str) -> Vote:
    return vote(number, pair=drawn(number), choice=choice)


def test_agreement_is_of_decisive_votes_on_prompts_that_were_not_learned_from() -> None:
    votes = [chosen(0, "left"), chosen(1, "right"), chosen(2, "left"), chosen(3, "tie"), chosen(4, "left")]
    rewards = {(f"h{n}", f"prompt {n}"): 1.0 for n in range(5)} | {(f"b{n}", f"prompt {n}"): 0.0 for n in range(5)}
    scores = compare_with_votes(votes, rewards, lambda prompt: prompt == "prompt 4")
    assert (scores.agreement.n, scores.agreement.value) == (3, pytest.approx(2 / 3))
    assert scores.unseen == 0
    (best, best_mean), (worst, worst_mean) = scores.means
    assert (best, best_mean.value) == ("emoji/hyper@4", 1.0)
    assert (worst, worst_mean.value) == ("emoji/base@25", 0.0)


def test_sides_that_were_swapped_are_told_apart() -> None:
    swapped = vote(0, pair=drawn(0), swapped=True, choice="right")
    rewards = {("h0", "prompt 0"): 2.0, ("b0", "prompt 0"): 1.0}
    assert compare_with_votes([swapped], rewards, lambda _: False).agreement.value == 1.0


def test_a_picture_counts_once_however_many_voted_on_it() -> None:
    votes = [vote(0, pair=drawn(0), voter=name, battle=name) for name in "abc"] + [chosen(1, "left")]
    rewards = {(f"{who}{n}", f"prompt {n}"): float(n) for n in (0, 1) for who in "hb"}
    assert [mean.value for _, mean in compare_with_votes(votes, rewards, lambda _: False).means] == [0.5, 0.5]
    assert pictures_of(votes) == [("h0", "prompt 0"), ("b0", "prompt 0"), ("h1", "prompt 1"), ("b1", "prompt 1")]


def test_what_has_not_been_looked_at_is_counted_as_such() -> None:
    scores = compare_with_votes([chosen(0, "left")], {}, lambda _: False)
    assert (scores.means, scores.agreement.n, scores.unseen) == ((), 0, 1)
