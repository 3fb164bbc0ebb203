"""The arena's HTTP routes alone, with pairs of noise and no models: the cost of a vote by itself.

    HYPERSD_DATA=FOLDER GRADIO_SERVER_PORT=PORT python -m benchmarks.arena_still [--pairs 2000]

`benchmarks.arena_load --still` starts it in place of the app.
"""

from __future__ import annotations

import argparse
import os

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

_PICTURES = 16
_SIZE = 128
"""As the embedded family draws."""


def fill(arena: Arena, pairs: int) -> None:
    """Add pairs of a few different pictures to the pool: blotches that compress about as well as a scene."""
    rng = np.random.default_rng(0)
    blotches = rng.integers(0, 256, (_PICTURES, 16, 16, 3), dtype=np.uint8)
    names = [arena.pictures.put(Image.fromarray(one).resize((_SIZE, _SIZE))) for one in blotches]
    known_pairs: list[Pair] = []
    for number in range(pairs):
        first, second = (
            Entry(contestant=Contestant("emoji", model, 4), picture=names[place], seconds=1, calls=4, version="1")
            for model, place in zip(("base", "hyper"), rng.choice(_PICTURES, 2, replace=False), strict=True)
        )
        prompt = f"pair {number}"
        known_pairs.append(Pair(prompt=prompt, prompt_set="noise", seed=number, entries=(first, second), probability=1))
    if known_pairs:
        with arena.store.engine.begin() as connection:  # in one transaction: each commit waits for the disk
            connection.execute(insert(PAIRS), [pair_row(pair) for pair in known_pairs])


def main() -> None:
    """Serve until it is stopped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=2000)
    options = parser.parse_args()
    settings = AppSettings.from_environment()
    arena = open_arena(EngineManager(settings.families(), settings.family), settings)
    if arena is None:
        raise SystemExit("the store cannot be opened")
    fill(arena, options.pairs - arena.store.pool_size(None))
    port = int(os.environ["GRADIO_SERVER_PORT"])
    short_turns()
    settle_memory()
    uvicorn.run(Starlette(routes=routes(arena)), host="127.0.0.1", port=port, log_level="error")


if __name__ == "__main__":
    main()
