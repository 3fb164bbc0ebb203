"""Rounds of feedback as HTML: the state of the loop, and a round's report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from app.markdown import to_html
from app.services.loop_runner import RoundProgress
from app.templating import render
from hypersd.arena.votes.battle import KINDS, Kind
from hypersd.feedback.loop.results import VotesResult
from hypersd.feedback.loop.round_report import text
from hypersd.feedback.loop.round_stages import STAGES, VOTES
from hypersd.feedback.loop.rounds import Round

WHO: Mapping[Kind, str] = MappingProxyType({"human": "People", "simulated": "Simulated voters"})


def state(every: Sequence[Round], votes: Mapping[Kind, int], progress: RoundProgress | None) -> str:
    """Summary of the loop: finished rounds, current stage, and votes since the last round.

    Raises:
        ValueError: a stage's file is damaged.
    """
    counted = [result for each in every if (result := each.done(VOTES)) is not None]
    last = counted[-1] if counted else None
    done = sum(each.stage is None for each in every)
    facts = [("Rounds done", f"{done}", "from votes to a contestant that was compared with others")]
    facts += [(WHO[kind], *_since(kind, votes.get(kind), last)) for kind in KINDS]
    return render("loop_state", facts=facts, progress=progress, stages=len(STAGES))


def _since(kind: Kind, count: int | None, last: VotesResult | None) -> tuple[str, str]:
    """The number of votes of a kind in the arena, and how many of them no round has read."""
    if count is None:
        return "\N{EN DASH}", "not counted yet"
    value = f"{count:,} vote{'' if count == 1 else 's'}"
    if last is None:
        return value, "no round has counted any yet"
    if last.kind != kind:
        return value, "the last round did not learn from them"
    if last.taste:
        return value, "the last round learned from voters of its own, not from these"
    more = max(0, count - (last.votes if last.cast is None else last.cast))
    return value, f"{more:,} more than the last round read" if more else "no more than the last round read"


def report(current: Round) -> str:
    """A round's report on the stages finished so far.

    Raises:
        ValueError: a stage's file is damaged.
    """
    return render("round_report", number=current.number, body=to_html(text(current), current.folder))
