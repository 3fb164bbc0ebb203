"""Scenes in words, and words read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hypersd.emoji.captions import Reading, article, caption, free_caption, read
from hypersd.emoji.world import Placed, Scene, World, sample_scene


@pytest.fixture(scope="module")
def world(root: Path) -> World:
    return World.load(root / "assets" / "emoji-xl")


def scene(*names: str, background: str = "blue", size: str = "big") -> Scene:
    return Scene(
        objects=tuple(Placed(name=name, x=0.5, y=0.5, size=0.5) for name in names), background=background, size=size
    )


@pytest.mark.parametrize(
    ("word", "phrase"),
    [
        ("cat", "a cat"),
        ("owl", "an owl"),
        ("unicorn", "a unicorn"),
        ("umbrella", "an umbrella"),
        ("orange", "an orange"),
    ],
)
def test_articles(word: str, phrase: str) -> None:
    assert article(word) == phrase


def test_canonical_forms() -> None:
    assert caption(scene("cat")) == "a big cat on a blue background"
    assert caption(scene("owl", size="small", background="orange")) == "a small owl on an orange background"
    assert caption(scene("owl", "cat", size="pair")) == "an owl left of a cat on a blue background"


def test_captions_are_read_back(world: World) -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        drawn = sample_scene(world, rng)
        names = tuple(placed.name for placed in drawn.objects)
        assert read(world, caption(drawn)) == Reading(
            objects=names, background=drawn.background, size=drawn.size, unknown=()
        )
        free = read(world, free_caption(drawn, rng))
        assert (free.objects, free.unknown) == (names, ())
        assert free.background in (None, drawn.background)
        assert free.size in (None, drawn.size)


def test_right_of_is_read_from_the_left(world: World) -> None:
    assert read(world, "a cat right of a dog, red background").objects == ("dog", "cat")


def test_synonyms_case_and_punctuation(world: World) -> None:
    assert read(world, "A LARGE Cat, on blue!") == Reading(objects=("cat",), background="blue", size="big", unknown=())
    assert read(world, "little owl").size == "small"


def test_unknown_words_are_named_once_in_order(world: World) -> None:
    assert read(world, "a sofa and a cat with a hat on a sofa").unknown == ("sofa", "hat")
    assert read(world, "") == Reading(objects=(), background=None, size=None, unknown=())


@pytest.mark.parametrize(
    ("prompt", "background", "unused"),
    [
        ("a big blue cat on a white background", "white", ("blue",)),
        ("a Blue cat on a blue background!", "blue", ("blue",)),
        ("white background, blue cat", "white", ("blue",)),
        ("blue big cat", None, ("blue",)),
        ("BLUE, cat", "blue", ()),
        ("blue-cat on red", "red", ("blue",)),
        ("cat, blue", "blue", ()),
        ("a red and white cat on pink", "pink", ("red", "white")),
        ("a cat on a blue and white background", "blue", ("white",)),
        ("a cat with a blue background", "blue", ()),
        ("a big cat left of a small dog, pink background", "pink", ("big", "small")),
        ("a big small cat on red", "red", ("small",)),
        ("a cat on the left, red background", "red", ("left",)),
        ("a cat in front of a dog on red", "red", ("front",)),
        ("cat and dog and owl on red", "red", ("owl",)),
    ],
)
def test_words_that_a_scene_cannot_show_are_told(
    world: World, prompt: str, background: str | None, unused: tuple[str, ...]
) -> None:
    reading = read(world, prompt)
    assert (reading.background, reading.unused, reading.unknown) == (background, unused, ())


def test_pictographs_numbers_and_what_shall_not_be_there_are_unknown(world: World) -> None:
    assert read(world, "2 cat 🐱 on red, no dog").unknown == ("2", "🐱", "no")


def test_captions_of_scenes_are_drawn_to_the_last_word(world: World) -> None:
    rng = np.random.default_rng(1)
    for _ in range(300):
        drawn = sample_scene(world, rng)
        assert read(world, caption(drawn)).unused == ()
        assert read(world, free_caption(drawn, rng)).unused == ()
