"""Filters of votes, applied after cleaning."""

from __future__ import annotations

from hypersd.arena.ranking.filters import FilterOptions, VoteFilter
from hypersd.arena.votes.quality import clean
from tests.arena.conftest import pair
from tests.arena.votes.test_quality import vote

FOUR = pair("emoji/hyper@4", "emoji/turbo@4", prompt_set="emoji-v1")
MIXED = pair("emoji/hyper@4", "emoji/base@25", prompt_set="emoji-v1")
OTHER = pair("sdxl/hyper@4", "sdxl/turbo@4", prompt_set="photographs-and-art-v1")
OWN = pair("emoji/hyper@1", "emoji/turbo@1", owner="ann", prompt_set="own")
VOTES = [vote(index, pair=one, voter=f"v{index}") for index, one in enumerate([FOUR, MIXED, OTHER, OWN])]


def pairs_of(vote_filter: VoteFilter) -> list[object]:
    return [vote.battle.pair for vote in vote_filter.of(clean(VOTES)).kept]


def test_each_filter_applies_to_both_contestants() -> None:
    assert pairs_of(VoteFilter()) == [FOUR, MIXED, OTHER]
    assert pairs_of(VoteFilter(family="emoji")) == [FOUR, MIXED]
    assert pairs_of(VoteFilter(steps=4)) == [FOUR, OTHER]
    assert pairs_of(VoteFilter(prompts="photographs-and-art-v1")) == [OTHER]
    assert pairs_of(VoteFilter(family="emoji", steps=4, prompts="emoji-v1")) == [FOUR]
    assert pairs_of(VoteFilter(family="sd15")) == []


def test_own_prompts_are_always_left_out() -> None:
    vote_filter = VoteFilter(prompts="own")
    assert pairs_of(vote_filter) == []
    assert vote_filter.of(clean(VOTES)).reasons == {"own prompt": 1}, "they are counted as dropped"


def test_kinds_never_mix() -> None:
    assert not VoteFilter(kind="simulated").holds(VOTES[0])
    assert VoteFilter().holds(VOTES[0])


def test_filter_options_leave_own_prompts_out() -> None:
    assert FilterOptions.of(VOTES) == FilterOptions(("emoji", "sdxl"), (4, 25), ("emoji-v1", "photographs-and-art-v1"))
    assert FilterOptions.of([]) == FilterOptions()
