"""A stand-in for `spaces.GPU` on this machine: it forks, pickles, counts a visitor's quota, and refuses."""

from __future__ import annotations

import inspect
import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import gradio as gr
from gradio.context import LocalContext

_FORK = multiprocessing.get_context("fork")


@dataclass
class Worker:
    """A forked process, which does one task after another."""

    task: Callable[..., Iterator[Any]]

    def __post_init__(self) -> None:
        self.arguments, self.results, self.stop = _FORK.SimpleQueue(), _FORK.SimpleQueue(), _FORK.Event()
        self.process = _FORK.Process(target=self._serve, daemon=True)
        self.process.start()

    def _serve(self) -> None:
        while True:
            arguments = self.arguments.get()
            self.stop.clear()
            try:
                for result in self.task(*arguments):
                    if self.stop.is_set():
                        break
                    self.results.put(("yield", result))
                self.results.put(("end", None))
            except Exception as error:  # noqa: BLE001 - as `spaces`: of an error only its class arrives
                self.results.put(("error", type(error).__name__))

    def run(self, arguments: tuple[Any, ...]) -> Iterator[Any]:
        self.arguments.put(arguments)
        ended = False
        try:
            while True:
                kind, value = self.results.get()
                ended = kind != "yield"
                if kind == "error":
                    raise gr.Error(value, title="ZeroGPU worker error", print_exception=False)
                if ended:
                    return
                yield value
        finally:
            self.stop.set()
            while not ended:
                ended = self.results.get()[0] != "yield"


@dataclass
class StandInGPU:
    """`spaces.GPU`.

    Args:
        left: seconds of the visitors' quota.
        calls: seconds that each call asked for, and the headers of the visitor's request (None without one).
        error: raised by the next call instead of it.
    """

    left: int = 100_000
    calls: list[tuple[int, Any]] = field(default_factory=list[tuple[int, Any]])
    workers: list[Worker] = field(default_factory=list[Worker])
    error: gr.Error | None = None

    def __call__(self, *, duration: Callable[..., int]) -> Callable[..., Callable[..., Iterator[Any]]]:
        def decorate(task: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
            assert inspect.isgeneratorfunction(task)

            def call(*arguments: Any) -> Iterator[Any]:
                request = LocalContext.request.get(None)
                seconds = duration(*arguments)
                self.calls.append((seconds, dict(request.headers) if request else None))
                if self.error:
                    raise self.error
                if seconds > self.left:
                    words = f"You have exceeded your free ZeroGPU quota ({seconds}s requested vs. {self.left}s left)."
                    raise gr.Error(
                        f"{words} Try again in 3:10:20. ", title="ZeroGPU quota exceeded", print_exception=False
                    )
                self.left -= seconds
                if not self.workers:
                    self.workers.append(Worker(task))
                yield from self.workers[-1].run(arguments)

            return call

        return decorate

    def end(self) -> None:
        """End the processes; the next call forks again."""
        for worker in self.workers:
            worker.process.kill()
            worker.process.join()
        self.workers.clear()
