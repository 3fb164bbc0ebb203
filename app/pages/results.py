"""The Results tab: what the votes say, and how sure that is. It shows what was computed behind the page."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from app.arena import Arena
from app.pages.board_rows import report
from app.pages.judge_rows import judge_rows
from app.pages.study_rows import study_rows
from app.phrases import ENGLISH, Speaker, speaker
from app.texts import Words
from hypersd.arena.battle import KINDS, Contestant, Kind
from hypersd.arena.board import Board
from hypersd.arena.views import Choices, View

_WHO = {"human": "People", "simulated": "Simulated voters"}
_NONE = '<p class="hs-empty">{}</p>'
_COMPUTING = "Being computed. It takes a few seconds."
_AGAIN = "This part of the votes is being computed; try again in a few seconds."
_QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
_SAVE = """({ name, told }) => {
  const file = new Blob([JSON.stringify(told, null, 2)], { type: "application/json" });
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(file), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}"""
"""A download button of Gradio's downloads what it held before it was pressed: what another filter had to say."""


def build_results(demo: gr.Blocks, arena: Arena | None, words: Words) -> None:
    """Lay out the tab and connect it; `words` are labels in the visitor's language, by their keys."""
    if arena is None:
        gr.HTML(_NONE.format(words("closed_results")))
        return
    with gr.Row(elem_id="hs-results-head"):
        kind = gr.Radio(_kinds(ENGLISH), value=KINDS[0], label=words("results_voters"), elem_id="hs-kind")
        narrow: dict[str, Any] = {"min_width": 120, "interactive": True}
        family = gr.Dropdown([("All", "")], value="", label=words("results_family"), elem_id="hs-of-family", **narrow)
        steps = gr.Dropdown([("All", 0)], value=0, label=words("results_steps"), elem_id="hs-of-steps", **narrow)
        prompts = gr.Dropdown(
            [("All", "")], value="", label=words("results_prompts"), elem_id="hs-of-prompts", **narrow
        )
        download = gr.Button(words("results_download"), size="sm", scale=0, elem_id="hs-results-download")
    shown = gr.HTML(_NONE.format(_COMPUTING), elem_id="hs-report")
    last, known, saved = gr.State(""), gr.State(None), gr.JSON(visible="hidden")
    timer = gr.Timer(2)
    chosen, handlers = [kind, family, steps, prompts], Handlers(arena)
    looks = [demo.load, timer.tick, *(one.change for one in chosen)]
    gr.on(looks, handlers.refresh, [last, *chosen], [last, shown], **_QUIET)
    gr.on([demo.load, timer.tick], handlers.offered, known, [known, *chosen], **_QUIET)
    asked = download.click(handlers.save, chosen, saved, **_QUIET)
    asked.success(None, saved, None, js=_SAVE, api_visibility="private")


@dataclass(frozen=True, eq=False)
class Handlers:
    """What happens when. Each speaks the language that the visitor's browser asks for."""

    arena: Arena

    def refresh(  # noqa: PLR0917 - Gradio hands over one value for each component
        self, last: str, kind: Kind, family: str, steps: int, prompts: str, request: gr.Request
    ) -> list[Any]:
        """Now and then, and when something else is chosen: the report, if it is not what is there."""
        told = self._show(View(kind=kind, family=family, steps=steps, prompts=prompts), _speaker(request))
        return [gr.skip(), gr.skip()] if told == last else [told, told]

    def offered(self, last: Choices | None, request: gr.Request) -> list[Any]:
        """What there is to choose from, where that has changed: an update closes a list that somebody has opened."""
        known, say = self.arena.boards.choices, _speaker(request)
        if known == last:
            return [gr.skip()] * 5
        every = say("All")
        return [
            known,
            gr.Radio(_kinds(say)),
            gr.Dropdown([(every, ""), *((name, name) for name in known.families)]),
            gr.Dropdown([(every, 0), *((str(count), count) for count in known.steps)]),
            gr.Dropdown([(every, ""), *((name, name) for name in known.prompts)]),
        ]

    def save(self, kind: Kind, family: str, steps: int, prompts: str, request: gr.Request) -> dict[str, Any]:
        """The board as a file: its name, and what is in it."""
        view, say = View(kind=kind, family=family, steps=steps, prompts=prompts), _speaker(request)
        board = self.arena.boards.get(view)
        if board is None:
            raise gr.Error(say(_AGAIN), title=say("Not yet"), print_exception=False)
        narrowed = {name: getattr(view, name) for name in ("kind", "family", "steps", "prompts")}
        return {"name": file_name(view), "told": {"view": narrowed, **board.as_dict()}}

    def _show(self, view: View, say: Speaker) -> str:
        arena, kind = self.arena, view.kind
        board = arena.boards.get(view)
        if board is None:
            return _NONE.format(say(_COMPUTING))
        if view != View(kind=kind):
            return report(board, [], part=about(view, say), say=say) + self._other_families(view, board, say)
        judged = judge_rows(arena.judging.found.get(kind), board.self_agreement, say)
        more = judged + study_rows(arena.studies, kind, say)
        whole = report(board, arena.boards.comparisons[kind], more, say=say)
        return whole + self._other_families(view, board, say) + self._published(say)

    def _other_families(self, view: View, board: Board, say: Speaker) -> str:
        """The boards of families that no votes connect with those on the board: each is ranked by itself."""
        boards = self.arena.boards
        shown = {Contestant.parse(name).family for name in board.contestants}
        apart = {Contestant.parse(name).family for group in board.apart for name in group}
        parts = [replace(view, family=family) for family in sorted(apart - shown)]
        return "".join(report(each, [], part=about(part, say), say=say) for part in parts if (each := boards.get(part)))

    def _published(self, say: Speaker) -> str:
        """How safe the votes are, where they are published."""
        if self.arena.publisher is None:
            return ""
        health = self.arena.publisher.health
        sent = health.last and say("last sent {moment:%Y-%m-%d %H:%M} UTC", moment=health.last)
        when = sent or say("nothing sent yet")
        told = say("Votes are published: {when}, {waiting:,} waiting.", when=when, waiting=health.waiting)
        if health.failure:
            told += say(" The last attempt failed: {reason}.", reason=html.escape(health.failure))
        return f"<p class=hs-note>{told}</p>"


def about(view: View, say: Speaker = ENGLISH) -> str:
    """Which votes a narrowed board is about, as a sentence."""
    steps = "with both at {steps} step" if view.steps == 1 else "with both at {steps} steps"
    parts = [
        say("between contestants of {family}", family=view.family) if view.family else "",
        say(steps, steps=view.steps) if view.steps else "",
        say("on the prompts of {prompts}", prompts=view.prompts) if view.prompts else "",
    ]
    told = say(", ").join(part for part in parts if part)
    return say("A part of the votes: only those {parts}.", parts=told)


def file_name(view: View) -> str:
    """The file of a view's board, named after what narrows it."""
    steps = f"{view.steps}-step{'' if view.steps == 1 else 's'}" if view.steps else ""
    parts = ["results", view.kind, view.family, steps, view.prompts]
    return re.sub(r"[^\w.-]+", "-", "-".join(part for part in parts if part)) + ".json"


def _speaker(request: gr.Request) -> Speaker:
    return speaker(request.headers.get("accept-language", ""))


def _kinds(say: Speaker) -> list[tuple[str, str]]:
    return [(say(_WHO[kind]), kind) for kind in KINDS]
