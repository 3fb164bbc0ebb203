"""The embedded family: this project's re-implementations at toy scale, shipped in assets/."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from hypersd.models.control_specs import ControlMode
from hypersd.models.families.embedded_methods import (
    ANCESTRAL,
    DDIM,
    EULER,
    LICENCE,
    PIXELS,
    SOURCE,
    TRAINED_LATER,
    at_800,
    consistent,
    few_steps,
    spec,
)
from hypersd.models.family_parts import ControlNetSpec, StyledBase
from hypersd.models.specs import MAX_STEPS, Capability, Family, ModelSpec, Recipe
from hypersd.models.weights import Weights
from hypersd.resources import assets_folder

if TYPE_CHECKING:
    from PIL import Image

    from hypersd.emoji.captions import Reading
    from hypersd.emoji.perception.scene_perception import ScenePerception
    from hypersd.emoji.scenes import TrainingScenes
    from hypersd.emoji.sprite_judge import SpriteJudge
    from hypersd.emoji.world import Pixels, World

FOLDER = assets_folder() / "emoji-xl"

WORLD = "world.json"
CONTROL_LORA = "control/control-lora.safetensors"
STYLES, STYLE_LORA = "styles", "style.safetensors"
"""A folder for each style of the base: its sprites, their licence, and its LoRA."""

PARTS: Mapping[Capability, str] = MappingProxyType(
    {
        Capability.SCENES: WORLD,
        Capability.JUDGE: WORLD,
        Capability.CLIP: "clip",
        Capability.PERCEPTION: "perception",
    }
)


class PromptSource(Protocol):
    """Prompts of what a family can draw. The same seed gives the same prompts."""

    def held_out(self, n: int, seed: int = 0) -> list[str]:
        """`n` prompts of held-out combinations, repeated if there are fewer."""
        ...

    def common(self, n: int, seed: int = 0) -> list[str]:
        """`n` different prompts of other combinations; fewer if there are not so many."""
        ...


def check_world(family: Family, purpose: str) -> None:
    """Check that the files of the family's world exist and are complete; `purpose` as in `Family.require`.

    Raises:
        OSError: one is missing.
        ValueError: one is damaged, or the family has no world.
    """
    _world(family.require(Capability.SCENES, purpose).parent)


def prompt_source(family: Family, purpose: str) -> PromptSource:
    """Prompts of the family's own world; `purpose` as in `Family.require`.

    Raises:
        OSError: a file of the world is missing.
        ValueError: one is damaged, or the family has no world.
    """
    from hypersd.emoji.prompts import WorldPrompts  # noqa: PLC0415 - as above

    return WorldPrompts(_world(family.require(Capability.SCENES, purpose).parent))


def match_scorer(family: Family, purpose: str) -> Callable[[Image.Image, str], float]:
    """The family's own judge as a function of a picture and a prompt to their match, 0 to 1.

    Raises:
        OSError: a file of the world is missing.
        ValueError: one is damaged, or the family has no judge.
    """
    import numpy as np  # noqa: PLC0415 - as above

    judge = picture_judge(family, purpose)
    return lambda picture, prompt: judge.score(np.asarray(picture), prompt).match


def training_scenes(folder: Path) -> TrainingScenes:
    """The captioned scenes of the family in `folder`, to train on.

    Raises:
        OSError: the folder has no world.
        ValueError: its world is damaged.
    """
    from hypersd.emoji.scenes import TrainingScenes  # noqa: PLC0415 - needs numpy, and the cards do not

    return TrainingScenes(_world(folder))


def scene_perception(family: Family) -> ScenePerception | None:
    """The family's scenes and its perception network; None if the family has no such network.

    Raises:
        OSError: a file of its world is missing.
        ValueError: one is damaged, or the network is.
    """
    network = family.part(Capability.PERCEPTION)
    if network is None:
        return None
    from hypersd.emoji.perception.scene_perception import ScenePerception  # noqa: PLC0415 - as above
    from hypersd.emoji.perception.solo import load_perception  # noqa: PLC0415

    return ScenePerception(_world(network.parent), load_perception(network))


def read_prompt(family: Family, prompt: str) -> Reading | None:
    """The prompt parsed by the family's vocabulary; None for a family with open vocabulary."""
    reader = prompt_reader(family)
    return reader(prompt) if reader else None


