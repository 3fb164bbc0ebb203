"""The Results tab: what the votes say, and how sure that is. It shows what was computed behind the page."""

from __future__ import annotations

import html
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gradio as gr

from app.arena import Arena
from app.pages.board_rows import report
from app.pages.judge_rows import judge_rows
from app.pages.study_rows import study_rows
from hypersd.arena.battle import KINDS, Kind
from hypersd.arena.views import Choices, View

_WHO = {"human": "People", "simulated": "Simulated voters"}
_NONE = '<p class="hs-empty">Being computed. It takes a few seconds.</p>'
_QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


def build_results(demo: gr.Blocks, arena: Arena | None) -> None:
    """Lay out the tab and connect it."""
    if arena is None:
        gr.HTML('<p class="hs-empty">The arena is closed, so there are no results.</p>')
        return

    def show(kind: Kind, family: str, steps: int, prompts: str) -> str:
        view = View(kind=kind, family=family, steps=steps, prompts=prompts)
        board = arena.boards.get(view)
        if board is None:
            return _NONE
        if view != View(kind=kind):
            return report(board, [], part=about(view))
        more = judge_rows(arena.judging.found.get(kind), board.self_agreement) + study_rows(arena.studies, kind)
        return report(board, arena.boards.comparisons[kind], more) + _published(arena)

    def save(kind: Kind, family: str, steps: int, prompts: str) -> str:
        view = View(kind=kind, family=family, steps=steps, prompts=prompts)
        board = arena.boards.get(view)
        file = Path(tempfile.mkdtemp(prefix="hypersd-")) / f"results-{kind}.json"
        told = {"view": asdict(view), **board.as_dict()} if board else {}
        file.write_text(json.dumps(told, indent=2), encoding="utf-8")
        return str(file)

    def refresh(last: str, kind: Kind, family: str, steps: int, prompts: str) -> list[Any]:
        told = show(kind, family, steps, prompts)
        return [gr.skip(), gr.skip()] if told == last else [told, told]

    def offered(last: Choices) -> list[Any]:
        known = arena.boards.choices
        if known == last:  # an update would close a list that somebody has just opened
            return [gr.skip()] * 4
        return [
            known,
            gr.Dropdown([("All", ""), *((name, name) for name in known.families)]),
            gr.Dropdown([("All", 0), *((str(count), count) for count in known.steps)]),
            gr.Dropdown([("All", ""), *((name, name) for name in known.prompts)]),
        ]

    with gr.Row(elem_id="hs-results-head"):
        kind = gr.Radio([(_WHO[kind], kind) for kind in KINDS], value=KINDS[0], label="Voters", elem_id="hs-kind")
        family = gr.Dropdown([("All", "")], value="", label="Family", elem_id="hs-of-family", min_width=120)
        steps = gr.Dropdown([("All", 0)], value=0, label="Steps of both", elem_id="hs-of-steps", min_width=120)
        prompts = gr.Dropdown([("All", "")], value="", label="Prompts", elem_id="hs-of-prompts", min_width=120)
        download = gr.DownloadButton("Download as JSON", size="sm", scale=0, elem_id="hs-results-download")
    shown = gr.HTML(_NONE, elem_id="hs-report")
    last, known = gr.State(""), gr.State(Choices())
    timer = gr.Timer(2)
    chosen = [kind, family, steps, prompts]
    gr.on([demo.load, timer.tick, *(one.change for one in chosen)], refresh, [last, *chosen], [last, shown], **_QUIET)
    gr.on([demo.load, timer.tick], offered, known, [known, family, steps, prompts], **_QUIET)
    download.click(save, chosen, download, **_QUIET)


def about(view: View) -> str:
    """Which votes a narrowed board is about, as a sentence."""
    parts = [
        f"between contestants of {view.family}" if view.family else "",
        f"with both at {view.steps} step{'' if view.steps == 1 else 's'}" if view.steps else "",
        f"on the prompts of {view.prompts}" if view.prompts else "",
    ]
    return f"A part of the votes: only those {', '.join(part for part in parts if part)}."


def _published(arena: Arena) -> str:
    """How safe the votes are, where they are published."""
    if arena.publisher is None:
        return ""
    health = arena.publisher.health
    when = f"last sent {health.last:%Y-%m-%d %H:%M} UTC" if health.last else "nothing sent yet"
    failed = f" The last attempt failed: {html.escape(health.failure)}." if health.failure else ""
    return f"<p class=hs-note>Votes are published: {when}, {health.waiting:,} waiting.{failed}</p>"
