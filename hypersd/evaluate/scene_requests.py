"""Requests for held-out prompts along the lines of rendered scenes, for a family that has scenes of its own."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from hypersd.models.control_specs import ControlMode
from hypersd.models.families.embedded import prompt_source, rendered_scenes
from hypersd.models.specs import Family
from hypersd.sampling.control_image import control_image
from hypersd.sampling.request import Control, Request, Run


def scene_requests(family: Family, mode: ControlMode, runs: Sequence[Run], *, count: int, seed: int) -> list[Request]:
    """Held-out prompts, each with the lines of a scene that shows it and a seed of its own, from `seed` on.

    Raises:
        ValueError: the family has no scenes.
    """
    prompts = prompt_source(family, "be judged").held_out(count, seed)
    scenes = rendered_scenes(family, prompts, count, seed)
    return [
        Request(
            prompt=prompt,
            seed=seed + index,
            family=family.name,
            runs=tuple(runs),
            control=Control(mode=mode, image=control_image(Image.fromarray(scene), mode, family.pixels)),
        )
        for index, (prompt, scene) in enumerate(zip(prompts, scenes, strict=True))
    ]
