"""Pairs for visitors' own prompts, drawn by the page's models while the visitor waits."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from itertools import combinations

from app.services.draw_job import Job
from app.services.engines import EngineManager
from hypersd.arena.service.vote_rules import VoteRejected
from hypersd.arena.store.store import Store
from hypersd.arena.votes.battle import Contestant, Pair
from hypersd.arena.votes.images import ImageStore
from hypersd.sampling.remarks import unread_remark, word_remarks


def draw_own_pair(
    engines: EngineManager, places: tuple[Store, ImageStore], labels: Sequence[str], voter: str, prompt: str
) -> tuple[Pair, list[str]]:
    """A pair of two of the contestants for a voter's own prompt, and warnings about parts of it that are not drawn.

    Args:
        engines: of the page.
        places: the arena's store, and its pictures.
        labels: of the contestants.
        voter: who alone sees the pair.
        prompt: of the voter.

    Raises:
        ValueError: the prompt cannot be drawn.
        VoteRejected: the models are not ready, or a contestant failed.
        GPURefused: the visitor gets no GPU.
    """
    from hypersd.arena.service.pool import PairPool  # noqa: PLC0415 - torch takes seconds to import
    from hypersd.feedback.generator import EngineGenerator  # noqa: PLC0415
    from hypersd.sampling.request import check_prompt  # noqa: PLC0415

    prompt = check_prompt(prompt)
    engine = engines.engine(timeout=0)
    if engine is None:
        raise VoteRejected("the models are still loading; try again in a moment")
    pairs = list(combinations(map(Contestant.parse, labels), 2))
    if not pairs:
        raise VoteRejected("no two models can run here, so there is nothing to compare")
    generator = EngineGenerator(engine, draw=lambda request: engines.draw(Job(request, engine.family, previews=False)))
    pool = PairPool(*places, generator, [])
    pair = pool.generate_pair(prompt, "own", secrets.choice(pairs), probability=1 / len(pairs), owner=voter)
    if pair is None:
        raise VoteRejected("the models could not draw that; try other words")
    warnings = [*word_remarks(engine.family, prompt), unread_remark(engine.prompts.unread(prompt))]
    return pair, [warning for warning in warnings if warning]
