"""Drawing on a Ray cluster of this machine: pictures a second by numbers of workers, against one process.

    python -m benchmarks.scale [--workers 1,2] [--requests 24] [--json]

Every request is one picture by hyper in 4 steps, and one thread draws in each process. The floor is the same requests
by one engine in this process. A worker's start and its loading are not counted; the transport of the pictures is.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterable

os.environ.setdefault("OMP_NUM_THREADS", "1")

from hypersd.models.engine import Engine
from hypersd.models.machine import Machine
from hypersd.models.registry import family
from hypersd.sampling.comparison import DrawAll, Event, drawn_by
from hypersd.sampling.ray_drawing import ray_drawing
from hypersd.sampling.request import Request, Run


def requests(name: str, count: int) -> list[Request]:
    """Requests of one picture each."""
    runs = (Run(model="hyper", steps=4),)
    return [
        Request(prompt="a big cat on a blue background", seed=seed, family=name, runs=runs) for seed in range(count)
    ]


def pictures_a_second(draw_all: DrawAll, asked: list[Request], warm_up: list[Request]) -> float:
    """Speed of drawing, after a first round that loads the models of every worker."""
    _drawn(draw_all(warm_up))
    since = time.perf_counter()
    _drawn(draw_all(asked))
    return len(asked) / (time.perf_counter() - since)


def _drawn(results: Iterable[Iterable[Event]]) -> None:
    for events in results:
        assert list(events)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", default="1,2", help="numbers of workers, separated by commas")
    parser.add_argument("--requests", type=int, default=24)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    emoji = family("emoji")
    asked, warm_up = requests(emoji.name, options.requests), requests(emoji.name, 4)
    engine = Engine(emoji, Machine.here())
    floor = pictures_a_second(drawn_by(engine), asked, warm_up)
    rows: list[dict[str, float]] = []
    for workers in map(int, options.workers.split(",")):
        with ray_drawing(emoji, "local", workers=workers) as draw_all:
            speed = pictures_a_second(draw_all, asked, warm_up * workers)
        rows.append(
            {"workers": workers, "pictures_a_second": round(speed, 2), "of_one_process": round(speed / floor, 2)}
        )
    if options.json:
        print(json.dumps({"one_process": round(floor, 2), "rows": rows}))
        return
    print(f"one process: {floor:.2f} pictures a second")
    for row in rows:
        print(f"{row['workers']} workers: {row['pictures_a_second']:.2f}, {row['of_one_process']:.2f} of one process")


if __name__ == "__main__":
    main()
