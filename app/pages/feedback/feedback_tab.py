"""The Feedback tab: results of the feedback loop by round, and the owner's controls of the next round."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from app.pages.compare import result_cards
from app.pages.feedback import round_view
from app.pages.feedback.job_panel import JobDefaults, JobHandlers, JobPanel, job_panel
from app.pages.feedback.lineage import lineage
from app.services.arena import Arena
from app.services.loop_runner import LoopRunner, NotAllowed, Owner
from app.templating import render
from hypersd.arena.ranking.filters import VoteFilter
from hypersd.arena.votes.battle import KINDS, Kind
from hypersd.feedback.loop.round_stages import CONTESTANT, REPORT
from hypersd.feedback.loop.rounds import Round
from hypersd.models.registered import registered_models

log = logging.getLogger(__name__)

Updates = dict[Any, Any]

_QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
_INTRODUCTION = """
<p class="hs-lead">A round: votes train a reward model, the reward model tunes an adapter, and the tuned model
enters the arena as a contestant in blind battles.</p>
"""
_NONE = '<p class="hs-empty">No round has been started yet. This tab will show the results of each round.</p>'
_BEFORE_AFTER = """
<p class="hs-note">Left of the handle: the model before the round. Right of it: the tuned model, with the same prompts
and seeds. One row for each number of steps, fewest on top.</p>
"""
_HOW_TO = """
<p class="hs-note">Only the page's owner can start rounds here. If that is you: set
HYPERSD_OWNER_TOKEN to a secret of your own and start the page again; or run <code>python -m hypersd loop</code>.</p>
"""
_OWNER = """
<p class="hs-note">A round takes about half an hour on two cores. It continues when you leave, and can be cancelled:
finished stages are kept, and the next start continues from there.</p>
"""


@dataclass(frozen=True, eq=False, kw_only=True)
class FeedbackComponents:
    """The tab's components; `token` is a text box where there is a token to present."""

    state: gr.HTML
    picker: gr.Dropdown
    pair: gr.Column
    slider: gr.ImageSlider
    report: gr.HTML
    tree: gr.HTML
    token: gr.Textbox | gr.State
    start: gr.Button
    cancel: gr.Button
    message: gr.HTML
    log: gr.HTML
    seen: gr.State
    job: JobPanel | None

    @property
    def outputs(self) -> list[Any]:
        """Components that handlers may change; each returns only those that it changes."""
        return [getattr(self, name) for name in self.__dataclass_fields__ if name != "job"]


def build_feedback(
    demo: gr.Blocks,
    runner: LoopRunner,
    owner: Owner,
    *,
    arena: Arena | None,
    contestants: Path,
    jobs: JobDefaults,
) -> None:
    """Lay out the tab and connect it.

    Args:
        demo: the page.
        runner: of the loop.
        owner: who may start a round.
        arena: has the votes to count.
        contestants: the folder of registered models.
        jobs: what the fields for a Job begin with.
    """
    FeedbackHandlers(runner, owner, arena, contestants, layout(owner, jobs)).connect(demo)


def layout(owner: Owner, jobs: JobDefaults) -> FeedbackComponents:
    """Lay out the tab, from top to bottom."""
    gr.HTML(_INTRODUCTION)
    state = gr.HTML("", elem_id="hs-loop-state")
    picker = gr.Dropdown([], label="Round", interactive=True, visible=False, elem_id="hs-round")
    with gr.Column(visible=False, elem_id="hs-before-after") as pair:
        slider = gr.ImageSlider(
            label="Before and after",
            interactive=False,
            max_height=640,
            buttons=["fullscreen"],
            elem_id="hs-pair",
        )
        gr.HTML(_BEFORE_AFTER)
    report = gr.HTML(_NONE, elem_id="hs-round-report")
    tree = gr.HTML("", elem_id="hs-lineage")
    known = bool(owner.token or owner.name)
    with gr.Accordion("For the owner of this page", open=False, elem_id="hs-owner"):
        gr.HTML(_OWNER if known else _HOW_TO)
        if owner.name:
            gr.LoginButton(size="sm", elem_id="hs-login")
        box = (
            gr.Textbox(label="The owner's token", type="password", max_lines=1, elem_id="hs-token")
            if owner.token
            else None
        )
        with gr.Row(visible=known, elem_id="hs-owner-buttons"):
            start = gr.Button("Start a round", variant="primary", scale=0, min_width=150, elem_id="hs-start")
            cancel = gr.Button("Cancel", variant="stop", scale=0, min_width=150, visible=False, elem_id="hs-cancel")
        message = gr.HTML("", elem_id="hs-owner-message")
        journal = gr.HTML("", elem_id="hs-log")
        job = job_panel(jobs) if known else None
    return FeedbackComponents(
        state=state,
        picker=picker,
        pair=pair,
        slider=slider,
        report=report,
        tree=tree,
        token=box or gr.State(""),
        start=start,
        cancel=cancel,
        message=message,
        log=journal,
        seen=gr.State(None),
        job=job,
    )


