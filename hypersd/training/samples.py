"""Grids of what a model in training draws, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from diffusers import StableDiffusionXLPipeline
from PIL import Image

SAMPLE_PROMPTS = (
    "a big cat on a blue background",
    "a small rocket on a pink background",
    "a big owl on a green background",
    "a small pizza on a white background",
    "a penguin left of a cactus on a red background",
    "a guitar left of a heart on a gray background",
    "a bus left of a tree on a yellow background",
    "robot",
)


@torch.no_grad()
def draw(
    pipeline: StableDiffusionXLPipeline, steps: Sequence[int], guidance_scale: float, **arguments: Any
) -> Image.Image:
    """`SAMPLE_PROMPTS` from left to right, a row for each number of steps; the same seeds in every row.

    `arguments` go to the pipeline.
    """
    pipeline.set_progress_bar_config(disable=True)
    side = pipeline.default_sample_size * pipeline.vae_scale_factor
    grid = Image.new("RGB", (side * len(SAMPLE_PROMPTS), side * len(steps)))
    for row, count in enumerate(steps):
        drawn: Any = pipeline(
            list(SAMPLE_PROMPTS),
            num_inference_steps=count,
            guidance_scale=guidance_scale,
            generator=[torch.Generator().manual_seed(seed) for seed in range(len(SAMPLE_PROMPTS))],
            height=side,
            width=side,
            **arguments,
        )
        for column, picture in enumerate(drawn.images):
            grid.paste(picture, (column * side, row * side))
    return grid
