"""Seconds and memory of one step of Hyper-SD15 on a CPU: this package against the model card's own pipeline.

    python -m benchmarks.cpu [--steps 1] [--rounds 3] [--json]

SD1.5's real shapes with random weights, written to a temporary folder (2.3 GB) in the Hub's own layout. The plain
pipeline is the model card's: float32, the adapter fused, TCD's scheduler. Each side runs in a process of its own, which
tells its peak memory. Loading is not timed.
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
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline, TCDScheduler
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from torch import Tensor, nn

from hypersd.models.blueprint import Blueprint
from hypersd.models.engine import Engine
from hypersd.models.families.sd15 import SD15
from hypersd.models.machine import Machine
from hypersd.sampling.comparison import compare
from hypersd.sampling.request import Generation, Request, Run

PROMPT = "a cat"
MODEL = "hyper-unified"
RANK = 64


def write_weights(cache: Path) -> Path:
    """Write random weights of SD1.5 and of Hyper's unified LoRA into a Hub cache; returns the base's folder."""
    torch.manual_seed(0)
    base = snapshot(cache, str(SD15.repository))
    pipeline: Any = Blueprint.of_family("sd15").pipeline(torch.float16)
    for network in (pipeline.unet, pipeline.vae, pipeline.text_encoder):
        network.to_empty(device="cpu")
        for weight in (*network.parameters(), *network.buffers()):
            if weight.is_floating_point():
                weight.data.normal_(std=0.02)
            else:
                weight.data.copy_(torch.arange(weight.numel()).view(weight.shape))
    pipeline.save_pretrained(base, variant="fp16")
    pipeline.unet.add_adapter(LoraConfig(r=RANK, target_modules=["to_q", "to_k", "to_v", "to_out.0"]))
    weights = SD15.spec(MODEL).recipe(1).weights
    layers: dict[str, nn.Module | Tensor] = {
        name: value.half() for name, value in get_peft_model_state_dict(pipeline.unet).items()
    }
    StableDiffusionPipeline.save_lora_weights(
        snapshot(cache, str(weights.repository)), unet_lora_layers=layers, weight_name=str(weights.file)
    )
    return base


def snapshot(cache: Path, repository: str) -> Path:
    """The folder of a repository's one revision in a Hub cache, made if need be."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    (folder / "refs" / "main").write_text("0" * 40)
    revision = folder / "snapshots" / ("0" * 40)
    revision.mkdir(parents=True, exist_ok=True)
    return revision


def package(cache: Path, steps: int) -> Callable[[], None]:
    """This package's comparison, with one model."""
    machine = Machine.here()
    engine = Engine(SD15, replace(machine, cache=cache, offline=True))
    request = Request(prompt=PROMPT, seed=0, family="sd15", runs=(Run(model=MODEL, steps=steps),))

    def draw() -> None:
        for event in compare(request, engine):
            if isinstance(event, Generation) and event.error:
                raise RuntimeError(event.error)

    return draw


def plain(cache: Path, steps: int) -> Callable[[], None]:
    """The model card's pipeline in float32."""
    weights = SD15.spec(MODEL).recipe(1).weights
    pipeline: Any = StableDiffusionPipeline.from_pretrained(
        snapshot(cache, str(SD15.repository)), variant="fp16", dtype=torch.float32
    )
    pipeline.load_lora_weights(snapshot(cache, str(weights.repository)), weight_name=weights.file)
    pipeline.fuse_lora()
    pipeline.scheduler = TCDScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)

    def draw() -> None:
        pipeline(PROMPT, num_inference_steps=steps, guidance_scale=0, eta=1.0)

    return draw


SIDES: dict[str, Callable[[Path, int], Callable[[], None]]] = {"package": package, "plain": plain}


def measure_side(side: str, cache: Path, steps: int, rounds: int) -> dict[str, float]:
    """Median seconds of a picture after a first one, and peak memory in GB, in this process."""
    draw = SIDES[side](cache, steps)
    draw()
    times: list[float] = []
    for _ in range(rounds):
        start = time.perf_counter()
        draw()
        times.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {"seconds": statistics.median(times), "peak_gb": peak}


def in_a_process(side: str, cache: Path, steps: int, rounds: int) -> dict[str, float]:
    """`measure_side` in a process of its own."""
    words = ["--side", side, "--cache", str(cache), "--steps", str(steps), "--rounds", str(rounds)]
    out = subprocess.run([sys.executable, "-m", "benchmarks.cpu", *words], capture_output=True, text=True, check=True)
    return json.loads(out.stdout.splitlines()[-1])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="time Hyper-SD15 on a CPU against the model card's pipeline")
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(measure_side(options.side, options.cache, options.steps, options.rounds)))
        return
    with tempfile.TemporaryDirectory() as folder:
        write_weights(Path(folder))
        sides = {side: in_a_process(side, Path(folder), options.steps, options.rounds) for side in SIDES}
    ours, of_plain = sides["package"], sides["plain"]
    if options.json:
        print(json.dumps(sides))
        return
    for side, costs in sides.items():
        print(f"{side:8} {costs['seconds']:.2f} s, {costs['peak_gb']:.2f} GB at most")
    print(f"the package takes {ours['seconds'] / of_plain['seconds']:.2f} of the plain pipeline's time")


if __name__ == "__main__":
    main()
