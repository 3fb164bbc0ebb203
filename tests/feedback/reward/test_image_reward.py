"""ImageReward as published: BLIP's own names of weights, read into another implementation, give the same scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from huggingface_hub import constants
from torch import Tensor

from hypersd.arena.votes.images import ImageStore
from hypersd.feedback.preferences.dataset import Preferences
from hypersd.feedback.reward.bradley_terry import RewardConfig
from hypersd.feedback.reward.image_statistics import as_tensor
from hypersd.feedback.reward.reward_model import RewardModel
from hypersd.feedback.reward.train import RewardTask
from hypersd.scorers.image_reward import ImageReward
from tests.families import as_blobs, hub_file, write_image_reward
from tests.feedback.conftest import noisy

HEADS = {"vision": 2, "text": 4}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published files, tiny, with a tokenizer beside them."""
    folder = tmp_path_factory.mktemp("published")
    write_image_reward(folder, folder)
    return folder


def attend(weights: Mapping[str, Tensor], name: str, asking: Tensor, context: Tensor, mask: Tensor | None) -> Tensor:
    """BLIP's attention in the text encoder, by PyTorch's own."""
    query, key, value = (
        linear(weights, f"{name}.self.{part}", states)
        for part, states in (("query", asking), ("key", context), ("value", context))
    )
    split = [states.unflatten(-1, (HEADS["text"], -1)).transpose(1, 2) for states in (query, key, value)]
    seen = F.scaled_dot_product_attention(*split, attn_mask=mask).transpose(1, 2).flatten(2)
    return norm(weights, f"{name}.output.LayerNorm", linear(weights, f"{name}.output.dense", seen) + asking, 1e-12)


def linear(weights: Mapping[str, Tensor], name: str, states: Tensor) -> Tensor:
    return F.linear(states, weights[f"{name}.weight"], weights[f"{name}.bias"])


