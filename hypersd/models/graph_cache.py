"""Graphs of UNets on disk, so that only the first start converts them; any of them may be deleted at any time."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from hypersd.models.unet_graph import GRAPH
from hypersd.utils.files import atomic_folder

log = logging.getLogger(__name__)

LIMIT = 20 * 10**9
"""Bytes of all graphs: beyond, those that were used least recently are deleted."""


@dataclass(frozen=True)
class GraphCache:
    """Folder with a folder for each graph, named by the hash of everything that decides it."""

    folder: Path

    def graph(
        self, recipe: Mapping[str, object], read: Callable[[Path], Any], write: Callable[[Path], None]
    ) -> Any | None:
        """A graph, written first if it is not there or damaged; None if it cannot be written.

        Args:
            recipe: everything that decides the graph, as a JSON object.
            read: reads a graph's files from a folder; an `OSError` means that they are damaged.
            write: writes them into a folder; a part of them is never seen in its place.
        """
        place = self.folder / sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()
        if (place / GRAPH).exists():
            try:
                (place / GRAPH).touch()
                return read(place)
            except OSError as error:
                log.warning("%s is converted anew: %s", place, error)
                shutil.rmtree(place, ignore_errors=True)
        try:
            with atomic_folder(place) as part:
                write(part)
            self._make_room(place)
            return read(place)
        except OSError as error:
            log.warning("the converted UNet is not kept for the next start: %s", error)
            return None

    def _make_room(self, newest: Path) -> None:
        others = [file.parent for file in self.folder.glob(f"*/{GRAPH}") if file.parent != newest]
        held = _size(newest)
        for place in sorted(others, key=lambda each: (each / GRAPH).stat().st_mtime, reverse=True):
            held += _size(place)
            if held > LIMIT:
                shutil.rmtree(place, ignore_errors=True)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())
