"""The processor's time of a vote in the arena, against a bare Starlette and SQLAlchemy vote in the same run.

    python -m benchmarks.vote_floor [--votes 200] [--rounds 5] [--apart] [--json]

Both servers take turns, a round each, so that what else the machine does falls on both. A voter's first vote is three
requests: draw, show and vote. Each further one is one request, as the page sends it: the vote, that the next pair is
shown now, and the one after it fetched; with `--apart` it is three requests too, as for a client that fetches nothing
ahead. Voters come one after another, each with 20 votes. Counted is the server's own time of the processor (user and
system), not the clock's, which a busy machine or a slow disk lengthens.
"""

from __future__ import annotations

import argparse
import json
import secrets
import statistics
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.served import STILL, Server

BARE = ("-m", "benchmarks.bare_vote")
_VOTES_EACH = 20
_WARM_UP = 60


@contextmanager
def running(command: tuple[str, ...]) -> Generator[Server]:
    """A server over an empty folder, while it runs."""
    with tempfile.TemporaryDirectory(prefix="hypersd-floor-", ignore_cleanup_errors=True) as folder:
        server = Server(Path(folder), command)
        server.start()
        try:
            yield server
        finally:
            server.kill()


def cpu_ms_a_vote(server: Server, votes: int, *, apart: bool) -> float:
    """Milliseconds of the server's processor time for each of so many votes."""
    before = server.cpu_ms()
    with httpx.Client(base_url=server.url, timeout=60) as http:
        for first in range(0, votes, _VOTES_EACH):
            http.headers["x-voter"] = secrets.token_hex(16)
            vote_apart(http, min(_VOTES_EACH, votes - first)) if apart else vote(http, min(_VOTES_EACH, votes - first))
    return (server.cpu_ms() - before) / votes


def vote_apart(http: httpx.Client, votes: int) -> None:
    """One voter, who fetches nothing ahead."""
    for _ in range(votes):
        battle = ask(http, "draw", {})["battle"]
        ask(http, "show", {"battle": battle})
        ask(http, "vote", {"battle": battle, "choice": "left", "decision_ms": 2000})


def vote(http: httpx.Client, votes: int) -> None:
    """One voter, as the page does it."""
    battle = ask(http, "draw", {})["battle"]
    ask(http, "show", {"battle": battle})
    ahead = ask(http, "draw", {"besides": battle})["battle"]
    for _ in range(votes):
        answer = ask(http, "vote", {"battle": battle, "choice": "left", "decision_ms": 2000, "shown": ahead})
        battle, ahead = ahead, answer["ahead"]["battle"]


def ask(http: httpx.Client, name: str, words: dict[str, Any]) -> dict[str, Any]:
    """The answer to a request to the arena."""
    return http.post(f"/arena/{name}", json=words).raise_for_status().json()


def measure(votes: int, rounds: int, *, apart: bool) -> dict[str, float]:
    """The medians of both servers over the rounds, and their ratio."""
    pairs = str(2 * (_WARM_UP + votes * rounds))  # some battles show two pairs in turn, others one again
    with ExitStack() as stack:
        servers = [stack.enter_context(running(command)) for command in ((*STILL, "--pairs", pairs), BARE)]
        for server in servers:
            cpu_ms_a_vote(server, _WARM_UP, apart=apart)
        turns = [[cpu_ms_a_vote(server, votes, apart=apart) for server in servers] for _ in range(rounds)]
    arena, bare = (statistics.median(times) for times in zip(*turns, strict=True))
    ratio = statistics.median(own / floor for own, floor in turns)
    return {"arena_cpu_ms": round(arena, 2), "bare_cpu_ms": round(bare, 2), "ratio": round(ratio, 2)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--votes", type=int, default=200, help="of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--apart", action="store_true", help="three requests for each vote")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    measured = measure(options.votes, options.rounds, apart=options.apart)
    print(
        json.dumps(measured) if options.json else "\n".join(f"{name:>14}: {value}" for name, value in measured.items())
    )


if __name__ == "__main__":
    main()
