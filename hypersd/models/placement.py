"""Placing a family's weights on the device ahead of all requests."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager

from hypersd.models.engine import Engine
from hypersd.models.registry import is_local

log = logging.getLogger(__name__)


def place(engine: Engine) -> None:
    """Load the base, and the weights of all recipes and ControlNets that are on disk, as far as memory allows.

    Faulty weights are logged and left out: whoever asks for their model sees the reason.

    Raises:
        DownloadError, OSError: the base cannot be fetched or read.
    """
    engine.load()
    family = engine.family
    for recipe in (recipe for spec in family.specs for recipe in spec.recipes):
        if is_local(family, recipe.weights, engine.machine):
            with _faults_logged(), engine.use(recipe):
                pass
    for net in family.controlnets:
        if is_local(family, net.weights, engine.machine):
            with _faults_logged():
                engine.controlnet(net.modes[0])


@contextmanager
def _faults_logged() -> Generator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        log.warning("weights are left out: %s", error)
