"""The prompts of an evaluation: somebody's own, or the family's."""

from __future__ import annotations

from pathlib import Path

from hypersd.arena.service.prompt_files import read_prompt_file
from hypersd.models.families.embedded import judged_prompt_check, prompt_source
from hypersd.models.specs import Capability, Family
from hypersd.resources import assets_folder
from hypersd.sampling.request import check_prompt


def evaluation_prompts(
    chosen: Family, file: Path | None = None, *, count: int | None = None, default: int, seed: int
) -> list[str]:
    """The prompts to draw: those of a file, or the family's own. A judge of the family must be able to read them.

    Args:
        chosen: the family.
        file: of prompts, one a line.
        count: how many of the family's own; None is `default`.
        default: as many, if there are so many.
        seed: by which a family with a judge chooses them.

    Raises:
        OSError: the file of prompts, or a file of the family's world, cannot be read.
        ValueError: there is no prompt in it, or one that cannot be drawn or judged; or there are not as many.
    """
    judged = Capability.JUDGE in chosen.parts
    if file is not None:
        if count is not None:
            raise ValueError("--count is for held-out prompts; all prompts of --prompts are drawn")
        check = judged_prompt_check(chosen) if judged else check_prompt
        return read_prompt_file(file, lambda prompt: check(check_prompt(prompt)))
    if judged:
        return prompt_source(chosen, "be judged").held_out(count or default, seed)
    prompts = read_prompt_file(assets_folder() / "prompts" / f"{chosen.prompt_set}.txt")
    if count is not None and count > len(prompts):
        raise ValueError(f"{chosen.name} has {len(prompts)} prompts of its own; name a file of more with --prompts")
    return prompts[: count or default]
