"""The package's Python interface: draw with a family's models, compare them, rank contestants by votes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from hypersd.arena.dataset.reading import read_columns
from hypersd.arena.ranking.columns import VoteColumns
from hypersd.arena.ranking.filters import VoteFilter
from hypersd.arena.ranking.leaderboard import Leaderboard, compute_families
from hypersd.arena.votes.battle import Kind, Vote
from hypersd.models.engine import Engine
from hypersd.models.machine import Machine
from hypersd.models.registry import family
from hypersd.sampling.comparison import compare as runs_of
from hypersd.sampling.request import NO_PARAMETERS, Generation, Request, SamplingParameters
from hypersd.sampling.runs import expand


def load(name: str = "emoji") -> Engine:
    """An engine of a family on this machine; its models share one base, which is loaded at the first picture.

        engine = hypersd.load("emoji")
        hypersd.compare("a small rocket on a pink background", engine=engine)

    Args:
        name: `emoji`, `sdxl`, `sd15` or `sd21`.

    Raises:
        ValueError: there is no such family.
    """
    return Engine(family(name), Machine.here())


def compare(
    prompt: str,
    *,
    models: Sequence[str] | None = None,
    steps: Sequence[int] | None = None,
    seed: int = 0,
    count: int = 1,
    parameters: SamplingParameters = NO_PARAMETERS,
    engine: Engine | None = None,
) -> list[Generation]:
    """Pictures of one prompt by several models from the same noise, the cheapest model first.

        for picture in hypersd.compare("a big cat on a blue background", models=["base", "hyper"], seed=7):
            print(picture.model, picture.steps, picture.seconds, picture.error)

    Args:
        prompt: what to draw.
        models: their names; None is all of the family's.
        steps: numbers of steps; None is each model's default.
        seed: of the noise, from 0 to 2³² − 1.
        count: of pictures a run, from seeds that follow each other.
        parameters: eta, strength, guidance, negative prompt and size, in place of the recipes' (`SamplingParameters`).
        engine: from `load`; None is a new one of the embedded family.

    Returns:
        A result for each picture. One that failed has no `image` and says why in `error`.

    Raises:
        ValueError: the prompt cannot be drawn, a model is unknown, or does not run at a number of steps; or
            no model bears a parameter.
    """
    engine = engine or load()
    runs = expand(engine.family, models, steps)
    request = Request(
        prompt=prompt, seed=seed, family=engine.family.name, runs=runs, parameters=parameters, count=count
    )
    return [event for event in runs_of(request, engine) if isinstance(event, Generation)]


def rank(votes: str | Path | Iterable[Vote], *, kind: Kind = "human") -> dict[str, Leaderboard]:
    """Leaderboards by votes, one for each family, by its name.

        board = hypersd.rank("out/votes", kind="simulated")["emoji"]
        print(board.standings[0].contestant, board.standings[0].elo)

    Args:
        votes: an export, a folder of published votes, another arena's log, or votes themselves.
        kind: of the voters; people's and simulated votes are never counted together.

    Raises:
        ValueError: a file is damaged, or holds no votes.
        OSError: the source cannot be reached.
    """
    columns = read_columns(votes) if isinstance(votes, str | Path) else VoteColumns.of(votes)
    return compute_families(columns, VoteFilter(kind=kind))
