"""Schedulers by their names: those of diffusers, and those of papers that it does not have."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import diffusers

from hypersd.models.libraries import quietly
from hypersd.models.perflow import PeRFlowScheduler
from hypersd.models.specs import Scheduler

_OWN_SCHEDULERS: Mapping[str, Any] = MappingProxyType({"PeRFlowScheduler": PeRFlowScheduler})
"""Schedulers by the names of their papers' code, which diffusers does not have."""


def build_scheduler(base: Any, scheduler: Scheduler) -> Any:
    """The named scheduler with the base scheduler's configuration, but for the given arguments."""
    kind = _OWN_SCHEDULERS.get(scheduler.name) or getattr(diffusers, scheduler.name)
    with quietly():  # another scheduler's configuration has keys that this one ignores, and says so
        return kind.from_config(base.config, **scheduler.arguments)
