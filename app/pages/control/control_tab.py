"""The Control tab: pictures that follow strokes or a picture's lines, at 1, 2, 4 and 8 steps in a row."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.pages.compare import result_cards
from app.pages.control.control_layout import DRAWING, LINES, ControlComponents, control_layout, own_eta, own_scale
from app.services.engines import EngineManager, Job, Stopping
from app.templating import render
from hypersd.models.control_availability import control_availability
from hypersd.models.specs import Family
from hypersd.sampling.control_image import control_image, is_blank, load_detector
from hypersd.sampling.planning import planned, warnings_of
from hypersd.sampling.request import Control, Request, Run, SamplingParameters, parse_seed
from hypersd.utils.errors import gist

log = logging.getLogger(__name__)

Updates = dict[Any, Any]

STEPS = (1, 2, 4, 8)
_WORKER: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "worker"}
_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
_NOTHING = "draw something on the canvas first, or drop a picture on it"


def build_control(tab: gr.Tab, engines: EngineManager) -> None:
    """Lay out the tab and connect it."""
    families = {name: family for name, family in engines.families.items() if family.controlnets}
    first = engines.first if engines.first in families else next(iter(families))
    ControlHandlers(engines, control_layout(families, first)).connect(tab)


@dataclass(frozen=True, eq=False)
class ControlHandlers:
    """Handlers of events. A new stroke supersedes the row that is being drawn: the latest wins."""

    engines: EngineManager
    parts: ControlComponents

    def connect(self, tab: gr.Tab) -> None:
        """Attach the handlers."""
        parts = self.parts
        at_once: dict[str, Any] = {"queue": False, **_QUIET}
        triggers = [
            *(parts.canvas.change, parts.lines.change, parts.scale.release, parts.eta.release),
            *(parts.run.click, parts.prompt.submit, parts.seed.submit),
        ]
        asked = gr.on(triggers, self.begin, parts.inputs, parts.results, trigger_mode="always_last", **at_once)
        asked.then(self.draw, parts.job, parts.results, trigger_mode="multiple", **_WORKER, **_QUIET)
        parts.family.change(self.show_family, parts.family, [parts.scale, parts.eta, parts.message], **at_once)
        parts.timer.tick(self.tick, parts.family, [parts.message, parts.timer], **at_once)
        tab.select(load_detector, None, None, **at_once)  # takes seconds, in which the visitor draws

    def begin(self, values: Mapping[Any, Any]) -> Updates:
        """Check what is asked for, and make a job of it in the place of the one before."""
        parts = self.parts
        if values[parts.job]:
            values[parts.job].supersede()
        try:
            request = self._request(values)
        except ValueError as error:
            return {parts.message: _message(error), parts.job: None}
        family = self.engines.family(request.family)
        picture = request.control and result_cards.data_url(request.control.image, {})
        return {
            parts.message: self._ahead(family, request),
            parts.followed: render("followed", picture=picture),
            parts.job: Job(request),
        }

    def _request(self, values: Mapping[Any, Any]) -> Request:
        parts = self.parts
        family, choice = self.engines.family(values[parts.family]), values[parts.lines]
        drawn = (values[parts.canvas] or {}).get("composite")
        if choice not in LINES:
            raise ValueError("choose which lines the pictures follow")
        if drawn is None:
            raise ValueError(_NOTHING)
        mode = LINES[choice]
        image = control_image(drawn, None if choice == DRAWING else mode, family.pixels)
        if is_blank(image):
            raise ValueError(_NOTHING)
        family.controlnet(mode)  # complains if there is none
        eta = float(values[parts.eta])
        return Request(
            prompt=values[parts.prompt] or "",
            seed=parse_seed(str(values[parts.seed])),
            family=family.name,
            runs=tuple(Run(model=family.unified.name, steps=steps) for steps in STEPS),
            parameters=SamplingParameters(eta=None if eta == own_eta(family) else eta),
            control=Control(mode=mode, image=image, scale=float(values[parts.scale])),
        )

    def _ahead(self, family: Family, request: Request) -> str:
        words = result_cards.unknown_words(family, request.prompt)
        return result_cards.message(" ".join(filter(None, (words, *warnings_of(planned(family, request))))))

    def draw(self, job: Job | None) -> Iterator[Updates]:
        """Draw a job, changing the page as pictures come; one that was superseded changes nothing more."""
        parts = self.parts
        if job is None or job.cancelled.is_set():
            yield {parts.job: gr.skip()}
            return
        family = self.engines.family(job.request.family)
        shown: dict[result_cards.Key, result_cards.Shown] = {}
        try:
            for event in self.engines.draw(job):
                if job.superseded.is_set() or isinstance(event, Stopping):
                    continue
                texts = result_cards.texts(family, job.request, event)
                shown[result_cards.key_of(event)] = result_cards.Shown.of(event, texts)
                yield {parts.board: result_cards.board(family, job.request, shown, running=True)}
            last: Updates = {parts.board: result_cards.board(family, job.request, shown, running=False)}
        except ValueError as error:
            last = {parts.message: _message(error)}
        except Exception as error:  # whatever it was, the page says it
            log.exception("a row along lines failed")
            last = {parts.message: _message(error)}
        yield {parts.job: gr.skip()} if job.superseded.is_set() else {**last, parts.job: None}

    def show_family(self, name: str) -> Updates:
        """Another family: its own scale and eta, and whether it can be controlled here."""
        family, parts = self.engines.family(name), self.parts
        return {parts.scale: own_scale(family), parts.eta: own_eta(family), parts.message: self._note(family)}

    def tick(self, name: str) -> Updates:
        """As soon as this machine is known: whether the family can be controlled here, and no more ticks."""
        parts = self.parts
        if self.engines.machine is None:
            return {parts.message: gr.skip()}
        note = self._note(self.engines.family(name))
        return {parts.timer: gr.Timer(active=False), parts.message: note or gr.skip()}

    def _note(self, family: Family) -> str:
        machine = self.engines.machine
        if machine is None:
            return ""
        able = control_availability(family, family.controlnets[0].modes[0], machine)
        return "" if able.available else _message(ValueError(able.reason))


def _message(error: Exception) -> str:
    text = gist(error)
    return result_cards.message(f"{text[:1].upper()}{text[1:]}.", error=True)
