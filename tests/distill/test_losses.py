"""Every loss against small tensors worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from hypersd.distill.losses import (
    adversarial_distillation_loss,
    balance_gradients,
    denoising_loss,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    hinge_discriminator_loss,
    hinge_generator_loss,
    jump_errors,
    jump_loss,
    score_direction,
    score_distillation_loss,
)


def latents(*samples: tuple[float, float]) -> Tensor:
    """Latents `(B, 1, 1, 2)`."""
    return torch.tensor(samples, dtype=torch.float32).view(-1, 1, 1, 2)


def test_a_sample_s_error_is_divided_by_its_leverage() -> None:
    arrived, target = latents((1, 2), (0, 4)), latents((0, 0), (0, 0))
    assert jump_errors(arrived, target).tolist() == [2.5, 8]
    assert float(jump_loss(arrived, target, torch.tensor([1.0, 4.0]))) == pytest.approx((2.5 + 2) / 2)


def test_the_non_saturating_losses_are_cross_entropies() -> None:
    real, fake = torch.tensor([0.0, math.log(3)]), torch.tensor([0.0, math.log(1 / 3)])
    # p is 1/2 and 3/4 for the real ones, 1/2 and 1/4 for the others.
    expected = -(math.log(1 / 2) + math.log(3 / 4)) / 2
    assert float(discriminator_loss(real, fake)) == pytest.approx(2 * expected)
    assert float(generator_loss(fake)) == pytest.approx(-(math.log(1 / 2) + math.log(1 / 4)) / 2)


def test_the_hinge_asks_no_more_than_a_margin_of_one() -> None:
    real, fake = torch.tensor([2.0, 0.5, -1.0]), torch.tensor([-3.0, 0.0, 1.0])
    assert float(hinge_discriminator_loss(real, fake)) == pytest.approx((0 + 0.5 + 2) / 3 + (0 + 1 + 2) / 3)
    assert float(hinge_generator_loss(fake)) == pytest.approx(2 / 3)


def test_the_penalty_is_the_squared_slope_of_each_input() -> None:
    tensor = torch.tensor([[1.0, 2.0], [3.0, 0.0]], requires_grad=True)
    other = torch.tensor([[5.0], [1.0]], requires_grad=True)
    logits = tensor.square().sum(dim=1) + 3 * other.sum(dim=1)
    # Slopes: (2, 4) and (6, 0), squared 20 and 36; and 3 twice, squared 9.
    penalty = gradient_penalty(logits, [tensor, other])
    assert float(penalty.detach()) == pytest.approx(28 + 9)
    penalty.backward()
    torch.testing.assert_close(tensor.grad, 4 * tensor.detach())


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_two_losses_mix_by_their_gradients_whatever_their_size(share: float) -> None:
    arrived = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    fidelity, adversarial = 1e-3 * arrived[:, 0].square().sum(), 1e4 * arrived[:, 1].sum()
    loss = balance_gradients(arrived, fidelity, adversarial, share)
    torch.testing.assert_close(loss, fidelity)
    loss.backward()
    torch.testing.assert_close(arrived.grad, 2e-3 * torch.tensor([[1 - share, share], [3 * (1 - share), 3 * share]]))


def test_adversarial_distillation_weighs_by_alpha() -> None:
    alpha = torch.tensor([1.0, 0.5]).view(-1, 1, 1, 1)
    loss = adversarial_distillation_loss(latents((1, 2), (0, 4)), latents((0, 0), (0, 0)), alpha)
    assert float(loss) == pytest.approx((1 + 4 + 0 + 8) / 4)


def test_the_direction_of_the_scores_is_theirs_by_the_mean_distance_to_the_real_one() -> None:
    drawn, fake, real = latents((2, 0), (1, 1)), latents((1, 1), (1, 1)), latents((0, 0), (1, 1))
    # The first is 1 from the real one on average; the second is where it should be, and must not divide by zero.
    torch.testing.assert_close(score_direction(drawn, fake, real), latents((1, 1), (0, 0)))
    torch.testing.assert_close(score_direction(2 * drawn, fake, real)[:1], latents((0.5, 0.5)))


def test_score_distillation_s_gradient_is_the_direction() -> None:
    drawn, direction = latents((2, 0)).requires_grad_(), latents((3, -4))
    loss = score_distillation_loss(drawn, direction)
    assert float(loss.detach()) == pytest.approx(0.5 * (9 + 16) / 2)
    loss.backward()
    torch.testing.assert_close(drawn.grad, direction / 2)


def test_the_denoising_loss_is_the_mean_square() -> None:
    assert float(denoising_loss(latents((1, 2)), latents((0, 4)))) == pytest.approx(2.5)
