"""Engines of the page, loaded in the background, and the drawing of its jobs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from app.services.draw_job import DrawEvent, Job
from app.services.family_engines import FamilyEngines
from app.services.gpu_calls import GPUCalls, ZeroGPU
from app.services.page_metrics import PageMetrics
from hypersd.models.changed_base import ChangedBase
from hypersd.models.control_availability import control_availability
from hypersd.models.family_bases import with_named_base
from hypersd.models.family_parts import OtherBase
from hypersd.models.machine import Machine
from hypersd.models.offered_bases import offered_bases, with_offered
from hypersd.models.registry import Availability, availability
from hypersd.models.specs import Family, ModelSpec
from hypersd.models.tiny_decoder import with_tiny_decoder
from hypersd.sampling.planning import planned
from hypersd.sampling.request import Generation, Preview, Request
from hypersd.utils.errors import gist

if TYPE_CHECKING:
    from hypersd.models.engine import Engine


class EngineManager:
    """The families of the page and their engines.

    A background thread imports torch and diffusers, which takes seconds; code that needs them waits for it. `machine`
    is None until then.
    """

    def __init__(
        self,
        families: Mapping[str, Family],
        first: str,
        again: Callable[[], Mapping[str, Family]] | None = None,
        gpu: ZeroGPU | None = None,
        bases: Sequence[str] = (),
        *,
        most_unets: int | None = None,
    ) -> None:
        """Nothing is loaded yet.

        Args:
            families: by name.
            first: the family that is loaded first, and draws for the arena.
            again: reads the families again, to find contestants registered while the page is served.
            gpu: draws in GPU calls; None is in this process.
            bases: the owner's list of other bases, as `SOURCE` or `NAME=SOURCE`.
            most_unets: UNets that a CPU holds at a time beside the base's; None is as many as fit.
        """
        self.metrics = PageMetrics()
        self.families, self.first, self._again = families, first, again or (lambda: families)
        self.machine: Machine | None = None
        self._failure = ""
        self._sources, self._offered = bases, tuple[OtherBase, ...]()
        self._engines = FamilyEngines(lambda: self.machine or self._machine())
        self._lock = threading.Lock()
        self._machine_known = threading.Event()
        self._at_work = 0
        self._waker = threading.Thread(target=self._wake, name="studio", daemon=True)
        self._gpu, self._most_unets = gpu, most_unets
        self._calls = GPUCalls(gpu, self._engine_for, self._after_fork) if gpu else None

    def wake(self) -> None:
        """Start loading the first family in the background, if not started yet."""
        with self._lock:
            if self._waker.ident is None and not self.awake:
                self._waker.start()

    def prepare(self) -> None:
        """Before the page is built: check the owner's other bases. In GPU calls, load the first family, on this thread.

        Only what the main thread has loaded by then is on the GPU when a call begins.
        """
        if self._sources:
            self._offered = offered_bases(self._sources, self.families, self._machine())
            self.families = with_offered(self.families, self._offered)
        if self._gpu:
            self._wake()

    def join(self) -> None:
        """Wait until the first family is loaded, or has failed to load; `wake` must have been called."""
        self._machine_known.wait()

    def family(self, name: str) -> Family:
        """A family by name.

        Raises:
            ValueError: there is none; the message lists those that exist.
        """
        if name not in self.families:
            raise ValueError(f"unknown family {name!r}; choose from: {', '.join(self.families)}")
        return self.families[name]

    def family_for(self, request: Request) -> Family:
        """A request's family on the request's base, with its decoder.

        Raises:
            OSError: the base's file is damaged.
            ValueError: there is no such family, base or decoder, or a model does not run on the base.
        """
        changed = self.on_base(request.family, request.base)
        changed.check(run.model for run in request.runs)
        return with_tiny_decoder(changed.family) if request.tiny_decoder else changed.family

    def on_base(self, name: str, base: str) -> ChangedBase:
        """A family on one of the bases that it offers, or on its own if `base` is empty.

        Raises:
            OSError: the base's file is damaged.
            ValueError: there is no such family or base.
        """
        family = self.family(name)
        return with_named_base(family, base) if base else ChangedBase(family=family, left_out={})

    def refresh(self) -> None:
        """Add newly registered contestants, and remove retired ones."""
        families = with_offered(self._again(), self._offered)
        if families != self.families:
            self.families = families
            self._engines.refresh(families)

    def availability(self, family: Family, spec: ModelSpec, steps: int | None = None) -> Availability | None:
        """Availability of a model on this machine, at a number of steps or its default; None while unknown."""
        return availability(family, spec, self.machine, steps) if self.machine else None

    def expected_time(self, family: Family, request: Request) -> str:
        """Sentence about the seconds that a request takes with its family; empty where they are few or unknown.

        Raises:
            ValueError: a model is unknown, or does not run as requested.
        """
        if self.machine is None or not family.unet_tflop:
            return ""
        from hypersd.sampling.expected_time import expected_time  # noqa: PLC0415 - brings torch

        return expected_time(family, request, self.machine)

    def state(self, name: str, base: str = "") -> str:
        """State of a family's base: "starting", "idle", "fetching …", "loading", "ready", or "failed: " and why."""
        if self._failure:
            return f"failed: {self._failure}"
        if self.machine is None:
            return "starting"
        engine = self._engines.get(name, base)
        return engine.state if engine else "idle"

    @property
    def awake(self) -> bool:
        """True if the first family is loaded, or has failed to load."""
        return self._machine_known.is_set()

    def draw(self, job: Job) -> Iterator[DrawEvent]:
        """Draw a job's request, yielding its events as they occur.

        A separate thread does the work. It ends within one UNet call when the job is cancelled or the iteration is
        closed (the visitor has left), so it never blocks the models. In a GPU call it ends with the next event instead.

        Raises:
            ValueError: a model of the request cannot run here, or the visitor gets no GPU; the message says why.
        """
        yield from job.run(self._drawn)

    def engine(self, timeout: float) -> Engine | None:
        """The first family's engine; None if it is not loaded within so many seconds, or cannot be.

        It loads again what was let go of for another base.
        """
        if not self._machine_known.wait(timeout):
            return None
        engine = self._engines.get(self.first)
        return engine if engine and not engine.state.startswith("failed") else None

    def engine_without_visitor(self) -> Engine | None:
        """The first family's loaded engine for work that no visitor waits for; None if there is none.

        GPU calls need a visitor: instead of them a family that lives in a folder, which is small, draws on the CPU.
        """
        engine = self.engine(timeout=0)
        if not engine or not self._gpu:
            return engine
        from hypersd.models.engine import Engine  # noqa: PLC0415 - brings torch and diffusers

        return Engine(engine.family, Machine.cpu()) if engine.family.folder else None

    @property
    def scoring_machine(self) -> Machine:
        """The machine on which pictures are scored, outside of GPU calls."""
        return Machine.cpu() if self._gpu or not self.machine else self.machine

    @contextmanager
    def drawing(self) -> Generator[None]:
        """Within this context a visitor waits for the models: whatever works ahead makes room."""
        with self._lock:
            self._at_work += 1
        try:
            yield
        finally:
            with self._lock:
                self._at_work -= 1

    def busy(self) -> bool:
        """True if a visitor waits for the models."""
        return self._at_work > 0

    @property
    def at_work(self) -> int:
        """Number of visitors' requests that use the models or wait for them."""
        return self._at_work

    def _drawn(self, job: Job) -> Generator[Preview | Generation]:
        while not self._machine_known.wait(timeout=0.1):
            if job.cancelled.is_set():
                return
        requests = [job.request, *([job.then] if job.then else [])]
        for request in requests:
            self._check(job.family, request)
        with self.drawing():
            for event in self._generations(requests, job):
                yield event
                if isinstance(event, Generation):
                    self.metrics.count_draw(job.request.family, event.model, None if event.error else event.seconds)

    def _generations(self, requests: Sequence[Request], job: Job) -> Generator[Preview | Generation]:
        cancelled = job.cancelled.is_set
        if self._calls:
            yield from self._calls.draw(requests, previews=job.previews, cancelled=cancelled)
            return
        from hypersd.sampling.comparison import compare  # noqa: PLC0415 - torch is there by now

        for request in requests:
            yield from compare(request, self._engine_for(request), cancelled=cancelled, previews=job.previews)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        self._engines.after_fork()
        self.refresh()

    def _check(self, family: Family, request: Request) -> None:
        planned(family, request)
        for run in request.runs:
            spec = family.spec(run.model)
            can = self.availability(family, spec, run.steps)
            if can and not can.available:
                raise ValueError(f"{family.title} {spec.title} cannot run here: {can.reason}")
        if request.control and self.machine:
            able = control_availability(family, request.control.mode, self.machine)
            if not able.available:
                raise ValueError(able.reason)

    def _engine_for(self, request: Request) -> Engine:
        return self._engines.ensure(self.families[request.family], request.base)

    def _load(self, engine: Engine) -> None:
        if not self._gpu:
            engine.load()
            return
        from hypersd.models.placement import place  # noqa: PLC0415 - brings torch

        place(engine)

    def _machine(self) -> Machine:
        machine = self._gpu.machine() if self._gpu else Machine.here()
        return replace(machine, most_unets=self._most_unets if machine.device == "cpu" else None)

    def _wake(self) -> None:
        try:
            self.machine = self._machine()
            family = self.families[self.first]
            if any(availability(family, spec, self.machine).available for spec in family.specs):
                self._load(self._engines.ensure(family))
        except Exception as error:  # noqa: BLE001 - whatever it is, the page says it instead of waiting for ever
            self._failure = gist(error)
        finally:
            self._machine_known.set()
