"""Texture of pictures: noise, blur, and that it can be learned through."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from hypersd.feedback.reward.texture import WIDTH, texture

_A_CHANNEL = 3


def disc(side: int = 64) -> Tensor:
    """A white disc on grey, `(1, 3, side, side)`."""
    across = torch.linspace(-1, 1, side)
    inside = (across[:, None].square() + across.square() < 0.4).float()
    return (0.9 * inside - 0.2).expand(1, 3, side, side).contiguous()


def finest(pictures: Tensor) -> Tensor:
    """The mean size of the finest band of the red channel."""
    return texture(pictures)[:, 0]


def test_noise_raises_the_finest_band_and_blur_lowers_it() -> None:
    clean = disc()
    noisy = clean + 0.1 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    blurred = torch.nn.functional.avg_pool2d(clean, 5, stride=1, padding=2, count_include_pad=False)
    assert finest(noisy) > 2 * finest(clean) > 3 * finest(blurred)


def test_flat_pictures_have_none_and_every_number_is_finite() -> None:
    flat = texture(torch.full((2, 3, 64, 64), 0.5))
    assert flat.shape == (2, WIDTH)
    assert torch.isfinite(flat).all()
    assert flat[:, :_A_CHANNEL].abs().max() < 1e-5


def test_a_mirrored_picture_has_the_same() -> None:
    picture = disc() + 0.3 * torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(texture(picture), texture(picture.flip(3)), atol=1e-4)


def test_it_can_be_learned_through() -> None:
    picture = disc().requires_grad_()
    texture(picture).sum().backward()
    assert picture.grad is not None
    assert torch.isfinite(picture.grad).all()
    assert picture.grad.abs().max() > 0


@pytest.mark.parametrize("side", [32, 64, 96])
def test_sides_may_differ(side: int) -> None:
    assert texture(disc(side)).shape == (1, WIDTH)
