"""The owner's controls of a round as a Hugging Face Job: its fields, its request as text, and its sending."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.blocks import Block

from app.pages.compare import result_cards
from app.services.loop_runner import NotAllowed, Owner
from app.services.settings import AppSettings
from app.templating import render
from app.texts import sentence
from hypersd.models.specs import Capability

if TYPE_CHECKING:
    from hypersd.deploy.loop_job import JobPlan

log = logging.getLogger(__name__)

_PREFIX = "hf://datasets/"
_FLAVORS = ("cpu-basic", "cpu-upgrade", "cpu-performance", "t4-small", "l4x1", "a10g-small", "a100-large")
_ABOUT = """
<p class="hs-note">A round on a machine of Hugging Face: it runs this project's code of a Space on the published votes,
and uploads the rounds and contestants to a model repository, whose owner pays for it. It is sent with the
<code>HF_TOKEN</code> of this page, which the job gets as a secret.</p>
"""
_NOT_LOGGED_IN = "this page has no token of the Hub; set HF_TOKEN and start it again"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDefaults:
    """Values that the fields begin with; an empty name is left to the owner.

    Args:
        obstacle: reason why no job can be sent for this family, or empty.
    """

    space: str = ""
    votes: str = ""
    family: str = "emoji"
    obstacle: str = ""

    @classmethod
    def of(cls, settings: AppSettings) -> JobDefaults:
        """The Space and the dataset of the page itself, if it has any."""
        family = settings.families()[settings.family]
        votes = settings.publish.removeprefix(_PREFIX) if settings.publish.startswith(_PREFIX) else ""
        able = family.has(Capability.JUDGE)
        obstacle = "" if able else f"{family.title} cannot run the loop: it has no judge of its pictures."
        return cls(space=settings.space, votes=votes, family=family.name, obstacle=obstacle)


@dataclass(frozen=True, eq=False, kw_only=True)
class JobPanel:
    """The panel's components."""

    defaults: JobDefaults
    fields: Mapping[str, gr.Textbox | gr.Dropdown]
    """By the argument of `JobPlan` that each gives."""
    show: gr.Button
    send: gr.Button
    message: gr.HTML


def job_panel(defaults: JobDefaults) -> JobPanel:
    """Lay out the panel."""
    with gr.Accordion("On a machine of Hugging Face", open=False, elem_id="hs-job"):
        gr.HTML(_ABOUT)
        with gr.Row():
            space = gr.Textbox(defaults.space, label="Space with the code", placeholder="OWNER/NAME", max_lines=1)
            votes = gr.Textbox(defaults.votes, label="Dataset of votes", placeholder="OWNER/NAME", max_lines=1)
            result = gr.Textbox(
                f"{defaults.space}-rounds" if defaults.space else "",
                label="Model repository for the result",
                placeholder="OWNER/NAME",
                max_lines=1,
            )
        with gr.Row():
            flavor = gr.Dropdown(list(_FLAVORS), value="cpu-upgrade", label="Machine", allow_custom_value=True)
            timeout = gr.Textbox("3h", label="Ended after", max_lines=1)
        with gr.Row():
            show = gr.Button("Show the request", scale=0, min_width=150, elem_id="hs-job-show")
            send = gr.Button("Send it", variant="primary", scale=0, min_width=150, elem_id="hs-job-send")
        message = gr.HTML("", elem_id="hs-job-message")
    return JobPanel(
        defaults=defaults,
        fields={"space": space, "votes": votes, "result": result, "flavor": flavor, "timeout": timeout},
        show=show,
        send=send,
        message=message,
    )


@dataclass(frozen=True, eq=False)
class JobHandlers:
    """Handlers of the panel's buttons. The owner's rights are checked at each click, independent of the browser."""

    owner: Owner
    token: gr.Textbox | gr.State
    """That the owner presents."""
    parts: JobPanel

    def connect(self) -> None:
        """Attach the handlers."""
        parts = self.parts
        fields: set[Block] = {self.token, *parts.fields.values()}
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        parts.show.click(self.show_job, fields, parts.message, queue=False, **quiet)
        parts.send.click(self.send_job, fields, parts.message, concurrency_id="job", **quiet)

    def show_job(self, values: Mapping[Any, Any], profile: gr.OAuthProfile | None) -> str:
        """The owner's click on Show: nothing is sent."""
        return self._asked(values, profile, self._shown)

    def send_job(self, values: Mapping[Any, Any], profile: gr.OAuthProfile | None) -> str:
        """The owner's click on Send."""
        return self._asked(values, profile, self._sent)

    def _asked(self, values: Mapping[Any, Any], profile: gr.OAuthProfile | None, work: Callable[[JobPlan], str]) -> str:
        try:
            self.owner.check(values[self.token], profile.username if profile else None)
            return work(self._plan(values))
        except (NotAllowed, ValueError, OSError) as refusal:
            return result_cards.message(sentence(str(refusal)), error=True)

    def _plan(self, values: Mapping[Any, Any]) -> JobPlan:
        from hypersd.deploy.loop_job import JobPlan  # noqa: PLC0415 - the Hub's client takes half a second to import

        defaults = self.parts.defaults
        if defaults.obstacle:
            raise NotAllowed(defaults.obstacle)
        return JobPlan(
            family=defaults.family, **{name: values[part].strip() for name, part in self.parts.fields.items()}
        )

    def _shown(self, plan: JobPlan) -> str:
        return render("log", lines=plan.text)

    def _sent(self, plan: JobPlan) -> str:
        from huggingface_hub import HfApi, get_token  # noqa: PLC0415 - as above

        from hypersd.deploy.loop_job import send  # noqa: PLC0415

        token = get_token()
        if token is None:
            raise NotAllowed(_NOT_LOGGED_IN)
        url = send(HfApi(), plan, token)
        log.info("the owner has started the job %s", url)
        return result_cards.message(f"{url} runs now; its result comes to https://huggingface.co/{plan.result}.")
