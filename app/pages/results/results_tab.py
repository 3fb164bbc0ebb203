"""The Results tab: the leaderboard with its confidence. It shows results computed in the background."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
from markupsafe import Markup

from app.pages.results.leaderboard_table import report
from app.pages.results.reward_table import judge_rows
from app.pages.results.study_table import study_rows
from app.services.arena import Arena
from app.templating import render
from hypersd.arena.ranking.filters import FilterOptions, VoteFilter
from hypersd.arena.ranking.leaderboard import Leaderboard
from hypersd.arena.votes.battle import KINDS, Contestant, Kind

_KINDS: list[tuple[str, Kind]] = [("People", "human"), ("Simulated voters", "simulated")]
_NONE = '<p class="hs-empty">{}</p>'
_COMPUTING = "Being computed. It takes a few seconds."
_AGAIN = "This part of the votes is being computed; try again in a few seconds."
_QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
_SAVE = """({ name, document: board }) => {
  const file = new Blob([JSON.stringify(board, null, 2)], { type: "application/json" });
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(file), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}"""
"""Needed because Gradio's download button downloads the file from before the click, of an earlier filter."""


def build_results(demo: gr.Blocks, arena: Arena | None) -> None:
    """Lay out the tab and connect it."""
    if arena is None:
        gr.HTML(_NONE.format("The arena is closed, so there are no results."))
        return
    with gr.Row(elem_id="hs-results-head"):
        kind = gr.Radio(_KINDS, value=KINDS[0], label="Voters", elem_id="hs-kind")
        narrow: dict[str, Any] = {"min_width": 120, "interactive": True}
        family = gr.Dropdown([("All", "")], value="", label="Family", elem_id="hs-of-family", **narrow)
        steps = gr.Dropdown([("All", 0)], value=0, label="Steps of both", elem_id="hs-of-steps", **narrow)
        prompts = gr.Dropdown([("All", "")], value="", label="Prompts", elem_id="hs-of-prompts", **narrow)
        download = gr.Button("Download as JSON", size="sm", scale=0, elem_id="hs-results-download")
    shown = gr.HTML(_NONE.format(_COMPUTING), elem_id="hs-report")
    last, known, saved = gr.State(""), gr.State(None), gr.JSON(visible="hidden")
    timer = gr.Timer(2)
    chosen, handlers = [kind, family, steps, prompts], ResultsHandlers(arena)
    looks = [demo.load, timer.tick, *(component.change for component in chosen)]
    gr.on(looks, handlers.refresh, [last, *chosen], [last, shown], **_QUIET)
    gr.on([demo.load, timer.tick], handlers.offered, known, [known, family, steps, prompts], **_QUIET)
    asked = download.click(handlers.save, chosen, saved, **_QUIET)
    asked.success(None, saved, None, js=_SAVE, api_visibility="private")


@dataclass(frozen=True, eq=False)
class ResultsHandlers:
    """The tab's handlers."""

    arena: Arena

    def refresh(self, last: str, kind: Kind, family: str, steps: int, prompts: str) -> list[Any]:
        """Timer, or a changed filter: the report, if it has changed."""
        shown = self._show(VoteFilter(kind=kind, family=family, steps=steps, prompts=prompts))
        return [gr.skip(), gr.skip()] if shown == last else [shown, shown]

    def offered(self, last: FilterOptions | None) -> list[Any]:
        """The options of the filters, only if changed: an update would close an open list."""
        known = self.arena.leaderboards.choices
        if known == last:
            return [gr.skip()] * 4
        return [
            known,
            gr.Dropdown([("All", ""), *((name, name) for name in known.families)]),
            gr.Dropdown([("All", 0), *((str(count), count) for count in known.steps)]),
            gr.Dropdown([("All", ""), *((name, name) for name in known.prompts)]),
        ]

    def save(self, kind: Kind, family: str, steps: int, prompts: str) -> dict[str, Any]:
        """The leaderboard as a file: its name, and its content."""
        vote_filter = VoteFilter(kind=kind, family=family, steps=steps, prompts=prompts)
        leaderboard = self.arena.leaderboards.get(vote_filter)
        if leaderboard is None:
            raise gr.Error(_AGAIN, title="Not yet", print_exception=False)
        narrowed = {name: getattr(vote_filter, name) for name in ("kind", "family", "steps", "prompts")}
        return {"name": file_name(vote_filter), "document": {"view": narrowed, **leaderboard.as_dict()}}

    def _show(self, vote_filter: VoteFilter) -> str:
        arena, kind = self.arena, vote_filter.kind
        leaderboard = arena.leaderboards.get(vote_filter)
        if leaderboard is None:
            return _NONE.format(_COMPUTING)
        if vote_filter != VoteFilter(kind=kind):
            return report(leaderboard, [], part=about(vote_filter)) + self._other_families(vote_filter, leaderboard)
        more = judge_rows(arena.reward_scores.results.get(kind), leaderboard.self_agreement) + study_rows(
            arena.studies, kind
        )
        whole = report(leaderboard, arena.leaderboards.comparisons[kind], more)
        return whole + self._other_families(vote_filter, leaderboard) + self._published()

    def _other_families(self, vote_filter: VoteFilter, leaderboard: Leaderboard) -> str:
        """Leaderboards of families that no votes connect with the main one; each is ranked separately."""
        leaderboards = self.arena.leaderboards
        shown = {Contestant.parse(name).family for name in leaderboard.contestants}
        apart = {Contestant.parse(name).family for group in leaderboard.apart for name in group}
        parts = [replace(vote_filter, family=family) for family in sorted(apart - shown)]
        reports = (report(each, [], part=about(part)) for part in parts if (each := leaderboards.get(part)))
        return Markup().join(reports)

    def _published(self) -> str:
        """The state of publishing, if votes are published."""
        publisher = self.arena.publisher
        return "" if publisher is None else render("published", health=publisher.health)


def about(vote_filter: VoteFilter) -> str:
    """A sentence that describes the votes of a filtered leaderboard."""
    parts = [
        f"between contestants of {vote_filter.family}" if vote_filter.family else "",
        f"with both at {vote_filter.steps} step{'' if vote_filter.steps == 1 else 's'}" if vote_filter.steps else "",
        f"on the prompts of {vote_filter.prompts}" if vote_filter.prompts else "",
    ]
    return f"A part of the votes: only those {', '.join(part for part in parts if part)}."


def file_name(vote_filter: VoteFilter) -> str:
    """File name of a filtered leaderboard."""
    steps = f"{vote_filter.steps}-step{'' if vote_filter.steps == 1 else 's'}" if vote_filter.steps else ""
    parts = ["results", vote_filter.kind, vote_filter.family, steps, vote_filter.prompts]
    return re.sub(r"[^\w.-]+", "-", "-".join(part for part in parts if part)) + ".json"
