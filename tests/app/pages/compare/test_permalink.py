from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl

import pytest

from app.pages.compare.permalink import link, linked
from hypersd.sampling.request import Request, Run, SamplingParameters


def query(text: str) -> dict[str, str]:
    return dict(parse_qsl(text.removeprefix("?"), keep_blank_values=True))


@pytest.mark.parametrize("prompt", ["a cat", "50 % of a cat & a dog = ?", 'a "fox" + #1, schön', "cat:dog,owl"])
def test_a_link_restores_its_request(prompt: str) -> None:
    runs = (Run(model="hyper", steps=4), Run(model="hyper", steps=1), Run(model="base", steps=25))
    request = Request(prompt=prompt, seed=2**32 - 1, family="emoji", runs=runs)
    assert linked(query(link(request)), "other") == request


def test_a_link_restores_sampling_parameters() -> None:
    parameters = SamplingParameters(
        eta=0.25, strength=0.8, guidance_scale=7.5, negative_prompt="blurred, 50 %", size=(1024, 768)
    )
    request = Request(
        prompt="a cat", seed=1, family="sdxl", runs=(Run(model="base", steps=25),), parameters=parameters, count=3
    )
    request = replace(request, base="noto", tiny_decoder=True)
    assert linked(query(link(request)), "other") == request


def test_a_plain_visit_is_no_link() -> None:
    assert linked({"__theme": "dark"}, "emoji") is None


def test_a_short_link_means_the_default_steps_and_family() -> None:
    request = linked({"prompt": "a cat", "models": "turbo"}, "emoji")
    assert request == Request(prompt="a cat", seed=0, family="emoji", runs=(Run(model="turbo"),))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"seed": "abc"}, "seed"),
        ({"prompt": " "}, "empty"),
        ({"models": "base:x"}, "number"),
        ({"models": ""}, "no model"),
        ({"eta": "much"}, "eta='much'; that has to be a number"),
        ({"eta": "nan"}, "eta must be"),
        ({"strength": "-1"}, "strength must be"),
        ({"guidance_scale": "1e9"}, "guidance must be"),
        ({"size": "big"}, "a size is"),
        ({"count": "1.5"}, "number"),
        ({"count": "99"}, "from 1 to 8"),
        ({"negative_prompt": ""}, "negative prompt is empty"),
    ],
)
def test_a_broken_link_is_explained(change: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        linked({"prompt": "a cat", "seed": "1", "models": "base:4", **change}, "emoji")
