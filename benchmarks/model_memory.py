"""Memory of a family's models in this package's engine, against a diffusers pipeline for each (Linux).

    python -m benchmarks.model_memory [--family emoji|sdxl] [--models base,hyper,lightning,turbo] [--json]

The embedded family has its shipped weights in float32; SDXL has random weights of its real shapes in half precision, in
a temporary folder in the Hub's own layout (15 GB). Each side calls each model once, at 64 pixels, in a process of its
own, since weights are mapped from their files and take no memory until they are used, and tells its memory (pages that
are swapped out are counted), beside that of its libraries alone; and the bytes of its weights, which a GPU would hold:
on a CPU, pipelines that map the same file share its pages. Where four pipelines do not fit, the system needs
swap space for the rest.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import torch
from diffusers import DiffusionPipeline

from benchmarks.random_weights import copy_base, snapshot, write_base, write_loras
from hypersd.models.engine import Engine
from hypersd.models.machine import Machine
from hypersd.models.registry import family
from hypersd.models.specs import Family
from hypersd.models.weight_memory import held_bytes
from hypersd.models.weights import Weights
from hypersd.sampling.sampler import conditioning

MODELS = ("base", "hyper", "lightning", "turbo")
PROMPT = "a cat"
_PIXELS = 64


@dataclass(frozen=True, slots=True)
class Loaded:
    """Models in memory, and the bytes of their weights; a file that is mapped twice counts twice, as on a GPU."""

    models: object
    weight_bytes: int


def weights_of(chosen: Family, models: tuple[str, ...]) -> list[Weights]:
    """The weights of models' default recipes."""
    return [chosen.spec(model).recipe().weights for model in models]


def write_weights(cache: Path, chosen: Family, models: tuple[str, ...]) -> None:
    """Write random weights of a published family's models."""
    weights = weights_of(chosen, models)
    pipeline = write_base(cache, chosen)
    for each in weights:
        if each.kind == "pipeline":
            copy_base(cache, chosen, str(each.repository))
    write_loras(cache, pipeline, (each for each in weights if each.kind == "lora"))


@torch.inference_mode()
def engine(cache: Path, chosen: Family, models: tuple[str, ...]) -> Loaded:
    """This package's engine after one call of every model; a GPU's precision, on the CPU."""
    precision = "float32" if chosen.folder else "float16"
    machine = replace(Machine.cpu(), cache=cache, offline=True, precision=precision, bfloat16=False)
    loaded = Engine(chosen, machine)
    embeds = loaded.prompts.encode(PROMPT)
    for model in models:
        with loaded.use(chosen.spec(model).recipe()) as held:
            side = _PIXELS // held.vae_scale
            latents = torch.zeros((1, held.unet.config["in_channels"], side, side), dtype=held.unet.dtype)
            held.unet(latents, torch.tensor(500), **conditioning(held.unet, embeds, _PIXELS, guided=False))
            held.vae.decode(latents)
    return Loaded(loaded, loaded.weight_bytes())


@torch.inference_mode()
def pipelines(cache: Path, chosen: Family, models: tuple[str, ...]) -> Loaded:
    """A pipeline for each model, its adapter fused, as the model cards load them, after one call of each."""
    base = chosen.folder or snapshot(cache, str(chosen.repository))
    kept: dict[str, Any] = {"dtype": torch.float32} if chosen.folder else {"dtype": torch.float16, "variant": "fp16"}
    loaded: list[Any] = []
    for weights in weights_of(chosen, models):
        folder = snapshot(cache, str(weights.repository)) if weights.repository else base
        pipeline: Any = DiffusionPipeline.from_pretrained(folder if weights.kind == "pipeline" else base, **kept)
        if weights.kind == "lora":
            file = folder / str(weights.file)
            pipeline.load_lora_weights(file.parent, weight_name=file.name)
            pipeline.fuse_lora()
            pipeline.unload_lora_weights()
        pipeline.set_progress_bar_config(disable=True)
        pipeline(PROMPT, num_inference_steps=1, height=_PIXELS, width=_PIXELS)
        loaded.append(pipeline)
    parts = [part for pipeline in loaded for part in pipeline.components.values()]
    return Loaded(loaded, held_bytes(part for part in parts if isinstance(part, torch.nn.Module)))


SIDES: dict[str, Callable[[Path, Family, tuple[str, ...]], Loaded]] = {
    "libraries": lambda _cache, _family, _models: Loaded(None, 0),
    "engine": engine,
    "pipelines": pipelines,
}


def memory_gb() -> float:
    """Memory of this process in GB, with what of it is swapped out."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    info = psutil.Process().memory_full_info()
    return (info.pss + info.swap) / 1e9


def measure(cache: Path, name: str, models: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Memory of each side in GB, in a process of its own: the process's, and its weights'."""
    words = ["--family", name, "--models", ",".join(models), "--cache", str(cache), "--side"]
    measured: dict[str, dict[str, float]] = {}
    for side in SIDES:
        command = [sys.executable, "-m", "benchmarks.model_memory", *words, side]
        out = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        measured[side] = json.loads(out.splitlines()[-1])
    return measured


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", choices=("emoji", "sdxl"), default="emoji")
    parser.add_argument("--models", type=lambda text: tuple(text.split(",")), default=MODELS)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    chosen = family(options.family)
    if options.side:
        loaded = SIDES[options.side](options.cache, chosen, options.models)
        print(json.dumps({"process": memory_gb(), "weights": loaded.weight_bytes / 1e9}))
        return
    with tempfile.TemporaryDirectory() as folder:
        if chosen.folder is None:
            write_weights(Path(folder), chosen, options.models)
        measured = measure(Path(folder), options.family, options.models)
    if options.json:
        print(json.dumps(measured))
        return
    for side, costs in measured.items():
        print(f"{side:10} {costs['process']:6.2f} GB, of weights {costs['weights']:6.2f} GB")
    for what in ("process", "weights"):
        ratio = measured["engine"][what] / measured["pipelines"][what]
        print(f"{what}: the engine takes {ratio:.2f} of the pipelines' memory")


if __name__ == "__main__":
    main()
