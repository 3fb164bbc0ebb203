"""A folder of scenes like those of the training: a picture of each, and their captions in one document."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hypersd.emoji.captions import caption, read
from hypersd.emoji.prompt_scenes import prompted_scene
from hypersd.emoji.world import Scene, World, render, sample_scene
from hypersd.sampling.png import write_png
from hypersd.utils.files import write_document
from hypersd.utils.model_folders import SCENES


def scene_files(count: int) -> list[str]:
    """Names of the pictures of `count` scenes, in order."""
    return [f"{index:04d}.png" for index in range(count)]


def random_scenes(
    world: World, count: int, *, seed: int, prompt: str | None = None, held_out: bool = False
) -> list[Scene]:
    """Scenes of the training or, with a prompt, scenes that show it; the same seed gives the same ones.

    Args:
        world: has the objects and backgrounds.
        count: number of scenes.
        seed: of the random numbers.
        prompt: what they show; None is anything.
        held_out: only combinations that the training never shows.

    Raises:
        ValueError: the prompt names something unknown, or not one or two objects.
    """
    rng = np.random.default_rng(seed)
    if prompt is None:
        return [sample_scene(world, rng, held_out=held_out) for _ in range(count)]
    return [prompted_scene(world, prompt, rng) for _ in range(count)]


def write_scenes(
    folder: Path, world: World, scenes: Sequence[Scene], *, seed: int, side: int, prompt: str | None = None
) -> dict[str, Any]:
    """Draw scenes of `side` pixels into a folder, and return the document that is written beside them.

    Each picture carries its caption, the seed and its record.

    Raises:
        OSError: the folder cannot be written.
    """
    records: list[dict[str, Any]] = []
    for file, scene in zip(scene_files(len(scenes)), scenes, strict=True):
        objects = [{"name": each.name, "x": each.x, "y": each.y, "size": each.size} for each in scene.objects]
        record = {"file": file, "caption": caption(scene), "background": scene.background, "objects": objects}
        whole = {"seed": seed, "side": side, **record}
        texts = {"prompt": caption(scene), "seed": str(seed), "hypersd": json.dumps(whole)}
        write_png(folder / file, Image.fromarray(render(world, scene, side)), texts)
        records.append(record)
    unused = [] if prompt is None else list(read(world, prompt).unused)
    document = {"seed": seed, "side": side, "unused": unused, "scenes": records}
    write_document(folder / SCENES, document)
    return document
