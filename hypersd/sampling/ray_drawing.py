"""Requests drawn on a Ray cluster: tasks on actors that each hold a family's models. Ray is an optional extra."""

from __future__ import annotations

import importlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypersd.models.machine import Machine
from hypersd.models.specs import Family
from hypersd.sampling.comparison import DrawAll
from hypersd.sampling.request import Generation, Request
from hypersd.utils.environment import Backend
from hypersd.utils.errors import gist

_RETRIES = 3
"""Times that a request is drawn again after its worker was lost."""


@contextmanager
def ray_drawing(
    family: Family, address: str, *, workers: int | None = None, backend: Backend = "torch"
) -> Generator[DrawAll]:
    """Actors that hold the family's models, as a function that draws requests with them, in order.

    A worker that is lost is started again, and its request is drawn again; each request has one result. The family's
    files and the Hub's cache must be at the same place on all machines.

    Args:
        family: whose models draw.
        address: of the cluster, as in `RAY_ADDRESS`; `local` starts one on this machine.
        workers: number of actors; None is one a GPU of the cluster, or one a processor if it has no GPU.
        backend: library that runs the UNets on workers without a GPU.

    Raises:
        ValueError: Ray is not installed, or the cluster cannot be reached. The function raises an `OSError` if the
            cluster fails.
    """
    ray = _ray()
    variables = {"PYTHONPATH": str(Path(__file__).parents[2])}  # by which a worker finds this package if not installed
    options = {"log_to_driver": False, "logging_level": "ERROR", "runtime_env": {"env_vars": variables}}
    try:
        ray.init(address=address, **options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ValueError(f"the Ray cluster at {address} cannot be reached; start it, or unset RAY_ADDRESS") from error
    try:
        yield _drawing(ray, family, workers, backend)
    finally:
        ray.shutdown()


def _ray() -> Any:
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise ValueError("RAY_ADDRESS is set, but Ray is not installed; run `pip install ray`, or unset it") from error


def _drawing(ray: Any, family: Family, workers: int | None, backend: Backend) -> DrawAll:
    resources = ray.cluster_resources()
    gpus = int(resources.get("GPU", 0))
    needs = {"num_gpus": 1} if gpus else {"num_cpus": 1}
    count = workers or gpus or max(1, int(resources.get("CPU", 1)))
    actor = ray.remote(max_restarts=-1, max_task_retries=_RETRIES, **needs)(_DrawingActor)
    pool = ray.util.ActorPool([actor.remote(family, backend) for _ in range(count)])

    def draw_all(requests: Sequence[Request]) -> Iterator[Iterable[Generation]]:
        try:
            yield from pool.map(lambda worker, request: worker.draw.remote(request), requests)
        except ray.exceptions.RayError as error:
            raise OSError(f"the Ray cluster failed ({gist(error)}); give the same command again") from error

    return draw_all


class _DrawingActor:
    """Holds the models of a family on a machine of the cluster."""

    def __init__(self, family: Family, backend: Backend) -> None:
        from hypersd.models.engine import Engine  # noqa: PLC0415 - on the worker alone

        machine = Machine.here()
        self.engine = Engine(family, machine.with_backend(backend) if machine.device == "cpu" else machine)

    def draw(self, request: Request) -> list[Generation]:
        """All pictures of a request."""
        from hypersd.sampling.comparison import compare  # noqa: PLC0415 - on the worker alone

        return [event for event in compare(request, self.engine) if isinstance(event, Generation)]
