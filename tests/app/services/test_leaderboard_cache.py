"""The leaderboard cache: newest request first, computed in the background, old results until new ones are ready."""

from __future__ import annotations

import threading
import time

from app.pages.results.results_tab import about
from app.services.leaderboard_cache import LeaderboardCache
from hypersd.arena.ranking.filters import VoteFilter
from tests.arena.conftest import pair
from tests.arena.votes.test_quality import vote


def test_a_leaderboard_is_computed_in_the_background() -> None:
    leaderboards = LeaderboardCache("emoji")
    assert leaderboards.get(VoteFilter()) is None
    assert not leaderboards.serve(), "the votes have not been read"
    leaderboards.renew([vote(pair=pair())])
    whole = leaderboards.get(VoteFilter())
    assert whole is not None
    assert whole.votes == 1
    narrow = VoteFilter(steps=4)
    assert leaderboards.get(narrow) is None
    while leaderboards.serve():
        pass
    leaderboard = leaderboards.get(narrow)
    assert leaderboard is not None
    assert leaderboard.votes == 0
    assert leaderboards.choices.steps == (4, 25)


def test_the_newest_request_is_computed_first() -> None:
    leaderboards = LeaderboardCache("emoji")
    leaderboards.renew([])
    for steps in (1, 2, 4):
        assert leaderboards.get(VoteFilter(steps=steps)) is None
    assert leaderboards.serve()
    assert leaderboards.get(VoteFilter(steps=4)) is not None
    assert leaderboards.get(VoteFilter(steps=1)) is None


def test_after_new_votes_the_old_leaderboard_stays_until_the_new_one_is_ready() -> None:
    leaderboards, vote_filter = LeaderboardCache("emoji"), VoteFilter(family="emoji")
    leaderboards.renew([])
    leaderboards.get(vote_filter)
    assert leaderboards.serve()
    assert not leaderboards.serve()
    leaderboards.renew([vote(pair=pair())])
    assert not leaderboards.serve(), "nothing was requested"
    older = leaderboards.get(vote_filter)
    assert older is not None
    assert older.votes == 0
    assert leaderboards.serve()
    newer = leaderboards.get(vote_filter)
    assert newer is not None
    assert newer.votes == 1
    assert not leaderboards.serve(), "nothing is left to do"


def test_only_used_leaderboards_are_cached() -> None:
    leaderboards = LeaderboardCache("emoji")
    leaderboards.renew([])
    for steps in range(1, 101):
        leaderboards.get(VoteFilter(steps=steps))
        leaderboards.serve()
    assert len(leaderboards._boards) <= 48
    assert leaderboards._fresh == set(leaderboards._boards)


def test_a_request_wakes_the_worker() -> None:
    leaderboards = LeaderboardCache("emoji")
    leaderboards.renew([])
    threading.Timer(0.1, lambda: leaderboards.get(VoteFilter(steps=1))).start()
    began = time.monotonic()
    leaderboards.wait(60)
    assert time.monotonic() - began < 30


def test_a_filtered_leaderboard_describes_its_filter() -> None:
    assert about(VoteFilter(family="emoji", steps=1, prompts="emoji-v1")) == (
        "A part of the votes: only those between contestants of emoji, with both at 1 step, on the prompts of emoji-v1."
    )
