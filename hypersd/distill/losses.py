"""The losses of the distillation methods, as functions of tensors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def jump_errors(arrived: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of each sample's end of a jump, `(B,)`, from latents `(B, C, H, W)`."""
    return (arrived - target).square().mean(dim=(1, 2, 3))


def jump_loss(arrived: Tensor, target: Tensor, leverage: Tensor, *, huber: float | None = None) -> Tensor:
    """Squared error of the ends of jumps, each sample's divided by its leverage `(B,)` (`NoiseSchedule.leverage`).

    Otherwise jumps from the schedule's end would dominate the loss. With `huber`, c, the distance is the
    pseudo-Huber one of Song and Dhariwal 2023, √(‖·‖² + c²) − c of each value (LCM-LoRA's recipe).
    """
    if huber is None:
        return (jump_errors(arrived, target) / leverage).mean()
    distances = ((arrived - target).square() + huber**2).sqrt() - huber
    return (distances.mean(dim=(1, 2, 3)) / leverage).mean()


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Non-saturating loss of a discriminator (Goodfellow et al. 2014) from its logits: −log p − log(1 − p̂)."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def generator_loss(fake: Tensor) -> Tensor:
    """Non-saturating loss of a generator: −log p̂."""
    return F.softplus(-fake).mean()


def hinge_discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Hinge loss of a discriminator (Lim and Ye 2017) from its logits: ReLU(1 − real) + ReLU(1 + fake)."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def hinge_generator_loss(fake: Tensor) -> Tensor:
    """Hinge loss of a generator: −fake."""
    return -fake.mean()


def gradient_penalty(logits: Tensor, inputs: Sequence[Tensor]) -> Tensor:
    """R1 (Mescheder et al. 2018): squared norm of the logits' slope in inputs `(B, …)`, mean over B, sum of inputs."""
    slopes = torch.autograd.grad(logits.sum(), list(inputs), create_graph=True)
    return torch.stack([slope.square().flatten(1).sum(dim=1).mean() for slope in slopes]).sum()


def balance_gradients(arrived: Tensor, fidelity: Tensor, adversarial: Tensor, share: float) -> Tensor:
    """Mix two losses of `arrived` so that the adversarial one has `share`, in [0, 1], of each sample's gradient.

    No fixed weight works for the whole training: the squared error falls by orders of magnitude, but the adversarial
    loss does not. As in Esser et al. 2021, eq. 7, their gradients are scaled to the same norm, here at the student's
    output, and per sample, so that the result does not depend on the split over processes and passes.
    The value returned is `fidelity`'s; only the gradient is mixed.
    """
    near, far = (torch.autograd.grad(loss, arrived, retain_graph=True)[0] for loss in (fidelity, adversarial))
    sizes = [gradient.flatten(1).norm(dim=1).view(-1, *[1] * (arrived.dim() - 1)) for gradient in (near, far)]
    far = far * (sizes[0] / sizes[1].clamp(min=1e-12))
    gradient = (1 - share) * near + share * far
    return fidelity.detach() + ((arrived - arrived.detach()) * gradient).sum()


def adversarial_distillation_loss(clean: Tensor, target: Tensor, alpha: Tensor) -> Tensor:
    """c(t)·‖x̂_θ − x̂_ψ‖² with c(t) = α_t, ADD's "exponential" weighting (Sauer et al. 2023, eq. 4).

    Args:
        clean: the student's clean latents x̂_θ, `(B, C, H, W)`.
        target: the teacher's prediction x̂_ψ from them, noised to t.
        alpha: α_t, `(B, 1, 1, 1)`.
    """
    return (alpha * (clean - target).square()).mean()


def score_direction(drawn: Tensor, fake: Tensor, real: Tensor) -> Tensor:
    """(x̂_fake − x̂_real) / mean|x − x̂_real| of each picture, `(B, C, H, W)` (DMD, Yin et al. 2023, eq. 7 and 8)."""
    return (fake - real) / (drawn - real).abs().mean(dim=(1, 2, 3), keepdim=True).clamp(min=1e-3)


def score_distillation_loss(drawn: Tensor, direction: Tensor) -> Tensor:
    """A loss whose gradient with respect to `drawn` is `direction`, up to the mean's 1/N (DMD, eq. 7)."""
    return 0.5 * (drawn - (drawn - direction).detach()).square().mean()


def denoising_loss(predicted: Tensor, noise: Tensor) -> Tensor:
    """Mean squared error of a predicted noise (Ho et al. 2020)."""
    return (predicted - noise).square().mean()
