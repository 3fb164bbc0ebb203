"""The boards: the newest question first, nothing computed on asking, and the older one until the newer is there."""

from __future__ import annotations

import threading
import time

from app.pages.results.results_tab import about
from app.services.leaderboard_cache import LeaderboardCache
from hypersd.arena.ranking.filters import VoteFilter
from tests.arena.conftest import pair
from tests.arena.votes.test_quality import vote


def test_a_board_is_computed_behind_and_found_afterwards() -> None:
    boards = LeaderboardCache("emoji")
    assert boards.get(VoteFilter()) is None
    assert not boards.serve(), "the votes have not been read"
    boards.renew([vote(pair=pair())])
    whole = boards.get(VoteFilter())
    assert whole is not None
    assert whole.votes == 1
    narrow = VoteFilter(steps=4)
    assert boards.get(narrow) is None
    while boards.serve():
        pass
    found = boards.get(narrow)
    assert found is not None
    assert found.votes == 0
    assert boards.choices.steps == (4, 25)


def test_the_newest_question_is_answered_first() -> None:
    boards = LeaderboardCache("emoji")
    boards.renew([])
    for steps in (1, 2, 4):
        assert boards.get(VoteFilter(steps=steps)) is None
    assert boards.serve()
    assert boards.get(VoteFilter(steps=4)) is not None
    assert boards.get(VoteFilter(steps=1)) is None


def test_when_votes_come_the_older_board_stays_until_the_newer_is_there() -> None:
    boards, view = LeaderboardCache("emoji"), VoteFilter(family="emoji")
    boards.renew([])
    boards.get(view)
    assert boards.serve()
    assert not boards.serve()
    boards.renew([vote(pair=pair())])
    assert not boards.serve(), "nobody asks"
    older = boards.get(view)
    assert older is not None
    assert older.votes == 0
    assert boards.serve()
    newer = boards.get(view)
    assert newer is not None
    assert newer.votes == 1
    assert not boards.serve(), "nothing is left to do"


def test_no_more_boards_are_kept_than_are_looked_at() -> None:
    boards = LeaderboardCache("emoji")
    boards.renew([])
    for steps in range(1, 101):
        boards.get(VoteFilter(steps=steps))
        boards.serve()
    assert len(boards._boards) <= 48
    assert boards._fresh == set(boards._boards)


def test_a_question_wakes_whoever_waits_for_one() -> None:
    boards = LeaderboardCache("emoji")
    boards.renew([])
    threading.Timer(0.1, lambda: boards.get(VoteFilter(steps=1))).start()
    began = time.monotonic()
    boards.wait(60)
    assert time.monotonic() - began < 30


def test_a_narrowed_board_says_what_it_is_about() -> None:
    assert about(VoteFilter(family="emoji", steps=1, prompts="emoji-v1")) == (
        "A part of the votes: only those between contestants of emoji, with both at 1 step, on the prompts of emoji-v1."
    )
