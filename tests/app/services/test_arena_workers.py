"""Workers of the arena behind the page."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from app.services.arena import Arena
from app.services.arena_workers import ArenaWorkers
from hypersd.arena.ranking.filters import VoteFilter


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_boards_follow_the_votes(arena: Arena) -> None:
    workers = ArenaWorkers(arena)
    worker = threading.Thread(target=workers._compute, daemon=True)
    worker.start()
    wait_for(lambda: arena.leaderboards.get(VoteFilter()) is not None)
    leaderboard = arena.leaderboards.get(VoteFilter())
    assert leaderboard is not None
    assert leaderboard.problem == "there are no votes"
    workers.stop()
    worker.join(timeout=30)
    assert not worker.is_alive()
