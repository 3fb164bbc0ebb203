"""Seconds and memory of Hyper-SD on a CPU, in SD1.5 or SDXL: this package against the model card's own pipeline.

    python -m benchmarks.cpu [--family sd15] [--pixels 512] [--steps 1] [--rounds 3] [--json]
        [--sides plain,package,tiny,openvino,openvino-int8]

The family's real shapes with random weights, written to a temporary folder in the Hub's own layout (SD1.5: 2.3 GB, and
4.4 more for OpenVINO's graphs; SDXL: 7.1 GB, and the plain pipeline takes twice as much memory). The plain pipeline is
the model card's: float32, the adapter fused, TCD's scheduler. `package` decodes with the full decoder, `tiny` with the
tiny one, and so do the two of OpenVINO. Every round runs each side in a process of its own, in turn, which tells its
peak memory, and its seconds for loading and a first picture; a second picture is timed.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline, TCDScheduler

from benchmarks.random_weights import snapshot, write_base, write_loras, write_tiny_decoder
from hypersd.models.engine import Engine
from hypersd.models.machine import Machine
from hypersd.models.registry import family
from hypersd.sampling.comparison import compare
from hypersd.sampling.request import Generation, Request, Run, SamplingParameters
from hypersd.utils.environment import Backend

PROMPT = "a cat"
MODEL = "hyper-unified"


@dataclass(frozen=True, slots=True)
class Drawing:
    """The picture that is timed: a family's, of so many pixels a side, in so many steps."""

    family: str
    pixels: int
    steps: int

    @property
    def words(self) -> list[str]:
        """The options that name it."""
        return ["--family", self.family, "--pixels", str(self.pixels), "--steps", str(self.steps)]


def write_weights(cache: Path, name: str) -> None:
    """Write a family's base, its tiny decoder and Hyper's unified LoRA."""
    published = family(name)
    pipeline = write_base(cache, published)
    write_tiny_decoder(cache, published)
    write_loras(cache, pipeline, [published.spec(MODEL).recipe(1).weights])


def package(cache: Path, drawing: Drawing, *, tiny: bool = False, backend: Backend = "torch") -> Callable[[], None]:
    """This package's comparison, with one model."""
    machine = replace(Machine.here(), cache=cache, offline=True, graphs=cache / "graphs")
    engine = Engine(family(drawing.family), machine.with_backend(backend))
    request = Request(
        prompt=PROMPT,
        seed=0,
        family=drawing.family,
        runs=(Run(model=MODEL, steps=drawing.steps),),
        parameters=SamplingParameters(size=(drawing.pixels, drawing.pixels)),
        tiny_decoder=tiny,
    )

    def draw() -> None:
        for event in compare(request, engine):
            if isinstance(event, Generation) and (event.error or event.backend != backend):
                raise RuntimeError(event.error or event.warnings)

    return draw


def plain(cache: Path, drawing: Drawing) -> Callable[[], None]:
    """The model card's pipeline in float32."""
    published = family(drawing.family)
    weights = published.spec(MODEL).recipe(1).weights
    pipeline: Any = DiffusionPipeline.from_pretrained(
        snapshot(cache, str(published.repository)), variant="fp16", dtype=torch.float32
    )
    pipeline.load_lora_weights(snapshot(cache, str(weights.repository)), weight_name=weights.file)
    pipeline.fuse_lora()
    pipeline.scheduler = TCDScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)

    def draw() -> None:
        size = {"width": drawing.pixels, "height": drawing.pixels}
        pipeline(PROMPT, num_inference_steps=drawing.steps, guidance_scale=0, eta=1.0, **size)

    return draw


SIDES: dict[str, Callable[[Path, Drawing], Callable[[], None]]] = {
    "plain": plain,
    "package": package,
    "tiny": partial(package, tiny=True),
    "openvino": partial(package, tiny=True, backend="openvino"),
    "openvino-int8": partial(package, tiny=True, backend="openvino-int8"),
}


def measure_side(side: str, cache: Path, drawing: Drawing) -> dict[str, float]:
    """Seconds of a picture after a first one, those until the first one was there, and peak memory in GB, here."""
    start = time.perf_counter()
    draw = SIDES[side](cache, drawing)
    draw()
    first = time.perf_counter()
    draw()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {"seconds": time.perf_counter() - first, "first_seconds": first - start, "peak_gb": peak}


def in_a_process(side: str, cache: Path, drawing: Drawing) -> dict[str, float]:
    """`measure_side` in a process of its own."""
    words = ["--side", side, "--cache", str(cache), *drawing.words]
    out = subprocess.run(
        [sys.executable, "-m", "benchmarks.cpu", *words], stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(out.stdout.splitlines()[-1])


def measure(names: Sequence[str], cache: Path, drawing: Drawing, rounds: int) -> dict[str, dict[str, float]]:
    """The medians of each side's costs; `start_seconds` are until the first picture, the first time ever."""
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            taken[name].append(in_a_process(name, cache, drawing))
            print(name, taken[name][-1], file=sys.stderr)
    return {
        name: {key: statistics.median(costs[key] for costs in every) for key in every[0]}
        | {"start_seconds": every[0]["first_seconds"]}
        for name, every in taken.items()
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="time Hyper-SD on a CPU against the model card's pipeline")
    parser.add_argument("--family", choices=("sd15", "sdxl"), default="sd15")
    parser.add_argument("--pixels", type=int, default=512)
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sides", default=",".join(SIDES), help="which of them, the plain pipeline first")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    drawing = Drawing(options.family, options.pixels, options.steps)
    if options.side:
        print(json.dumps(measure_side(options.side, options.cache, drawing)))
        return
    with tempfile.TemporaryDirectory() as folder:
        write_weights(Path(folder), drawing.family)
        sides = measure(options.sides.split(","), Path(folder), drawing, options.rounds)
    if options.json:
        print(json.dumps(sides))
        return
    for side, costs in sides.items():
        ratio = costs["seconds"] / sides["plain"]["seconds"]
        print(
            f"{side:13} {costs['seconds']:6.2f} s, {ratio:.3f} of the plain pipeline's, {costs['peak_gb']:.2f} GB at "
            f"most; first picture after {costs['first_seconds']:.0f} s, the first time {costs['start_seconds']:.0f} s"
        )


if __name__ == "__main__":
    main()
