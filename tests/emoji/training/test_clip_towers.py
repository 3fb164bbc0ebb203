"""The tokenizer, and what the shipped CLIP model knows."""

from __future__ import annotations

import numpy as np
from PIL import Image
from transformers import CLIPTokenizer

from hypersd.emoji.captions import caption
from hypersd.emoji.training.clip_towers import LENGTH, build_tokenizer, corpus
from hypersd.emoji.world import Scene, World, render, sample_scene
from hypersd.evaluate.clip_score import ClipScore
from hypersd.models.families.embedded import FOLDER


def test_words_of_the_world_are_one_token_and_others_have_a_spelling() -> None:
    world = World.load(FOLDER)
    tokenizer = build_tokenizer(corpus(world, count=200))
    for word in (*world.objects, *world.backgrounds, "background", "left"):
        assert tokenizer.tokenize(word) == [f"{word}</w>"]
    assert "".join(tokenizer.tokenize("zebra")) == "zebra</w>"
    assert tokenizer.unk_token_id not in tokenizer("zebra \N{CAT FACE}").input_ids[1:-1]
    assert tokenizer.model_max_length == LENGTH


def test_the_shipped_tokenizer_is_the_one_that_its_recipe_builds() -> None:
    built, shipped = build_tokenizer(corpus(World.load(FOLDER))), CLIPTokenizer.from_pretrained(FOLDER / "tokenizer")
    text = "A big cat, left of an owl on a blue background; zebra"
    assert built(text).input_ids == shipped(text).input_ids


def test_the_shipped_clip_model_tells_order_object_and_background_apart() -> None:
    world = World.load(FOLDER)
    drawn = [sample_scene(world, np.random.default_rng((5, index))) for index in range(60)]
    pairs = [scene for scene in drawn if scene.size == "pair"]
    clip = ClipScore.of(FOLDER / "clip")
    pictures = [Image.fromarray(render(world, scene)) for scene in pairs]
    swapped = [Scene(objects=scene.objects[::-1], background=scene.background, size="pair") for scene in pairs]
    right = clip(pictures, [caption(scene) for scene in pairs])
    wrong = clip(pictures, [caption(scene) for scene in swapped])
    assert (right > wrong).mean() >= 0.9
