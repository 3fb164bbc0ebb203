"""The Compare tab: one prompt and one seed for every model; each picture is shown as soon as it is finished."""

from __future__ import annotations

import logging
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from app.pages.base_choice import base_choice
from app.pages.compare import result_cards
from app.pages.compare.layout import BASE_ID, EMPTY, CompareComponents, layout
from app.pages.compare.model_picker import Updates
from app.pages.compare.permalink import link, linked
from app.pages.compare.sampling_controls import decoder_choice
from app.services.draw_job import Job, Stopping
from app.services.engines import EngineManager
from app.services.grid_picture import grid_picture
from hypersd.models.specs import Family
from hypersd.sampling.planning import planned, warnings_of
from hypersd.sampling.png import write_png
from hypersd.sampling.request import Generation, Request, parse_seed

log = logging.getLogger(__name__)

_ROLL = "() => String(Math.floor(Math.random() * 2 ** 32))"
WORKER: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "worker"}
"""The queue of events that draw: one at a time."""

_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def build_compare(demo: gr.Blocks, engines: EngineManager, status: gr.HTML) -> None:
    """Lay out the tab and connect it."""
    CompareHandlers(engines, layout(engines, status)).connect(demo)


@dataclass(frozen=True, eq=False)
class CompareHandlers:
    """Handlers of events. Each returns only what changes; drawing happens one job at a time, the rest at once."""

    engines: EngineManager
    parts: CompareComponents

    def connect(self, demo: gr.Blocks) -> None:
        """Attach the handlers."""
        parts, out, results = self.parts, self.parts.outputs, self.parts.results
        at_once: dict[str, Any] = {"queue": False, **_QUIET}
        triggers = [parts.run.click, parts.prompt.submit, parts.seed.submit]
        asked = gr.on(triggers, self.begin, parts.inputs, results, **at_once)
        asked.then(self.draw, parts.job, results, trigger_mode="multiple", **WORKER, **_QUIET)
        opened = demo.load(self.restore, None, out, **at_once)
        opened.then(self.draw, parts.job, results, **WORKER, **_QUIET)
        parts.stop.click(self.stop, parts.job, results, **at_once)
        parts.timer.tick(self.tick, [parts.family, parts.base, parts.job], out, **at_once)
        parts.family.change(self.show_family, parts.family, out, **at_once)
        parts.base.input(self.show_base, parts.inputs, out, **at_once)
        parts.dice.click(None, None, parts.seed, js=_ROLL, api_visibility="private")
        for side in (parts.left, parts.right):
            side.input(self.look_closer, [parts.drawn, parts.left, parts.right], parts.slider, **at_once)

    def begin(self, values: dict[Any, Any]) -> Updates:
        """Run or Enter: validate the request and create a job."""
        parts = self.parts
        if values[parts.job]:
            values[parts.job].supersede()
        try:
            panel = parts.panels[self.engines.family(values[parts.family]).name]
            seed = parse_seed(str(values[parts.seed]))
            request = Request(
                prompt=values[parts.prompt] or "",
                seed=seed,
                family=panel.family.name,
                runs=panel.runs(values),
                parameters=parts.sampling.parameters(values),
                count=int(values[parts.sampling.count]),
                base=values[parts.base] or "",
                tiny_decoder=bool(values[parts.sampling.tiny]),
            )
            return self._begun(self.engines.family_for(request), request)
        except (OSError, ValueError) as error:
            return self._refused(error)

    def _begun(self, family: Family, request: Request) -> Updates:
        parts = self.parts
        ahead = self._ahead(family, request)
        return {
            parts.board: result_cards.board(family, request, {}, running=True),
            parts.message: result_cards.message(ahead),
            parts.run: gr.Button(visible=False),
            parts.stop: gr.Button(visible=True),
            parts.closer: gr.Column(visible=False),
            parts.job: Job(request, family, ahead=ahead),
            parts.timer: gr.Timer(active=True),
        }

    def _ahead(self, family: Family, request: Request) -> str:
        """Sentences, before anything is drawn, about what will not be drawn as asked, and about the time it takes."""
        words = result_cards.unknown_words(family, request.prompt)
        expected = self.engines.expected_time(family, request)
        return " ".join(filter(None, (words, *warnings_of(planned(family, request)), expected)))

    def _refused(self, error: Exception) -> Updates:
        return {
            self.parts.message: result_cards.complaint(error),
            self.parts.job: None,
            **self._idle(),
        }

    def _idle(self) -> Updates:
        return {self.parts.run: gr.Button(visible=True), self.parts.stop: gr.Button(visible=False)}

    def draw(self, job: Job | None) -> Iterator[Updates]:
        """Draw a job, changing the page as pictures come."""
        if job is None or job.cancelled.is_set():
            yield {self.parts.job: gr.skip()}
            return
        family = job.family
        shown: dict[result_cards.Key, result_cards.Shown] = {}
        try:
            for event in self.engines.draw(job):
                if job.superseded.is_set():
                    continue
                if isinstance(event, Stopping):
                    yield {self.parts.message: result_cards.message("Stopping after this step.")}
                    continue
                shown[result_cards.key_of(event)] = result_cards.Shown.of(
                    event, result_cards.texts(family, job.request, event)
                )
                board = result_cards.board(family, job.request, shown, running=True)
                yield {self.parts.board: board, **self._remarks(job, shown)}
            last = self._finished(job, shown)
        except ValueError as error:
            last = {**self._refused(error), self.parts.board: EMPTY}
        except Exception as error:  # after any error the page must stop waiting and keep the finished pictures
            log.exception("a comparison failed")
            board = result_cards.board(family, job.request, shown, running=False)
            last = {**self._refused(error), self.parts.board: board}
        yield {self.parts.job: gr.skip()} if job.superseded.is_set() else last

    def _finished(self, job: Job, shown: Mapping[result_cards.Key, result_cards.Shown]) -> Updates:
        parts, family, request = self.parts, job.family, job.request
        ends = [one.event for one in shown.values() if isinstance(one.event, Generation)]
        updates: Updates = {parts.board: result_cards.board(family, request, shown, running=False), **self._idle()}
        updates |= {parts.job: None, parts.drawn: (drawn := [one for one in ends if one.image])}
        wanted = len(request.runs) * request.count
        stopped = "Stopped. What was finished is kept." if len(ends) < wanted else ""
        updates |= self._remarks(job, shown, stopped)
        if drawn:
            updates |= self._closer(family, request, drawn)
        return updates

    def _remarks(self, job: Job, shown: Mapping[result_cards.Key, result_cards.Shown], first: str = "") -> Updates:
        """Show parts of the request that were not applied; some are known only after the models are loaded."""
        ends = (one.event for one in shown.values() if isinstance(one.event, Generation))
        warnings = dict.fromkeys(warning for end in ends for warning in end.warnings)
        if not warnings and not first:
            return {}
        runs = planned(job.family, job.request)
        known = {warning for run in runs for warning in run.warnings}
        later = (warning for warning in warnings if warning not in known)
        return {self.parts.message: result_cards.message(" ".join(filter(None, (first, job.ahead, *later))))}

    def _closer(self, family: Family, request: Request, drawn: list[Generation]) -> Updates:
        parts = self.parts
        titles = [result_cards.title(family.spec(one.model), one, request) for one in drawn]
        names = [(name, index) for index, name in enumerate(titles)]
        base = result_cards.reference(family, drawn)
        right = drawn.index(base) if base else len(drawn) - 1
        others = [index for index in range(len(drawn)) if index != right]
        alike = [index for index in others if drawn[index].seed == drawn[right].seed]
        left = max(alike or others, default=right)
        pair = len(drawn) > 1
        return {
            parts.closer: gr.Column(visible=True),
            parts.link: result_cards.link(link(request)),
            parts.download: gr.DownloadButton(value=_grid_file(family, request, drawn)),
            parts.left: gr.Dropdown(names, value=left, visible=pair),
            parts.right: gr.Dropdown(names, value=right, visible=pair),
            parts.slider: gr.ImageSlider(value=self.look_closer(drawn, left, right), visible=pair),
        }

    def look_closer(self, drawn: list[Generation], left: int, right: int) -> Any:
        """The two pictures of the slider."""
        chosen = [drawn[index].image for index in (left, right) if index in range(len(drawn))]
        return tuple(chosen) if len(chosen) == 2 else None

    def restore(self, request: gr.Request) -> Updates:
        """A visit: where its address is a permanent link, set the page as it says and make its job."""
        self.engines.wake()
        try:
            wanted = linked(dict(request.query_params), self.engines.first)
            if wanted is None:
                return self.tick(self.engines.first, "", None)
            family, parts = self.engines.family_for(wanted), self.parts
            planned(family, wanted)  # complains about unknown models and steps
        except (OSError, ValueError) as error:
            return self._refused(error)
        changed, panel = self.engines.on_base(family.name, wanted.base), parts.panels[family.name]
        shown = self.show_family(family.name)
        form = {parts.family: family.name, parts.prompt: wanted.prompt, parts.seed: str(wanted.seed)}
        form |= {**parts.sampling.restored(family, wanted), **panel.restored(changed, wanted.runs, self.engines)}
        form[parts.base] = base_choice(family, wanted.base, elem_id=BASE_ID)
        return {**shown, **form, **self._begun(family, wanted)}

    def show_family(self, name: str) -> Updates:
        """Another family: its examples, its models, its state."""
        panels = self.parts.panels
        updates = {part: value for key, panel in panels.items() for part, value in panel.shown(key == name).items()}
        family, own = self.engines.family(name), self.engines.on_base(name, "")
        updates |= {self.parts.base: base_choice(family, elem_id=BASE_ID)}
        updates |= {self.parts.sampling.tiny: decoder_choice(family)}
        return {**updates, **panels[name].on_base(own, self.engines), **self._status(name)}

    def show_base(self, values: dict[Any, Any]) -> Updates:
        """Another base: the models that run on it, and its state."""
        name, base = values[self.parts.family], values[self.parts.base] or ""
        try:
            changed = self.engines.on_base(name, base)
        except (OSError, ValueError) as error:
            return {self.parts.message: result_cards.complaint(error)}
        return {**self.parts.panels[name].on_base(changed, self.engines, values), **self._status(name, base)}

    def _status(self, name: str, base: str = "") -> Updates:
        engines, family = self.engines, self.engines.family(name)
        return {self.parts.status: result_cards.status(family, engines.machine, engines.state(name, base))}

    def tick(self, name: str, base: str | None, job: Job | None) -> Updates:
        """Timer: progress while models load or a job runs; then the unavailable models, and the timer stops."""
        updates = self._status(name, base or "")
        if self.engines.awake and job is None:
            updates[self.parts.timer] = gr.Timer(active=False)
            for panel in self.parts.panels.values():
                updates |= panel.available(self.engines)
        return updates

    def stop(self, job: Job | None) -> Updates:
        """Stop or Esc: cancel the job, whether it waits or draws."""
        if job is None:
            return self._idle()
        job.stop()
        if job.started.is_set():
            return {self.parts.job: gr.skip()}  # the drawing job sends the remaining messages in order
        return {self.parts.message: "", self.parts.board: EMPTY, self.parts.job: None, **self._idle()}


def _grid_file(family: Family, request: Request, drawn: list[Generation]) -> str:
    words = "-".join(re.findall(r"[a-z0-9]+", request.prompt.lower()))[:60].strip("-") or "comparison"
    file = Path(tempfile.mkdtemp(prefix="hypersd-")) / f"{words}-seed-{request.seed}.png"
    write_png(file, *grid_picture(family, request, drawn))
    return str(file)
