"""Cost of a comparison, with PyTorch and OpenVINO, relative to its bare model calls and to four pipelines in a row.

    python -m benchmarks.compare [--folder assets/emoji-xl] [--rounds 5] [--json]

The floor is the same work with nothing around it, in the same process: one text encoding, the UNet calls, the decodes.
The four pipelines are diffusers' own, each with weights of its own. Every round times all of them, in turn, so that
what else the machine does falls on all alike; the medians over the rounds are compared. Loading is not timed there, but
the first comparison of each backend is: it fuses, and OpenVINO's also converts, or at a second start reads its graphs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import torch
from diffusers import StableDiffusionXLPipeline

from hypersd.models.engine import Engine
from hypersd.models.families.embedded import EMOJI
from hypersd.models.machine import Machine
from hypersd.models.schedulers import build_scheduler
from hypersd.models.specs import Family, ModelSpec, Recipe
from hypersd.models.weight_memory import held_bytes
from hypersd.sampling.comparison import compare
from hypersd.sampling.request import Generation, Request
from hypersd.sampling.runs import expand
from hypersd.sampling.sampler import conditioning, decode
from hypersd.utils.environment import Backend

PROMPT = "a big cat on a blue background"
MODELS = ("base", "hyper", "lightning", "turbo")
COMPILED: tuple[Backend, ...] = ("openvino", "openvino-int8")


def whole(engine: Engine, request: Request) -> None:
    """The comparison as the page and the command line run it; raises what a model failed of."""
    engine.prompts.encode.cache_clear()
    for result in compare(request, engine):
        if isinstance(result, Generation) and result.error:
            raise RuntimeError(f"{result.model}: {result.error}")


@torch.inference_mode()
def floor(engine: Engine, chosen: list[tuple[ModelSpec, Recipe]]) -> None:
    """One text encoding, then each model's UNet calls and its decode; no scheduler, no guidance arithmetic."""
    engine.prompts.encode.cache_clear()
    embeds = engine.prompts.encode(PROMPT)
    for spec, recipe in chosen:
        rows = 2 if recipe.guidance_scale > 1 else 1
        with engine.use(recipe) as loaded:
            cond = conditioning(loaded.unet, embeds, spec.pixels, guided=rows == 2)
            side = spec.pixels // loaded.vae_scale
            latents = torch.randn((1, loaded.unet.config["in_channels"], side, side))
            given, timestep = latents.expand(rows, -1, -1, -1), torch.tensor(500)
            for _ in range(recipe.calls // rows):
                loaded.unet(given, timestep, **cond, return_dict=False)
            decode(loaded.vae, latents)


def pipelines(folder: Path, chosen: list[tuple[ModelSpec, Recipe]]) -> list[Any]:
    """A diffusers pipeline for each model, loaded by itself, its adapter fused."""
    loaded: list[Any] = []
    for _, recipe in chosen:
        pipeline = StableDiffusionXLPipeline.from_pretrained(folder, dtype=torch.float32)
        pipeline.scheduler = build_scheduler(pipeline.scheduler, recipe.scheduler)
        if recipe.weights.file is not None:
            pipeline.load_lora_weights(str(folder), weight_name=recipe.weights.file)
            pipeline.fuse_lora()
            pipeline.unload_lora_weights()
        pipeline.set_progress_bar_config(disable=True)
        loaded.append(pipeline)
    return loaded


def in_a_row(loaded: list[Any], chosen: list[tuple[ModelSpec, Recipe]], seed: int) -> None:
    """Each pipeline's own call."""
    for pipeline, (spec, recipe) in zip(loaded, chosen, strict=True):
        pipeline(
            PROMPT,
            height=spec.pixels,
            width=spec.pixels,
            num_inference_steps=recipe.steps,
            guidance_scale=recipe.guidance_scale,
            generator=torch.Generator().manual_seed(seed),
            eta=recipe.eta or 0.0,
        )


def seconds(work: Callable[[], None]) -> float:
    """Seconds that a function takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def started(engine: Engine, request: Request) -> dict[str, float]:
    """Seconds of the first comparison of a loaded engine, and the memory that the process then holds more."""
    engine.load()
    before = psutil.Process().memory_info().rss
    taken = seconds(lambda: whole(engine, request))
    return {"first_seconds": taken, "more_mb": (psutil.Process().memory_info().rss - before) / 1e6}


def compiled(family: Family, machine: Machine, request: Request) -> tuple[dict[str, Engine], dict[str, float]]:
    """A ready engine of each compiled backend, and their costs at the first start of all and at the second one."""
    engines: dict[str, Engine] = {}
    costs: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for backend in COMPILED:
            here = replace(machine, graphs=Path(folder)).with_backend(backend)
            starts = [started(engines.setdefault(backend, Engine(family, here)), request)]
            engines[backend] = Engine(family, here)
            starts.append(started(engines[backend], request))
            costs |= {f"{backend}_start_seconds": starts[0]["first_seconds"]}
            costs |= {f"{backend}_{name}": value for name, value in starts[1].items()}
    return engines, costs


def measure(family: Family, rounds: int) -> dict[str, float]:
    """The medians, their ratios, and the bytes of weights held."""
    machine = replace(Machine.here(), device="cpu", precision="float32", backend="torch")
    engine = Engine(family, machine)
    request = Request(prompt=PROMPT, seed=0, family=family.name, runs=expand(family, MODELS, None))
    chosen = [(family.spec(run.model), family.spec(run.model).recipe(run.steps)) for run in request.runs]
    loaded = pipelines(Path(str(family.folder)), chosen)
    first = {f"comparison_{name}": value for name, value in started(engine, request).items()}
    engines, starts = compiled(family, machine, request)
    works: dict[str, Callable[[], None]] = {
        "comparison": lambda: whole(engine, request),
        **{backend: partial(whole, each, request) for backend, each in engines.items()},
        "floor": lambda: floor(engine, chosen),
        "pipelines": lambda: in_a_row(loaded, chosen, 0),
    }
    for work in works.values():
        work()  # the first time loads and fuses
    taken: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds):
        order = list(works) if number % 2 == 0 else list(reversed(works))
        for name in order:
            taken[name].append(seconds(works[name]))
    medians = {f"{name}_seconds": statistics.median(values) for name, values in taken.items()}
    ratios = {
        f"{backend}_times_the_floor": medians[f"{backend}_seconds"] / medians["floor_seconds"] for backend in engines
    }
    modules = [part for pipe in loaded for part in pipe.components.values() if isinstance(part, torch.nn.Module)]
    return (
        medians
        | first
        | starts
        | ratios
        | {
            "times_the_floor": medians["comparison_seconds"] / medians["floor_seconds"],
            "times_the_pipelines": medians["comparison_seconds"] / medians["pipelines_seconds"],
            "weight_bytes": engine.weight_bytes(),
            "weight_bytes_of_pipelines": held_bytes(modules),
            "unet_calls": sum(recipe.calls for _, recipe in chosen),
        }
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="time a comparison against the floor and against four pipelines")
    parser.add_argument("--folder", type=Path, default=EMOJI.folder, help="of the embedded family")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    costs = measure(replace(EMOJI, folder=options.folder), options.rounds)
    if options.json:
        print(json.dumps(costs))
        return
    print(f"comparison  {costs['comparison_seconds']:.3f} s, {costs['unet_calls']:.0f} UNet calls")
    print(f"floor       {costs['floor_seconds']:.3f} s: the comparison takes {costs['times_the_floor']:.3f} times that")
    print(
        f"pipelines   {costs['pipelines_seconds']:.3f} s: the comparison takes {costs['times_the_pipelines']:.3f} times"
    )
    for name in ("comparison", *COMPILED):
        print(
            f"{name}: first comparison {costs[f'{name}_first_seconds']:.2f} s, {costs[f'{name}_more_mb']:.0f} MB more"
        )
    for name in COMPILED:
        print(
            f"{name}: {costs[f'{name}_seconds']:.3f} s, {costs[f'{name}_times_the_floor']:.3f} times the floor; the "
            f"first comparison of the first start {costs[f'{name}_start_seconds']:.2f} s"
        )
    mine, of_pipelines = costs["weight_bytes"] / 1e6, costs["weight_bytes_of_pipelines"] / 1e6
    print(f"weights     {mine:.1f} MB, four pipelines {of_pipelines:.1f} MB")


if __name__ == "__main__":
    main()
