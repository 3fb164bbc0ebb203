"""Engines of the page's families, one for each base; of a downloaded family one base at a time is in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hypersd.models.family_bases import on_named_base
from hypersd.models.machine import Machine
from hypersd.models.specs import Family

if TYPE_CHECKING:
    from hypersd.models.engine import Engine


class FamilyEngines:
    """Engines by their families' names and their bases'; an empty name is the family's own base. Thread-safe.

    Loading a base of a downloaded family lets go of the family's other bases: each has gigabytes. The styles of a
    family that is shipped are small, and stay.

    Args:
        machine: returns the machine on which they draw.
    """

    def __init__(self, machine: Callable[[], Machine]) -> None:
        self._machine = machine
        self._engines: dict[tuple[str, str], Engine] = {}
        self._lock, self._turn = threading.Lock(), threading.Lock()

    def get(self, name: str, base: str = "") -> Engine | None:
        """The engine of a family's base; None if it was not asked for yet."""
        return self._engines.get((name, base))

    def ensure(self, family: Family, base: str = "") -> Engine:
        """The engine of a family's base, of which nothing may be loaded yet.

        Raises:
            OSError, ValueError: the base cannot be used.
        """
        from hypersd.models.engine import Engine  # noqa: PLC0415 - brings torch and diffusers

        key = family.name, base
        with self._lock:
            if key not in self._engines:
                based = on_named_base(family, base)
                self._engines[key] = Engine(based, self._machine(), lambda: self._alone(based, base))
            return self._engines[key]

    def refresh(self, families: Mapping[str, Family]) -> None:
        """Let the engines know the families' models as they are now."""
        with self._lock:
            for (name, base), engine in self._engines.items():
                engine.family = on_named_base(families[name], base)

    def after_fork(self) -> None:
        """Make the engines usable in a forked process, where the threads that held locks do not exist."""
        self._lock, self._turn = threading.Lock(), threading.Lock()
        for engine in self._engines.values():
            engine.after_fork()

    @contextmanager
    def _alone(self, family: Family, base: str) -> Generator[None]:
        """Within this context a base is loaded, with the family's other bases out of memory."""
        if family.folder is not None:
            yield
            return
        with self._turn:
            with self._lock:
                others = [each for key, each in self._engines.items() if key[0] == family.name and key[1] != base]
            for other in others:
                other.release()
            yield
