"""Runs whose numbers overflow or are none fail and say so; nothing black is ever shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hypersd.arena.service.image_generator import GenerationError
from hypersd.arena.votes.battle import Contestant
from hypersd.feedback.generator import EngineGenerator
from hypersd.models.engine import Engine
from hypersd.models.specs import Family
from hypersd.sampling.comparison import compare
from hypersd.sampling.finite import NotFiniteError, check_picture
from hypersd.sampling.request import Generation, Preview, Request, Run
from tests import families

NAN, HUGE = float("nan"), 1e38


@pytest.fixture
def engine(emoji: Family, tmp_path: Path) -> Engine:
    return Engine(emoji, families.machine(tmp_path))


def spoil(module: Any, value: float) -> None:
    """Overwrite a weight of a loaded model, as a damaged file would."""
    with torch.no_grad():
        next(module.parameters()).fill_(value)


def events(engine: Engine, *runs: Run) -> list[Generation | Preview]:
    return list(compare(Request(prompt="a big cat", seed=1, family="emoji", runs=runs), engine, previews=True))


PARTS: dict[str, Callable[[Any], Any]] = {
    "text encoder": lambda pipeline: pipeline.text_encoder,
    "UNet": lambda pipeline: pipeline.unet,
    "VAE": lambda pipeline: pipeline.vae.decoder,
}


@pytest.mark.parametrize("value", [NAN, HUGE])
@pytest.mark.parametrize("part", PARTS)
def test_a_model_with_a_broken_weight_has_an_error_and_no_picture(engine: Engine, part: str, value: float) -> None:
    spoil(PARTS[part](engine.load()), value)
    (failed,) = [event for event in events(engine, Run(model="base", steps=9)) if isinstance(event, Generation)]
    assert failed.image is None
    assert part in str(failed.error)
    assert "\n" not in str(failed.error)


def test_no_preview_is_shown_of_what_is_no_picture(engine: Engine) -> None:
    pipeline: Any = engine.load()
    spoil(pipeline.vae.decoder, NAN)
    assert not [event for event in events(engine, Run(model="base", steps=9)) if isinstance(event, Preview)]


def test_a_broken_adapter_fails_alone(emoji: Family, tmp_path: Path) -> None:
    broken = families.with_adapter(emoji, "hyper", tmp_path / "nan.safetensors", lambda weight: weight * NAN)
    drawn = events(Engine(broken, families.machine(tmp_path)), Run(model="hyper", steps=2), Run(model="turbo", steps=1))
    ends = {event.model: event for event in drawn if isinstance(event, Generation)}
    assert ends["hyper"].image is None
    assert "nan.safetensors has numbers that are not finite" in str(ends["hyper"].error)
    assert ends["turbo"].error is None


def test_an_adapter_that_overflows_fails_alone(emoji: Family, tmp_path: Path) -> None:
    broken = families.with_adapter(emoji, "hyper", tmp_path / "huge.safetensors", lambda weight: weight.float() * 1e18)
    drawn = events(Engine(broken, families.machine(tmp_path)), Run(model="hyper", steps=2), Run(model="turbo", steps=1))
    ends = {event.model: event for event in drawn if isinstance(event, Generation)}
    assert ends["hyper"].image is None
    assert "after step 1 of 2" in str(ends["hyper"].error)
    assert "adapter" in str(ends["hyper"].error)
    assert ends["turbo"].error is None


def test_what_is_no_picture_enters_no_pair(engine: Engine) -> None:
    pipeline: Any = engine.load()
    spoil(pipeline.vae.decoder, NAN)
    with pytest.raises(GenerationError, match="VAE"):
        EngineGenerator(engine)("a big cat", 1, [Contestant("emoji", "turbo", 1), Contestant("emoji", "turbo", 2)])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_an_overflow_in_half_precision_says_what_to_do(dtype: torch.dtype) -> None:
    with pytest.raises(NotFiniteError, match=r"overflowed in \w*float16.*float32.*sdxl-vae-fp16-fix"):
        check_picture(torch.full((3, 4, 4), torch.inf, dtype=dtype))
    check_picture(torch.zeros(3, 4, 4, dtype=dtype))  # black is a colour


def test_a_vae_in_half_precision_overflows_for_real(sdxl_vae: Any) -> None:
    """The published SDXL VAE's fault: activations beyond 65504, though every weight is an ordinary number."""
    from hypersd.sampling.sampler import decode  # noqa: PLC0415 - beside what it is about

    latents = torch.ones(1, 4, 4, 4)
    vae = sdxl_vae.float()
    assert np.asarray(decode(vae, latents)).shape == (32, 32, 3)
    with pytest.raises(NotFiniteError, match="the VAE overflowed in float16"):
        decode(vae.half(), latents.half())


@pytest.fixture
def sdxl_vae() -> Any:
    """A VAE of SDXL's kind whose first activations are too large for float16."""
    vae: Any = families.sdxl_pipeline(emoji=False).vae
    with torch.no_grad():
        vae.decoder.conv_in.weight.mul_(60_000)
    return vae
