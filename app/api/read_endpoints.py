"""The endpoints `/models`, `/leaderboard` and `/dataset` for other programs; none of them changes anything."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

import gradio as gr

from app.api.api_types import (
    ColumnRecord,
    DatasetRecord,
    LeaderboardRecord,
    ModelRecord,
    StandingRecord,
    VoteCounts,
)
from app.services.arena import Arena
from app.services.engines import EngineManager
from app.texts import sentence
from hypersd.arena.ranking.filters import VoteFilter
from hypersd.arena.ranking.leaderboard import Leaderboard
from hypersd.arena.votes.battle import KINDS
from hypersd.models.changed_base import ChangedBase
from hypersd.models.family_bases import base_titles
from hypersd.models.specs import Family

log = logging.getLogger(__name__)

_PATIENCE_SECONDS = 20.0
"""Seconds for which a request waits for a leaderboard that is being computed."""


@dataclass(frozen=True, eq=False)
class ReadEndpoints:
    """The endpoints of a page; `arena` is None if it is closed."""

    engines: EngineManager
    arena: Arena | None

    def models(self, family: str = "") -> list[ModelRecord]:
        """List the models of a family (empty: of all): the steps each was made for, whether it runs here, other bases.

        Args:
            family: such as "emoji" or "sdxl".
        """
        try:
            families = [self.engines.family(family)] if family else list(self.engines.families.values())
        except ValueError as error:
            raise _error(str(error)) from error
        records: list[ModelRecord] = []
        for each in families:
            changed = self._usable_bases(each)
            for spec in each.specs:
                able = self.engines.availability(each, spec)
                records.append(
                    {
                        "family": each.name,
                        "name": spec.name,
                        "title": spec.title,
                        "steps": [recipe.steps for recipe in spec.recipes],
                        "any_steps": spec.any_steps,
                        "default_steps": spec.default_steps,
                        "pixels": spec.pixels,
                        "reimplementation": each.is_reimplementation,
                        "available": able.available if able else None,
                        "reason": able.reason if able else "",
                        "licence": spec.licence,
                        "source": spec.source,
                        "bases": [base for base, on in changed.items() if spec.name not in on.left_out],
                    }
                )
        return records

    def _usable_bases(self, family: Family) -> dict[str, ChangedBase]:
        """The family on each of its other bases, by name; a base whose file is damaged is left out, and logged."""
        usable: dict[str, ChangedBase] = {}
        for base in base_titles(family):
            try:
                usable[base] = self.engines.on_base(family.name, base)
            except (OSError, ValueError) as error:
                log.warning("the base %s of %s is not listed: %s", base, family.name, error)
        return usable

    def leaderboard(
        self, kind: str = "human", family: str = "", steps: int = 0, prompts: str = ""
    ) -> LeaderboardRecord:
        """Rank the arena's contestants by the votes that count, with 95 % intervals clustered by voter.

        Args:
            kind: "human", or "simulated" for votes of simulated voters; the two are never mixed.
            family: only contestants of this family; empty for all.
            steps: only votes between contestants at this number of steps; 0 for all.
            prompts: only votes on this set of prompts; empty for all.
        """
        if kind not in KINDS:
            raise _error(f"kind is {kind!r}; use one of: {', '.join(KINDS)}")
        board = self._board(VoteFilter(kind=kind, family=family, steps=steps, prompts=prompts))
        standings: list[StandingRecord] = [
            {
                "contestant": row.contestant,
                "rank_low": row.rank_low,
                "rank_high": row.rank_high,
                "elo": round(row.elo, 1),
                "low": round(row.low, 1),
                "high": round(row.high, 1),
                "votes": row.votes,
                "seconds": row.seconds,
                "preliminary": row.preliminary,
            }
            for row in board.standings
        ]
        return {
            "kind": board.kind,
            "votes": board.votes,
            "voters": board.voters,
            "kept": board.kept,
            "standings": standings,
            "apart": [list(group) for group in board.apart],
            "problem": board.problem,
        }

    def dataset(self) -> DatasetRecord:
        """Describe the arena's votes as a dataset: how many there are and count, where they are, and their columns."""
        from hypersd.arena.dataset.formats import FEATURES, FORMATS  # noqa: PLC0415 - brings datasets

        boards = [self._board(VoteFilter(kind=kind)) for kind in KINDS]
        arena = self._open()
        options = arena.leaderboards.choices
        counts: list[VoteCounts] = [
            {"kind": board.kind, "votes": board.votes, "voters": board.voters, "kept": board.kept} for board in boards
        ]
        columns: list[ColumnRecord] = [
            {"name": column.name, "type": str(column.type)} for column in FEATURES["arena"].arrow_schema
        ]
        return {
            "published": arena.publish if arena.publish.startswith("hf://") else "",  # a folder is nobody's business
            "licence": "apache-2.0",
            "votes": counts,
            "families": list(options.families),
            "prompt_sets": list(options.prompts),
            "formats": list(FORMATS),
            "columns": columns,
        }

    def _board(self, vote_filter: VoteFilter) -> Leaderboard:
        leaderboards, end = self._open().leaderboards, time.monotonic() + _PATIENCE_SECONDS
        while (board := leaderboards.get(vote_filter)) is None:
            if time.monotonic() > end:
                raise _error("the leaderboard is being computed; try again in a few seconds")
            time.sleep(0.2)
        return board

    def _open(self) -> Arena:
        if self.arena is None:
            raise _error("the arena is closed, so there are no votes here")
        return self.arena


def _error(message: str) -> gr.Error:
    return gr.Error(sentence(message), print_exception=False)
