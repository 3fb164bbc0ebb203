"""The Control tab: pictures that follow strokes or a picture's lines, at 1, 2, 4 and 8 steps in a row."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.pages.base_choice import base_choice
from app.pages.compare import result_cards
from app.pages.compare.model_picker import Updates
from app.pages.control.canvas import drawing
from app.pages.control.control_layout import BASE_ID, EMPTY, ControlComponents, control_layout, own_scale
from app.pages.control.control_view import ControlShown, control_html
from app.services.draw_job import Job
from app.services.engines import EngineManager
from hypersd.models.control_availability import control_availability
from hypersd.models.control_specs import ControlMode
from hypersd.models.specs import Family
from hypersd.sampling.control_image import control_image, is_blank, load_detector
from hypersd.sampling.planning import planned, warnings_of
from hypersd.sampling.request import Control, Generation, Request, Run, SamplingParameters, parse_seed
from hypersd.utils.numbers import parse_number

log = logging.getLogger(__name__)

STEPS = (1, 2, 4, 8)
_WORKER: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "worker", "trigger_mode": "multiple"}
_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
_NO_LINES = "nothing on the canvas has lines to follow; draw some, or choose a picture with clear contours"


def build_control(tab: gr.Tab, engines: EngineManager) -> None:
    """Lay out the tab and connect it."""
    ControlHandlers(engines, control_layout(engines)).connect(tab)


@dataclass(frozen=True, eq=False)
class ControlHandlers:
    """Handlers of events. A new stroke supersedes the row that is being drawn: the latest request wins."""

    engines: EngineManager
    parts: ControlComponents

    def connect(self, tab: gr.Tab) -> None:
        """Attach the handlers."""
        parts = self.parts
        at_once: dict[str, Any] = {"queue": False, **_QUIET}
        triggers = [parts.canvas.input, parts.mode.input, parts.base.input, parts.scale.release, parts.run.click]
        triggers += [field.submit for field in (parts.prompt, parts.seed, parts.eta)]
        asked = gr.on(triggers, self.begin, parts.inputs, parts.results, trigger_mode="always_last", **at_once)
        asked.then(self.draw, [parts.job, parts.shown], parts.results, **_WORKER, **_QUIET)
        parts.stop.click(self.stop, parts.job, parts.results, **at_once)
        parts.canvas.clear(self.clear, parts.job, parts.results, **at_once)
        chosen, scaled = [parts.family, parts.mode, parts.job], [parts.scale, parts.base, *parts.results]
        parts.family.input(self.show_family, chosen, scaled, **at_once)
        tab.select(self.prepare, None, None, **at_once)

    def prepare(self) -> None:
        """A visit of the tab: load the edge detector, which takes seconds, while the visitor draws."""
        load_detector()

    def begin(self, values: Mapping[Any, Any]) -> Updates:
        """A stroke, Draw or Enter: check what is asked for, and make a job of it in the place of the one before."""
        parts = self.parts
        if values[parts.job]:
            values[parts.job].supersede()
        try:
            request = self._request(values)
            family = self.engines.family_for(request)
            ahead = self._ahead(family, request)
        except (OSError, ValueError) as error:
            return self._refused(error)
        shown = ControlShown.begun(request, values[parts.shown])
        return {
            parts.stop: gr.Button(interactive=True),
            parts.message: result_cards.message(ahead),
            parts.board: control_html(shown, running=True),
            parts.job: Job(request, family, previews=False),
            parts.shown: shown,
        }

    def _request(self, values: Mapping[Any, Any]) -> Request:
        parts = self.parts
        base, mode = values[parts.base] or "", ControlMode(values[parts.mode])
        family = self.engines.on_base(values[parts.family], base).family
        family.controlnet(mode)  # complains if there is none
        eta = str(values[parts.eta] or "").strip()
        return Request(
            prompt=values[parts.prompt] or "",
            seed=parse_seed(str(values[parts.seed])),
            family=family.name,
            runs=tuple(Run(model=family.unified.name, steps=steps) for steps in STEPS),
            parameters=SamplingParameters(eta=parse_number(eta) if eta else None),
            base=base,
            control=_control(values[parts.canvas], mode, parse_number(str(values[parts.scale])), family.pixels),
        )

    def _ahead(self, family: Family, request: Request) -> str:
        """Sentences, before anything is drawn, about what will not be drawn as asked, and about the time it takes."""
        words = result_cards.unknown_words(family, request.prompt)
        expected = self.engines.expected_time(family, request)
        return " ".join(filter(None, (words, *warnings_of(planned(family, request)), expected)))

    def draw(self, job: Job | None, shown: ControlShown | None) -> Iterator[Updates]:
        """Draw a job, changing the page as pictures come; one that was superseded changes nothing more."""
        parts = self.parts
        if job is None or shown is None or job.cancelled.is_set():
            yield {parts.job: gr.skip()}
            return
        message: Updates = {}
        try:
            for event in self.engines.draw(job):
                if isinstance(event, Generation) and not job.superseded.is_set():
                    shown = shown.added(job.family, event)
                    yield {parts.board: control_html(shown, running=True), parts.shown: shown}
        except Exception as error:  # whatever it was, the page is not left waiting, and what was drawn is kept
            if not isinstance(error, ValueError):
                log.exception("a controlled row failed")
            message = {parts.message: result_cards.complaint(error)}
        if job.superseded.is_set():
            yield {parts.job: gr.skip()}
        else:
            yield {parts.board: control_html(shown, running=False), **message, **self._idle()}

    def stop(self, job: Job | None) -> Updates:
        """Stop or Esc: cancel the job, whether it waits or draws."""
        if job is None:
            return self._idle()
        job.stop()
        if job.started.is_set():
            return {self.parts.stop: gr.Button(interactive=False)}  # what is drawing says the rest
        return {self.parts.board: EMPTY, self.parts.shown: None, **self._idle()}

    def clear(self, job: Job | None) -> Updates:
        """An empty canvas: nothing to follow."""
        if job:
            job.supersede()
        return {self.parts.message: "", self.parts.board: EMPTY, self.parts.shown: None, **self._idle()}

    def show_family(self, name: str, mode: str, job: Job | None) -> Updates:
        """Another family: its own scale, its bases, and why it cannot be controlled here if that is so."""
        family = self.engines.family(name)
        own = {self.parts.scale: own_scale(family), self.parts.base: base_choice(family, elem_id=BASE_ID)}
        return {**own, **self.clear(job), self.parts.message: self._unable(family, mode)}

    def _unable(self, family: Family, mode: str) -> str:
        machine = self.engines.machine
        able = control_availability(family, ControlMode(mode), machine) if machine else None
        return result_cards.complaint(ValueError(able.reason)) if able and not able.available else ""

    def _refused(self, error: Exception) -> Updates:
        return {self.parts.message: result_cards.complaint(error), **self._idle()}

    def _idle(self) -> Updates:
        return {self.parts.stop: gr.Button(interactive=False), self.parts.job: None}


def _control(value: object, mode: ControlMode, scale: float, side: int) -> Control:
    """The control that is on the canvas: a picture's lines, or a drawing as it is."""
    drawn = drawing(value)
    image = control_image(drawn.image, mode if drawn.has_picture else None, side)
    if is_blank(image):
        raise ValueError(_NO_LINES)
    return Control(mode=mode, image=image, scale=scale)
