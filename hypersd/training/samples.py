"""Sample grids of a model in training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from diffusers import StableDiffusionXLPipeline
from PIL import Image


@torch.no_grad()
def draw(
    pipeline: StableDiffusionXLPipeline,
    prompts: Sequence[str],
    steps: Sequence[int],
    guidance_scale: float,
    **arguments: Any,
) -> Image.Image:
    """Grid with one column per prompt and one row per number of steps; the same seeds in every row.

    `arguments` are passed to the pipeline.
    """
    pipeline.set_progress_bar_config(disable=True)
    side = pipeline.default_sample_size * pipeline.vae_scale_factor
    grid = Image.new("RGB", (side * len(prompts), side * len(steps)))
    for row, count in enumerate(steps):
        drawn: Any = pipeline(
            list(prompts),
            num_inference_steps=count,
            guidance_scale=guidance_scale,
            generator=[torch.Generator().manual_seed(seed) for seed in range(len(prompts))],
            height=side,
            width=side,
            **arguments,
        )
        for column, picture in enumerate(drawn.images):
            grid.paste(picture, (column * side, row * side))
    return grid
