"""Figure 3's numbers: one look's error along the guided base's path."""

from __future__ import annotations

import torch

from hypersd.distill.score_error import score_errors
from hypersd.distill.student import Student
from hypersd.training.adapters import disable_adapter


def test_at_the_last_time_the_guided_base_knows_where_its_path_ends(student: Student) -> None:
    measured = score_errors(student, ["a cat", "a dog"], steps=4, guidance=3.0)
    assert measured.times == (999, 749, 499, 249)
    assert measured.errors["guided base"].shape == (4, 2)
    # The path's last step goes to the schedule's clean end, whose latents keep a trace of the predicted noise.
    assert float(measured.errors["guided base"][-1].max()) < 0.1
    assert torch.equal(measured.errors["unguided base"], measured.errors["consistency model"]), (
        "an untrained adapter is off"
    )


def test_a_trained_student_differs_from_its_base(student: Student) -> None:
    for weight in student.weights:
        torch.nn.init.normal_(weight, std=0.1, generator=torch.Generator().manual_seed(0))
    measured = score_errors(student, ["a cat"], steps=2)
    assert not torch.allclose(measured.errors["unguided base"], measured.errors["consistency model"])
    with disable_adapter(student.unet):
        base = score_errors(student, ["a cat"], steps=2)
    torch.testing.assert_close(base.errors["guided base"], measured.errors["guided base"])
