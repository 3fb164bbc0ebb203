"""The place where a command draws: this process, or the Ray cluster of `RAY_ADDRESS`."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from hypersd.models.engine import Engine
from hypersd.sampling.comparison import DrawAll, drawn_by
from hypersd.sampling.ray_drawing import ray_drawing
from hypersd.utils.environment import Environment


@contextmanager
def drawing(engine: Engine) -> Generator[DrawAll]:
    """A function that draws requests of the engine's family.

    Raises:
        ValueError: `RAY_ADDRESS` names a cluster that cannot be used.
    """
    if address := Environment.read().ray:
        with ray_drawing(engine.family, address, backend=engine.machine.backend) as draw_all:
            yield draw_all
    else:
        yield drawn_by(engine)
