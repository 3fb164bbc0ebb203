"""Prompts become what the family's own pipeline makes of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from hypersd.training.text import TextEncoders
from tests.families import sd_pipeline, sdxl_pipeline


@torch.no_grad()
@pytest.mark.parametrize("emoji", [True, False], ids=["embedded", "sdxl"])
def test_of_sdxl_s_shape_prompt_and_empty_prompt_are_the_pipeline_s(*, emoji: bool) -> None:
    pipeline = sdxl_pipeline(emoji=emoji)
    hidden, no_hidden, pooled, no_pooled = pipeline.encode_prompt("a cat", do_classifier_free_guidance=True)
    ours = TextEncoders.of(pipeline, 64).conditioning(["a cat", ""])
    torch.testing.assert_close(ours["encoder_hidden_states"], torch.cat([hidden, no_hidden]))
    torch.testing.assert_close(ours["added_cond_kwargs"]["text_embeds"], torch.cat([pooled, no_pooled]))
    assert bool((no_hidden == 0).all()) != emoji, "SDXL's empty prompt is zeros"
    assert ours["added_cond_kwargs"]["time_ids"].tolist() == [[64, 64, 0, 0, 64, 64]] * 2


@torch.no_grad()
def test_of_sd15_s_shape_there_is_the_sequence_alone() -> None:
    pipeline: Any = sd_pipeline()
    hidden, empty = pipeline.encode_prompt("a cat", "cpu", 1, do_classifier_free_guidance=True)
    ours = TextEncoders.of(pipeline, 64).conditioning(["a cat", ""])
    assert ours.keys() == {"encoder_hidden_states"}
    torch.testing.assert_close(ours["encoder_hidden_states"], torch.cat([hidden, empty]))