@dataclass(frozen=True, eq=False)
class FeedbackHandlers:
    """Handlers of events. The owner's rights are checked at each click, independent of the browser."""

    runner: LoopRunner
    owner: Owner
    arena: Arena | None
    contestants: Path
    parts: FeedbackComponents

    def connect(self, demo: gr.Blocks) -> None:
        """Attach the handlers."""
        parts, out = self.parts, self.parts.outputs
        looking = [parts.token, parts.picker, parts.seen]
        gr.Timer(5).tick(self.look, looking, out, **_QUIET)
        demo.load(self.look, looking, out, **_QUIET)
        parts.picker.input(self.pick, parts.picker, out, **_QUIET)
        for button, handle in ((parts.start, self.start), (parts.cancel, self.cancel)):
            button.click(handle, parts.token, out, **_QUIET).then(self.look, looking, out, **_QUIET)
        if parts.job:
            JobHandlers(self.owner, parts.token, parts.job).connect()

    def start(self, token: str | None, profile: gr.OAuthProfile | None) -> Updates:
        """The owner's click on Start."""
        return self._asked(self.runner.start, token, profile, "The round has begun.")

    def cancel(self, token: str | None, profile: gr.OAuthProfile | None) -> Updates:
        """The owner's click on Cancel."""
        done = "The round was cancelled. Finished stages are kept: the next start continues from there."
        return self._asked(self.runner.cancel, token, profile, done)

    def _asked(
        self, work: Callable[[], None], token: str | None, profile: gr.OAuthProfile | None, done: str
    ) -> Updates:
        try:
            self.owner.check(token, profile.username if profile else None)
            work()
        except NotAllowed as refusal:
            return {self.parts.message: result_cards.message(str(refusal), error=True)}
        except OSError:
            log.exception("a round could not be started or ended")
            return {self.parts.message: result_cards.message("That failed; the page's log says why.", error=True)}
        return {self.parts.message: result_cards.message(done)}

    def look(self, token: str | None, chosen: int | None, seen: Any, profile: gr.OAuthProfile | None) -> Updates:
        """Timer: update the loop's progress, and its rounds if they have changed."""
        parts = self.parts
        try:
            progress, every = self.runner.progress(), self.runner.rounds()
            running = bool(progress and progress.running)
            updates: Updates = {
                parts.state: round_view.state(every, self._votes(), progress),
                parts.start: gr.Button(interactive=not running),
                parts.cancel: gr.Button(visible=running),
                parts.log: self._log(token, profile),
            }
            known = [(one.number, one.stage.name if one.stage else None) for one in every]
            if known == seen:
                return updates
            # A visitor who has not chosen a round sees the last finished one.
            number = chosen if chosen is not None and chosen != _last(seen or []) else _last(known)
            choices = [(self._label(one), one.number) for one in reversed(every)]
            updates[parts.picker] = gr.Dropdown(choices, value=number, visible=bool(every))
            family_tree = lineage(registered_models(self.contestants), every)
            return updates | self.pick(number) | {parts.tree: family_tree, parts.seen: known}
        except ValueError as error:
            return {parts.state: result_cards.message(f"{error}.", error=True)}

    def pick(self, number: int | None) -> Updates:
        """Another round."""
        parts = self.parts
        round_ = next((one for one in self.runner.rounds() if one.number == number), None)
        if round_ is None:
            return {parts.pair: gr.Column(visible=False), parts.report: _NONE}
        try:
            report = round_view.report(round_)
        except ValueError as error:
            report = result_cards.message(f"{error}.", error=True)
        pictures = _before_and_after(round_)
        return {
            parts.pair: gr.Column(visible=pictures is not None),
            parts.slider: gr.ImageSlider(value=pictures),
            parts.report: report,
        }

    def _votes(self) -> dict[Kind, int]:
        """Number of the arena's votes by kind of voter; empty while they are not counted yet."""
        if self.arena is None:
            return {}
        counted: dict[Kind, int] = {}
        for kind in KINDS:
            if leaderboard := self.arena.leaderboards.get(VoteFilter(kind=kind)):
                counted[kind] = leaderboard.votes
        return counted

    def _label(self, round_: Round) -> str:
        if contestant := round_.done(CONTESTANT):
            return f"Round {round_.number}: {contestant.name}"
        return f"Round {round_.number}, at work on {round_.stage.name if round_.stage else 'nothing'}"

    def _log(self, token: str | None, profile: gr.OAuthProfile | None) -> str:
        try:
            self.owner.check(token, profile.username if profile else None)
        except NotAllowed:
            return ""
        lines = self.runner.log()
        warnings = self.arena.warnings() if self.arena else []
        shown = [result_cards.message(f"{warning}.", error=True) for warning in warnings]
        return "".join([*shown, render("log", lines=lines) if lines else ""])


def _last(known: Sequence[tuple[int, str | None]]) -> int | None:
    """The last finished round, otherwise the last round; None if there are none."""
    done = [number for number, stage in known if stage is None]
    return done[-1] if done else known[-1][0] if known else None


def _before_and_after(round_: Round) -> tuple[Image.Image, Image.Image] | None:
    if (pictures := round_.done(REPORT)) is None:
        return None
    try:
        before, after = (Image.open(round_.folder / name).convert("RGB") for name in (pictures.before, pictures.after))
    except OSError:
        log.exception("the pictures of round %d are missing; the page leaves them out", round_.number)
        return None
    return before, after