def prompt_reader(family: Family) -> Callable[[str], Reading] | None:
    """Function that puts prompts in the terms of the family's world; None for a family that knows any word."""
    scenes = family.part(Capability.SCENES)
    if scenes is None:
        return None
    from hypersd.emoji.captions import read  # noqa: PLC0415 - as above

    world = _world(scenes.parent)
    return lambda prompt: read(world, prompt)


def objects_of(family: Family) -> tuple[str, ...]:
    """The names of all things that the family can draw; none for a family that knows any word."""
    scenes = family.part(Capability.SCENES)
    return () if scenes is None else tuple(_world(scenes.parent).objects)


def backgrounds_of(family: Family) -> tuple[str, ...]:
    """The names of all backgrounds that the family can draw, sorted; none for a family that knows any word."""
    scenes = family.part(Capability.SCENES)
    return () if scenes is None else tuple(sorted(_world(scenes.parent).backgrounds))


def picture_judge(family: Family, purpose: str = "be judged") -> SpriteJudge:
    """The judge of the family's pictures; `purpose` as in `Family.require`.

    Raises:
        OSError: a file of its world is missing.
        ValueError: the family has none.
    """
    from hypersd.emoji.sprite_judge import SpriteJudge  # noqa: PLC0415 - as above

    return SpriteJudge(_judged_world(family, purpose), family.pixels)


def judged_prompt_check(family: Family) -> Callable[[str], None]:
    """A function that raises a `ValueError` for a prompt that the family's judge cannot score.

    Raises:
        OSError, ValueError: as `picture_judge`.
    """
    from hypersd.emoji.prompt_scenes import check_judged  # noqa: PLC0415 - as above

    return partial(check_judged, _judged_world(family))


def rendered_scenes(family: Family, prompts: Sequence[str], count: int, seed: int) -> Iterator[Pixels]:
    """`count` perfect pictures of the prompts in cyclic order, at the family's size.

    Raises:
        OSError, ValueError: as `picture_judge`; or a prompt cannot be rendered.
    """
    from hypersd.emoji.prompt_scenes import rendered  # noqa: PLC0415 - as above

    return rendered(_judged_world(family), prompts, count, family.pixels, seed)


def _judged_world(family: Family, purpose: str = "be judged") -> World:
    """The world with the sprites of the base's style."""
    world = _world(family.require(Capability.JUDGE, purpose).parent)
    return world if family.styled is None else world.in_style(family.styled.name)


def _world(folder: Path) -> World:
    from hypersd.emoji.world import World  # noqa: PLC0415 - needs numpy, and the cards do not

    return World.load(folder)


def _styled(name: str, title: str, licence: str) -> StyledBase:
    weights = Weights(kind="lora", file=f"{STYLES}/{name}/{STYLE_LORA}")
    return StyledBase(name=name, title=title, weights=weights, licence=licence, source=SOURCE)


EMOJI = Family(
    name="emoji",
    title="Emoji XL",
    folder=FOLDER,
    pixels=PIXELS,
    memory_gb=0.1,
    size_multiple=32,
    prompt_set="emoji-v1",
    is_reimplementation=True,
    parts=PARTS,
    controlnets=(
        ControlNetSpec(
            modes=(ControlMode.CANNY, ControlMode.SCRIBBLE),
            weights=Weights(kind="control-lora", file=CONTROL_LORA),
            scale=1.0,
            licence=LICENCE,
            source=SOURCE,
        ),
    ),
    specs=(
        ModelSpec(
            name="base",
            title="Base",
            recipes=(
                Recipe(steps=25, weights=Weights(), scheduler=DDIM, guidance_scale=3.0, guidance_range=(1.0, 10.0)),
            ),
            default_steps=25,
            max_steps=MAX_STEPS,
            pixels=PIXELS,
            licence=LICENCE,
            source=SOURCE,
        ),
        spec(
            "hyper",
            "Hyper-SD",
            (at_800("hyper-1-step"), *consistent("hyper")),
            default=4,
            note="Trajectory-segmented consistency distillation; score distillation for one step. No human feedback.",
        ),
        spec(
            "lightning",
            "Lightning",
            (at_800("lightning-2-step"), *few_steps(EULER, {2: "lightning-2-step", 4: "lightning"})),
            default=4,
        ),
        spec("turbo", "Turbo", few_steps(ANCESTRAL, dict.fromkeys((1, 2, 4), "turbo")), default=1),
    ),
    trained_later=TRAINED_LATER,
    styled_bases=(
        _styled("flat", "Fluent flat", "mit"),
        _styled("noto", "Noto", "apache-2.0"),
        _styled("twemoji", "Twemoji", "cc-by-4.0"),
    ),
)