def norm(weights: Mapping[str, Tensor], name: str, states: Tensor, eps: float) -> Tensor:
    return F.layer_norm(states, states.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"], eps)


def patches_of(weights: Mapping[str, Tensor], pictures: Tensor) -> Tensor:
    """BLIP's vision transformer (Dosovitskiy et al. 2020), from its weights under their published names."""
    name = "blip.visual_encoder"
    projected = F.conv2d(
        pictures,
        weights[f"{name}.patch_embed.proj.weight"],
        weights[f"{name}.patch_embed.proj.bias"],
        stride=weights[f"{name}.patch_embed.proj.weight"].shape[-1],
    )
    first = weights[f"{name}.cls_token"].expand(len(pictures), -1, -1)
    states = torch.cat([first, projected.flatten(2).mT], dim=1) + weights[f"{name}.pos_embed"]
    for layer in range(2):
        block = f"{name}.blocks.{layer}"
        mixed = linear(weights, f"{block}.attn.qkv", norm(weights, f"{block}.norm1", states, 1e-6))
        split = [part.unflatten(-1, (HEADS["vision"], -1)).transpose(1, 2) for part in mixed.chunk(3, dim=-1)]
        seen = F.scaled_dot_product_attention(*split).transpose(1, 2).flatten(2)
        states = states + linear(weights, f"{block}.attn.proj", seen)
        wide = F.gelu(linear(weights, f"{block}.mlp.fc1", norm(weights, f"{block}.norm2", states, 1e-6)))
        states = states + linear(weights, f"{block}.mlp.fc2", wide)
    return norm(weights, f"{name}.norm", states, 1e-6)


def score_of(weights: Mapping[str, Tensor], tokens: Tensor, pictures: Tensor) -> Tensor:
    """ImageReward's score (Xu et al. 2023) of normalised pictures, from its weights under their published names."""
    patches, name = patches_of(weights, pictures), "blip.text_encoder"
    states = weights[f"{name}.embeddings.word_embeddings.weight"][tokens]
    states = states + weights[f"{name}.embeddings.position_embeddings.weight"][: tokens.shape[1]]
    states = norm(weights, f"{name}.embeddings.LayerNorm", states, 1e-12)
    there = (tokens != 0)[:, None, None, :]
    for layer in range(2):
        block = f"{name}.encoder.layer.{layer}"
        states = attend(weights, f"{block}.attention", states, states, there)
        states = attend(weights, f"{block}.crossattention", states, patches, None)
        wide = F.gelu(linear(weights, f"{block}.intermediate.dense", states))
        states = norm(
            weights, f"{block}.output.LayerNorm", linear(weights, f"{block}.output.dense", wide) + states, 1e-12
        )
    score = states[:, 0]
    for number in (0, 2, 4, 6, 7):
        score = linear(weights, f"mlp.layers.{number}", score)
    return (score[:, 0] - 0.16717362830052426) / 1.0333394966054072


def test_scores_are_those_of_the_published_computation(published: Path) -> None:
    model = ImageReward.published(published)
    weights = torch.load(published / "ImageReward.pt", weights_only=True)
    assert model.pixels == 32
    pictures = as_tensor([noisy(shade, shade) for shade in (30, 120, 210)])
    prompts = ["a big cat", "", "a small dog left of a cat on a blue background " * 9]
    tokens = model.embed_prompts(prompts)
    assert tokens.shape == (3, 35)
    expected = score_of(weights, tokens, model.normalised(pictures))
    assert expected.std() > 0.1
    torch.testing.assert_close(model.image_text_score(pictures, tokens), expected, rtol=1e-4, atol=1e-4)


def test_it_tells_pictures_and_prompts_apart_and_has_a_gradient(published: Path) -> None:
    model = ImageReward.published(published)
    pictures = as_tensor([noisy(120, 0), noisy(120, 0), noisy(40, 1)]).requires_grad_()
    scores = model.image_text_score(pictures, model.embed_prompts(["a cat", "a dog", "a cat"]))
    assert len({round(float(score), 4) for score in scores.detach()}) == 3
    scores.sum().backward()
    assert pictures.grad is not None
    assert bool((pictures.grad.flatten(1).abs().sum(dim=1) > 0).all())


def test_a_reward_model_of_it_learns_and_comes_back_the_same(
    published: Path, preferences: Preferences, pictures: ImageStore, tmp_path: Path
) -> None:
    report = RewardTask(
        preferences=preferences,
        pictures=pictures,
        backbone=published,
        out=tmp_path,
        config=RewardConfig(steps=100),
        curve=False,
    ).run()
    assert report.accuracy.low > 0.7, "brightness is easy to see, even beside the scores of random weights"
    begun, model = ImageReward.published(published), RewardModel.load(tmp_path)
    assert isinstance(model.backbone, ImageReward)
    seen = as_tensor([noisy(50, 900), noisy(200, 901)])
    for weight, other in zip(begun.state_dict().values(), model.backbone.state_dict().values(), strict=True):
        torch.testing.assert_close(weight.half().float(), other)
    texts = model.embed_prompts(["a thing number 1"] * 2)
    torch.testing.assert_close(
        model.backbone.image_text_score(seen, texts), begun.image_text_score(seen, texts), rtol=0.05, atol=0.05
    )
    dark, bright = model.score([noisy(50, 900), noisy(200, 901)], ["a thing number 1"] * 2)
    assert bright > dark


def test_it_is_found_in_the_hubs_cache(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(OSError, match=r"ImageReward\.pt of zai-org/ImageReward is not downloaded"):
        RewardModel.start("zai-org/ImageReward")
    weights = hub_file(tmp_path, "zai-org/ImageReward", "ImageReward.pt").parent
    for name in ("ImageReward.pt", "med_config.json"):
        (weights / name).write_bytes((published / name).read_bytes())
    with pytest.raises(OSError, match=r"vocab\.txt of google-bert/bert-base-uncased is not downloaded"):
        RewardModel.start("zai-org/ImageReward")
    write_image_reward(weights, hub_file(tmp_path, "google-bert/bert-base-uncased", "vocab.txt").parent)
    as_blobs(tmp_path)
    model = RewardModel.start("zai-org/ImageReward")
    assert model.metadata == {"backbone": "zai-org/ImageReward"}
    expected = ImageReward.published(published).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in model.backbone.state_dict().items())
    assert model.embed_prompts(["a cat"]).tolist() == RewardModel.start(published).embed_prompts(["a cat"]).tolist()


def test_what_is_not_imagereward_is_said(published: Path, tmp_path: Path) -> None:
    for name in ("med_config.json", "vocab.txt"):
        (tmp_path / name).write_text((published / name).read_text())
    for content in (b"", b"not a pickle", b"\x80\x02]"):
        (tmp_path / "ImageReward.pt").write_bytes(content)
        with pytest.raises(OSError, match="damaged, or not ImageReward"):
            RewardModel.start(tmp_path)
    torch.save({"blip.visual_encoder.cls_token": torch.zeros(1, 1, 64)}, tmp_path / "ImageReward.pt")
    with pytest.raises(OSError, match="damaged, or not ImageReward"):
        RewardModel.start(tmp_path)
