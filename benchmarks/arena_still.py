"""The arena's HTTP routes alone, with pairs of noise and no models: the cost of a vote by itself.

    HYPERSD_DATA=FOLDER GRADIO_SERVER_PORT=PORT python -m benchmarks.arena_still [--pairs 2000]

`benchmarks.arena_load --still` starts it in place of the app.
"""

from __future__ import annotations

import argparse
import os
from itertools import combinations, islice

import numpy as np
import uvicorn
from PIL import Image
from sqlalchemy import insert
from starlette.applications import Starlette

from app.api.routes import routes
from app.services.arena import Arena, open_arena
from app.services.background import settle_memory, short_turns
from app.services.engines import EngineManager
from app.services.settings import AppSettings
from hypersd.arena.store.mapping import pair_row
from hypersd.arena.store.tables import PAIRS
from hypersd.arena.votes.battle import Contestant, Entry, Pair

_PICTURES = 64
"""Enough for 2,016 pairs."""

_SIZE = 128
"""As the embedded family draws."""

_BLOTCHES = 4
"""Along a side: both pictures of a pair are then 30 kB, where the embedded family's are 28 kB (232 pairs of a pool)."""


def fill(arena: Arena, count: int) -> None:
    """Add pairs to the pool as its worker does, each of two other pictures: blotches that compress like a scene."""
    rng = np.random.default_rng(0)
    blotches = rng.integers(0, 256, (_PICTURES, _BLOTCHES, _BLOTCHES, 3), dtype=np.uint8)
    names = [arena.pictures.put(Image.fromarray(one).resize((_SIZE, _SIZE))) for one in blotches]
    pairs: list[Pair] = []
    for number, pictures in enumerate(islice(combinations(names, 2), count)):
        first, second = (
            Entry(contestant=Contestant("emoji", model, 4), picture=picture, seconds=1, calls=4, version="1")
            for model, picture in zip(("base", "hyper"), pictures, strict=True)
        )
        arena.pictures.prepare_sheets(*pictures)
        prompt = f"pair {number}"
        pairs.append(Pair(prompt=prompt, prompt_set="noise", seed=number, entries=(first, second), probability=1))
    if pairs:
        with arena.store.engine.begin() as connection:  # in one transaction: each commit waits for the disk
            connection.execute(insert(PAIRS), [pair_row(pair) for pair in pairs])


def main() -> None:
    """Serve until it is stopped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=2000)
    options = parser.parse_args()
    settings = AppSettings.from_environment()
    arena = open_arena(EngineManager(settings.families(), settings.family), settings)
    if arena is None:
        raise SystemExit("the store cannot be opened")
    if not arena.store.pairs.pool_size(None):  # a server that was killed finds the pairs of its start
        fill(arena, options.pairs)
    port = int(os.environ["GRADIO_SERVER_PORT"])
    short_turns()
    settle_memory()
    uvicorn.run(Starlette(routes=routes(arena)), host="127.0.0.1", port=port, log_level="error")


if __name__ == "__main__":
    main()
