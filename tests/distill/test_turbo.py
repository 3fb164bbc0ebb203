"""Adversarial diffusion distillation, formula by formula."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import CLIPModel

from hypersd.distill.losses import adversarial_distillation_loss, hinge_discriminator_loss
from hypersd.distill.student import Student
from hypersd.distill.turbo import STUDENT_TIMES, AdversarialDiffusion, PictureDiscriminator, TurboConfig
from hypersd.training.adapter_passes import disable_adapter
from hypersd.training.data import LatentBatches
from tests.distill.conftest import step
from tests.families import write_clip


@pytest.fixture(scope="module")
def clip(folder: Path) -> CLIPModel:
    """The family's CLIP, random."""
    write_clip(folder / "clip")
    model = CLIPModel.from_pretrained(folder / "clip", dtype=torch.float32)
    model.set_attn_implementation("eager")
    return model


@torch.no_grad()
def test_a_token_s_logit_is_its_score_and_how_it_fits_the_text(clip: CLIPModel) -> None:
    discriminator = PictureDiscriminator(clip, text_dim=3, width=2)
    hidden = torch.randn(1, 5, 16)
    for layer, (head, text, score) in enumerate(
        zip(discriminator.heads, discriminator.texts, discriminator.scores, strict=True)
    ):
        for part in (text, score, head[3]):
            part.weight.zero_()
            part.bias.zero_()
        head[3].bias.copy_(torch.tensor([2.0, 4.0]))  # what is seen of any token
        text.bias.copy_(torch.tensor([1.0, float(layer)]))
        score.weight.copy_(torch.tensor([[1.0, 1.0]]))
    logits = discriminator([hidden] * 4, torch.zeros(1, 3))
    # Score 2 + 4, and the mean of 2 * 1 and 4 * layer.
    torch.testing.assert_close(logits.view(4, 5)[:, 0], torch.tensor([7.0, 9.0, 11.0, 13.0]))
    assert logits.shape == (1, 20)


def test_the_tower_is_frozen_and_lets_gradients_through(clip: CLIPModel) -> None:
    discriminator = PictureDiscriminator(clip, text_dim=3)
    assert not any(weight.requires_grad for weight in discriminator.tower.parameters())
    picture = torch.rand(1, 3, 128, 128, requires_grad=True)
    features = discriminator.features(picture)
    assert [hidden.shape for hidden in features] == [(1, 17, 16)] * 4
    discriminator(features, torch.zeros(1, 3)).sum().backward()
    assert picture.grad is not None
    assert picture.grad.abs().sum() > 0


@pytest.fixture
def objective(student: Student, clip: CLIPModel) -> AdversarialDiffusion:
    """On a student that is not the base."""
    assert clip is not None
    for weight in student.weights:
        torch.nn.init.normal_(weight, std=0.1, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(0)
    return AdversarialDiffusion(student, TurboConfig(adversarial=0.5, distillation=2.0, share_of_noise=0.5))


def test_the_students_loss_is_both_parts_by_their_weights(
    objective: AdversarialDiffusion, scenes: LatentBatches
) -> None:
    student, batch = objective.student, scenes(step())
    losses = objective.loss("student", batch, step())
    expected = 0.5 * losses["adversarial"] + 2.0 * losses["distillation"]
    torch.testing.assert_close(losses["loss"], expected)
    pooled = student.text.conditioning(batch.captions)["added_cond_kwargs"]["text_embeds"]
    logits = objective.discriminator(objective.discriminator.features(objective.fake), pooled)
    torch.testing.assert_close(losses["adversarial"], -logits.mean(), rtol=1e-4, atol=1e-5)
    losses["loss"].backward(inputs=list(student.weights))
    assert all(weight.grad is not None for weight in student.weights)


def test_the_teacher_looks_at_what_the_student_drew_noised_anew(
    objective: AdversarialDiffusion, scenes: LatentBatches
) -> None:
    student, batch, now = objective.student, scenes(step()), step(5)
    times = torch.randint(20, 1000, (4,), generator=now.generator)
    noise = torch.randn(batch.latents.shape, generator=now.generator)
    schedule = student.schedule
    with torch.no_grad(), disable_adapter(student.unet):
        noisy = schedule.add_noise(batch.latents, noise, times)
        guided = student.guided(noisy, times, batch.captions, torch.full((4,), objective.config.guidance_scale))
        taught = schedule.predict_x0(noisy, guided, times)
    expected = adversarial_distillation_loss(batch.latents, taught, schedule.alpha(times))
    torch.testing.assert_close(objective._distillation(batch.latents, batch, step(5)), expected)


def test_at_its_last_time_it_draws_from_noise_alone(objective: AdversarialDiffusion, scenes: LatentBatches) -> None:
    batch, asked = scenes(step()), list[torch.Tensor]()
    objective.student.unet.register_forward_pre_hook(lambda _, given: asked.append(given[1]))
    conditioning = objective.student.text.conditioning(batch.captions)
    with torch.no_grad():
        tensor = objective._draw(batch, conditioning, step(1))
        other = objective._draw(type(batch)(batch.latents + 100, batch.captions), conditioning, step(1))
    last = asked[0] == STUDENT_TIMES[-1]
    assert set(asked[0].tolist()) <= set(STUDENT_TIMES)
    assert last.any()
    torch.testing.assert_close(tensor[last], other[last])
    assert not any(torch.allclose(a, b) for a, b in zip(tensor[~last], other[~last], strict=True))


def test_the_discriminator_s_loss_is_the_hinge_and_the_penalty(
    objective: AdversarialDiffusion, scenes: LatentBatches
) -> None:
    batch = scenes(step())
    objective.loss("student", batch, step())
    losses = objective.loss("discriminator", batch, step())
    pooled = objective.student.text.conditioning(batch.captions)["added_cond_kwargs"]["text_embeds"]
    with torch.no_grad():
        real, fake = (
            objective.discriminator(objective.discriminator.features(picture), pooled)
            for picture in (objective.student.picture(batch.latents), objective.fake)
        )
    assert float(losses["penalty"].detach()) > 0
    expected = hinge_discriminator_loss(real, fake) + objective.config.gradient_penalty * losses["penalty"].detach()
    torch.testing.assert_close(losses["loss"].detach(), expected, rtol=1e-4, atol=1e-5)
    losses["loss"].backward()
    assert all(weight.grad is None for weight in objective.student.weights), "the student's turn is over"
