"""The Sweep tab: models × steps on one seed, with the cost of every cell and a mark for the first good one."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr

from app.pages.base_choice import base_choice
from app.pages.compare import result_cards
from app.pages.compare.model_picker import Updates
from app.pages.sweep.sweep_layout import BASE_ID, SweepComponents, layout, model_choices, step_choices
from app.pages.sweep.sweep_view import SweepShown, sweep_html, thumbnail
from app.services.draw_job import Job, Stopping
from app.services.engines import EngineManager
from app.texts import sentence
from hypersd.models.machine import Machine
from hypersd.models.specs import Family
from hypersd.sampling.planning import planned
from hypersd.sampling.png import write_png
from hypersd.sampling.record import changed_base_record, grid_texts, run_record, versions
from hypersd.sampling.request import Generation, Request, Run, parse_seed
from hypersd.sampling.step_sweep import SweepTable, reference_request, sweep_record, usual_steps
from hypersd.sampling.sweep_picture import sweep_picture
from hypersd.utils.errors import gist

log = logging.getLogger(__name__)

_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
_WORKER: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "worker", "trigger_mode": "multiple"}


def build_sweep(engines: EngineManager) -> None:
    """Lay out the tab and connect it."""
    SweepHandlers(engines, layout(engines)).connect()


@dataclass(frozen=True, eq=False)
class SweepHandlers:
    """Handlers of events. Each returns only what changes."""

    engines: EngineManager
    parts: SweepComponents

    def connect(self) -> None:
        """Attach the handlers."""
        parts = self.parts
        at_once: dict[str, Any] = {"queue": False, **_QUIET}
        form = {parts.prompt, parts.seed, parts.family, parts.base, parts.models, parts.steps, parts.job}
        triggers = [parts.run.click, parts.prompt.submit, parts.seed.submit]
        asked = gr.on(triggers, self.begin, form, parts.results, **at_once)
        asked.then(self.draw, [parts.job, parts.order], parts.results, **_WORKER, **_QUIET)
        parts.stop.click(self.stop, parts.job, parts.results, **at_once)
        chosen = [parts.models, parts.steps]
        parts.family.change(self.show_family, parts.family, [parts.base, *chosen], **at_once)
        parts.base.input(self.show_base, [parts.family, parts.base], [parts.message, *chosen], **at_once)
        parts.order.input(self.sort, [parts.shown, parts.order], [parts.board], **at_once)

    def begin(self, values: dict[Any, Any]) -> Updates:
        """Run or Enter: validate the request and create a job."""
        parts = self.parts
        if values[parts.job]:
            values[parts.job].supersede()
        try:
            base = values[parts.base] or ""
            family = self.engines.on_base(values[parts.family], base).family
            request = Request(
                prompt=values[parts.prompt] or "",
                seed=parse_seed(values[parts.seed] or ""),
                family=family.name,
                runs=_runs(family, values[parts.models], values[parts.steps]),
                base=base,
            )
            planned(family, request)
        except (OSError, ValueError) as error:
            return self._refused(error)
        return {
            parts.run: gr.Button(visible=False),
            parts.stop: gr.Button(visible=True),
            parts.message: "",
            parts.download: gr.DownloadButton(visible=False),
            parts.job: Job(request, family, then=reference_request(family, request), previews=False),
            parts.shown: None,
        }

    def draw(self, job: Job | None, order: Any) -> Iterator[Updates]:
        """Draw a sweep, showing each cell as soon as it is finished."""
        if job is None or job.cancelled.is_set():
            yield {self.parts.job: gr.skip()}
            return
        family = job.family
        shown = SweepShown(request=job.request, table=SweepTable.of(family, job.request, ()), pictures={})
        extra: list[Generation] = []
        try:
            yield {self.parts.board: sweep_html(family, shown, order, running=True)}
            for event in self.engines.draw(job):
                if job.superseded.is_set():
                    continue
                if isinstance(event, Stopping):
                    yield {self.parts.message: result_cards.message("Stopping after this step.")}
                elif isinstance(event, Generation) and len(shown.drawn) < len(job.request.runs):
                    shown = _added(family, shown, event)
                    yield {self.parts.board: sweep_html(family, shown, order, running=True)}
                elif isinstance(event, Generation):
                    extra.append(event)
                    words = f"Drawing more pictures by the base, to know how much they differ: {len(extra)} so far."
                    yield {self.parts.message: result_cards.message(words)}
            last = self._finished(job, shown, extra, order)
        except Exception as error:  # after any error the page must stop waiting and keep the finished pictures
            if not isinstance(error, ValueError):
                log.exception("a sweep failed")
            last = {**self._refused(error), self.parts.board: sweep_html(family, shown, order, running=False)}
        yield {self.parts.job: gr.skip()} if job.superseded.is_set() else last

    def _finished(self, job: Job, shown: SweepShown, extra: list[Generation], order: Any) -> Updates:
        parts, family, whole = self.parts, job.family, len(shown.drawn) == len(job.request.runs)
        stopped = not whole or (job.then is not None and len(extra) < job.then.count)
        words = "Stopped. What was finished is kept, without a mark." if stopped else ""
        table = shown.table if stopped else marked(family, shown, extra, self.engines.scoring_machine)
        shown = replace(shown, table=table)
        drawn = any(each.image for each in shown.drawn)
        download = gr.DownloadButton(value=sweep_file(family, shown, order), visible=True) if drawn else gr.skip()
        return {
            **self._idle(),
            parts.message: result_cards.message(words),
            parts.board: sweep_html(family, shown, order, running=False),
            parts.download: download,
            parts.job: None,
            parts.shown: shown,
        }

    def _refused(self, error: Exception) -> Updates:
        return {**self._idle(), self.parts.message: result_cards.complaint(error), self.parts.job: None}

    def _idle(self) -> Updates:
        return {self.parts.run: gr.Button(visible=True), self.parts.stop: gr.Button(visible=False)}

    def stop(self, job: Job | None) -> Updates:
        """Stop or Esc: cancel the job, whether it waits or draws."""
        if job is None:
            return self._idle()
        job.stop()
        if job.started.is_set():
            return {self.parts.job: gr.skip()}  # the drawing job sends the remaining messages in order
        return {self.parts.job: None, **self._idle()}

    def show_family(self, name: str) -> Updates:
        """Another family: its bases, its models and steps."""
        family = self.engines.family(name)
        return {self.parts.base: base_choice(family, elem_id=BASE_ID), **self._choices(family)}

    def show_base(self, name: str, base: str | None) -> Updates:
        """Another base: the models that run on it, and their steps."""
        try:
            return self._choices(self.engines.on_base(name, base or "").family)
        except (OSError, ValueError) as error:
            return {self.parts.message: result_cards.complaint(error)}

    def _choices(self, family: Family) -> Updates:
        return {
            self.parts.models: gr.CheckboxGroup(model_choices(family), value=[spec.name for spec in family.specs]),
            self.parts.steps: gr.CheckboxGroup(step_choices(family), value=list(usual_steps(family))),
        }

    def sort(self, shown: SweepShown | None, order: Any) -> Any:
        """Sort the rows of the shown table."""
        if shown is None:
            return gr.skip()
        return sweep_html(self.engines.family_for(shown.request), shown, order, running=False)


def _runs(family: Family, models: list[str], steps: list[int]) -> tuple[Run, ...]:
    """Runs of the chosen models at those of the chosen steps at which they run.

    Raises:
        ValueError: nothing is chosen, or no model runs at any of the steps.
    """
    from hypersd.sampling.runs import expand  # noqa: PLC0415 - brings torch

    if not models:
        raise ValueError("no model is chosen; choose at least one")
    if not steps:
        raise ValueError("no number of steps is chosen; choose at least one")
    runs = tuple(run for run in expand(family, None, steps) if run.model in models)
    if not runs:
        raise ValueError("none of these models runs at these numbers of steps; choose others")
    return runs


def _added(family: Family, shown: SweepShown, event: Generation) -> SweepShown:
    drawn = (*shown.drawn, event)
    pictures = {**shown.pictures, (event.model, event.steps): (thumbnail(event),)}
    return replace(shown, drawn=drawn, pictures=pictures, table=SweepTable.of(family, shown.request, drawn))


def marked(family: Family, shown: SweepShown, extra: list[Generation], machine: Machine) -> SweepTable:
    """The table with scores of the family's judge, or with the reason why there are none."""
    from hypersd.evaluate.good_enough import check_scorable, quality_score, scored  # noqa: PLC0415 - brings torch

    try:
        check_scorable(family, shown.request)
        quality = quality_score(family, machine)
        return scored(shown.table, family, shown.request.prompt, shown.drawn, extra=extra, quality=quality)
    except (OSError, ValueError) as error:
        return replace(shown.table, remark=sentence(gist(error)))


def sweep_file(family: Family, shown: SweepShown, order: Any) -> str:
    """Write a sweep as one picture with its parameters as metadata; return its path."""
    table = shown.table.ordered(order)
    runs = [run_record(each, family, None) for each in shown.drawn]
    context = {**changed_base_record(family), "versions": versions(), "sweep": sweep_record(table)}
    texts = grid_texts(shown.request, runs, context)
    file = Path(tempfile.mkdtemp(prefix="hypersd-")) / f"sweep-seed-{shown.request.seed}.png"
    write_png(file, sweep_picture(shown.request, table, shown.drawn), texts)
    return str(file)
