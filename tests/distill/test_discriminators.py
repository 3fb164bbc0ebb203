"""The latent discriminator sees what the base model's mid-block sees, of both ends of a jump or of one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from hypersd.distill.discriminators import LatentDiscriminator
from hypersd.distill.student import Student
from tests.families import sd_pipeline


@pytest.fixture
def jump(student: Student) -> tuple[Tensor, Tensor, dict[str, Any], Tensor, Tensor]:
    """Two jumps: ends, their times, conditioning, starts, their times."""
    end, start = torch.randn(2, 2, *student.latent_shape, generator=torch.Generator().manual_seed(0)).unbind()
    conditioning = student.text.conditioning(["a cat", "a dog"])
    return end, torch.tensor([499, 0]), conditioning, start, torch.tensor([999, 499])


@torch.no_grad()
def test_its_features_are_the_base_models_mid_block(
    student: Student, jump: tuple[Tensor, Tensor, dict[str, Any], Tensor, Tensor]
) -> None:
    unet, (end, times, conditioning, *_) = student.plain_unet(), jump
    seen: list[Tensor] = []
    unet.mid_block.register_forward_hook(lambda *given: seen.append(given[2]))
    unet(end, times, **conditioning)
    features = LatentDiscriminator(unet, conditional=False).features(end, times, conditioning)
    torch.testing.assert_close(features, seen[0])


@torch.no_grad()
@pytest.mark.parametrize("conditional", [True, False])
def test_where_the_jump_started_counts_only_if_it_is_conditional(
    student: Student, jump: tuple[Tensor, Tensor, dict[str, Any], Tensor, Tensor], *, conditional: bool
) -> None:
    torch.manual_seed(0)
    discriminator = LatentDiscriminator(student.plain_unet(), conditional=conditional)
    end, end_times, conditioning, start, start_times = jump
    logits = discriminator(end, end_times, conditioning, start, start_times)
    assert logits.shape == (2,)
    elsewhere = discriminator(end, end_times, conditioning, start + 1, start_times)
    earlier = discriminator(end, end_times, conditioning, start, start_times - 100)
    assert torch.equal(logits, elsewhere) != conditional
    assert torch.equal(logits, earlier) != conditional
    other = discriminator(end + 1, end_times, conditioning, start, start_times)
    assert not torch.equal(logits, other)
    both = discriminator(torch.cat([end, end + 1]), end_times.repeat(2), conditioning, start, start_times)
    torch.testing.assert_close(both, torch.cat([logits, other]), rtol=1e-4, atol=1e-5)


def test_all_of_it_learns_and_nothing_of_the_student_does(
    student: Student, jump: tuple[Tensor, Tensor, dict[str, Any], Tensor, Tensor]
) -> None:
    unet = student.plain_unet()
    discriminator = LatentDiscriminator(unet, conditional=True)
    discriminator(*jump).sum().backward()
    for name in ("conv_in", "down_blocks", "mid_block"):
        assert any(weight.grad is not None for weight in getattr(discriminator.backbone, name).parameters()), name
    assert all(weight.grad is None for weight in unet.parameters()), "a copy learns"
    assert not hasattr(discriminator.backbone.conv_out, "weight"), "the decoder is left away"


@torch.no_grad()
def test_it_judges_latents_of_sd15_s_shape_too() -> None:
    unet = sd_pipeline().unet
    latents, times = torch.randn(2, 2, 4, 8, 8).unbind(), torch.tensor([499, 0])
    conditioning = {"encoder_hidden_states": torch.randn(2, 7, unet.config["cross_attention_dim"])}
    seen: list[Tensor] = []
    unet.mid_block.register_forward_hook(lambda *given: seen.append(given[2]))
    unet(latents[0], times, **conditioning)
    discriminator = LatentDiscriminator(unet, conditional=True)
    torch.testing.assert_close(discriminator.features(latents[0], times, conditioning), seen[0])
    assert discriminator(latents[0], times, conditioning, latents[1], times + 500).shape == (2,)
