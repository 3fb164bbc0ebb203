"""Held-out prompts: their forms, their mixture, and that they are held out."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import pytest

from hypersd.emoji.captions import read
from hypersd.emoji.prompts import common_prompts, held_out_prompts
from hypersd.emoji.world import World


def test_prompts_are_canonical_mixed_and_held_out(world: World) -> None:
    prompts = held_out_prompts(world, 64, seed=1)
    sizes: Counter[str | None] = Counter()
    for prompt in prompts:
        reading = read(world, prompt)
        assert not reading.unknown
        assert (reading.objects[0], reading.background) in world.held_out
        assert re.fullmatch(
            r"a (big|small) \w+ on an? \w+ background|an? \w+ left of an? \w+ on an? \w+ background", prompt
        )
        assert len(set(reading.objects)) == (2 if reading.size == "pair" else 1)
        sizes[reading.size] += 1
    assert sizes == {"small": 16, "big": 16, "pair": 32}
    assert len(set(prompts)) == 64


def test_every_combination_has_its_turn(world: World) -> None:
    readings = [read(world, prompt) for prompt in held_out_prompts(world, len(world.held_out))]
    assert {(reading.objects[0], reading.background) for reading in readings} == world.held_out


def test_the_seed_decides(world: World) -> None:
    assert held_out_prompts(world, 12, seed=5) == held_out_prompts(world, 20, seed=5)[:12]
    assert held_out_prompts(world, 12, seed=5) != held_out_prompts(world, 12, seed=6)
    assert held_out_prompts(world, 0) == []


def test_unfit_input_is_refused(world: World) -> None:
    with pytest.raises(ValueError, match="negative"):
        held_out_prompts(world, -1)
    with pytest.raises(ValueError, match="held-out combinations"):
        held_out_prompts(replace(world, held_out=frozenset()), 1)


def test_common_prompts_are_different_and_never_held_out(world: World) -> None:
    prompts = common_prompts(world, 400, seed=3)
    assert len(set(prompts)) == len(prompts) == 400
    readings = [read(world, prompt) for prompt in prompts]
    assert not any((thing, one.background) in world.held_out for one in readings for thing in one.objects)
    pairs = sum(one.size == "pair" for one in readings)
    assert 180 <= pairs <= 220
    assert prompts == common_prompts(world, 400, seed=3) != common_prompts(world, 400, seed=4)


def test_a_small_world_has_fewer_common_prompts_and_one_that_holds_all_out_has_none(world: World) -> None:
    small = replace(world, objects={"cat": world.objects["cat"]}, backgrounds={"blue": world.backgrounds["blue"]})
    assert set(common_prompts(replace(small, held_out=frozenset()), 9)) == {
        "a small cat on a blue background",
        "a big cat on a blue background",
    }
    with pytest.raises(ValueError, match="all combinations of this world are held out"):
        common_prompts(replace(small, held_out=frozenset({("cat", "blue")})), 1)
    with pytest.raises(ValueError, match="negative"):
        common_prompts(world, -1)
