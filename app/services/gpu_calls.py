"""Drawing on a ZeroGPU Space: all pictures of a job in one GPU call, in a forked process, on a visitor's quota.

`spaces.GPU` forks this process and pickles arguments and results, so what a call changes in memory is lost: each call
depends only on its arguments and on what was loaded before the fork.
"""

from __future__ import annotations

import logging
import multiprocessing
import re
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hypersd.models.machine import Machine
from hypersd.models.specs import Family
from hypersd.models.weights import Weights
from hypersd.sampling.gpu_time import GPUTime, WeightLoad
from hypersd.sampling.request import Generation, Preview, Request
from hypersd.utils.environment import Environment
from hypersd.utils.errors import Cancelled

if TYPE_CHECKING:
    import gradio as gr

    from hypersd.models.engine import Engine

log = logging.getLogger(__name__)

CallEvent = Preview | Generation
Decorator = Callable[..., Callable[[Callable[..., Any]], Callable[..., Any]]]
"""`spaces.GPU`: called with `duration`, a function of the arguments of the decorated function."""

_PREVIEW_EVERY = 4
_QUOTA = {"ZeroGPU quota exceeded", "ZeroGPU pending credits exceeded"}
_USED_UP = "your time on the GPU is used up{later}; until then, vote on pairs that are drawn already"
_TOO_LONG = "these pictures take more GPU time than one run may have; choose fewer models, steps or pictures"
_NONE_FREE = "no GPU is free at the moment; try again in a minute"
_STOPPED = "the GPU was taken away before all pictures were finished; choose fewer models, steps or pictures"


class GPURefused(ValueError):  # noqa: N818 - a refusal, not a fault
    """A visitor gets no GPU, or no more of it; the message says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZeroGPU:
    """ZeroGPU as the page uses it.

    Args:
        decorate: `spaces.GPU`.
        machine: describes the machine within a call.
    """

    decorate: Decorator
    machine: Callable[[], Machine] = Machine.zero_gpu

    @classmethod
    def here(cls, environment: Environment) -> ZeroGPU | None:
        """ZeroGPU of this Space; None elsewhere.

        Call it on the main thread before any CUDA: `spaces` emulates a GPU on the thread that imports it.

        Raises:
            ImportError: the Space, which brings `spaces` itself, does not have it.
        """
        if not environment.zero_gpu:
            return None
        import spaces  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

        return cls(decorate=spaces.GPU)


@dataclass(eq=False)
class GPUCalls:
    """GPU calls of a page.

    Args:
        gpu: makes the calls.
        engine: returns the engine of a request's family and base.
        forked: called first in a forked process.
    """

    gpu: ZeroGPU
    engine: Callable[[Request], Engine]
    forked: Callable[[], None]
    _call: Callable[..., Generator[CallEvent]] = field(init=False)

    time: GPUTime = field(default_factory=GPUTime)

    def __post_init__(self) -> None:
        self._call = self.gpu.decorate(duration=self.seconds)(self.work)

    def draw(
        self, requests: Sequence[Request], *, previews: bool, cancelled: Callable[[], bool]
    ) -> Generator[CallEvent]:
        """Draw the requests, all of one family, in one call; it ends with the next event once `cancelled` is true.

        Raises:
            GPURefused: the visitor's quota is used up, no GPU is free, or it was taken away.
        """
        from gradio.exceptions import Error  # noqa: PLC0415 - 80 MB that the process that prepares pairs does not need

        engine = self.engine(requests[0])
        with suppress(Cancelled):
            engine.fetch(_weights(engine.family, requests), cancelled)  # a download takes no time of the GPU
        if cancelled():
            return
        events = self._call(tuple(requests), previews)
        try:
            for event in events:
                if cancelled():
                    return
                if isinstance(event, Generation):
                    self.time.record(engine.family, requests[0], event)
                yield event
        except Error as error:
            raise refusal(error) from error
        finally:
            events.close()

    def seconds(self, requests: Sequence[Request], previews: bool) -> int:  # noqa: FBT001 - as `work`, whose arguments it gets
        """Seconds of a GPU to ask for."""
        engine = self.engine(requests[0])
        family = engine.family
        base = family.memory_gb
        own = family.unet_gb * sum(
            weights.kind in ("unet", "delta", "pipeline") and not engine.holds(weights)
            for weights in _weights(family, requests)
        )
        load = WeightLoad(placed_gb=base if engine.loaded else 0, unplaced_gb=own + (0 if engine.loaded else base))
        return self.time.seconds(family, requests, load, preview_every=_PREVIEW_EVERY if previews else 0)

    def work(self, requests: Sequence[Request], previews: bool) -> Generator[CallEvent]:  # noqa: FBT001 - it is called by `spaces`
        """Draw the requests where the GPU is. Arguments and events are pickled."""
        from hypersd.sampling.comparison import compare  # noqa: PLC0415 - torch is there by now

        if multiprocessing.parent_process() is not None:
            self.forked()
        for request in requests:
            yield from compare(request, self.engine(request), previews=previews)


def refusal(error: gr.Error) -> Exception:
    """An error of `spaces` as a refusal for the visitor; other errors are returned as they are."""
    if error.title in _QUOTA:
        later = re.search(r"[Tt]ry again in ([\d:]+)", str(error.message))
        return GPURefused(_USED_UP.format(later=f" (you get more in {later[1]} hours)" if later else ""))
    if error.title == "ZeroGPU illegal duration":
        return GPURefused(_TOO_LONG)
    if error.title in {"ZeroGPU queue timeout", "ZeroGPU client error"}:
        return GPURefused(_NONE_FREE)
    if error.title == "ZeroGPU worker error":
        log.error("a GPU call ended early: %s", error.message)
        return GPURefused(_STOPPED)
    return error


def _weights(family: Family, requests: Sequence[Request]) -> list[Weights]:
    """Weights that the requests need beside the base."""
    wanted = [family.spec(run.model).recipe(run.steps).weights for request in requests for run in request.runs]
    wanted += [family.controlnet(request.control.mode).weights for request in requests if request.control]
    return list(dict.fromkeys(wanted))
