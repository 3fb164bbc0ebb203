"""The CLIP score, on a tiny random model of the family's layout."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

from hypersd.emoji.captions import caption
from hypersd.emoji.training.clip_towers import build_tokenizer
from hypersd.emoji.world import Pixels, Scene
from hypersd.evaluate.clip_score import ClipScore


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, scenes: list[Scene]) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    tokenizer = build_tokenizer(caption(scene) for scene in scenes)
    tokenizer.save_pretrained(folder)
    layers = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {**layers, "vocab_size": len(tokenizer), "max_position_embeddings": 24}
    text |= {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    vision = {**layers, "image_size": 32, "patch_size": 16}
    torch.manual_seed(0)
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)).half().save_pretrained(folder)
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def test_scores_are_cosines_and_do_not_depend_on_the_batch(
    folder: Path, scenes: list[Scene], pictures: list[Pixels]
) -> None:
    score = ClipScore.of(folder)
    prompts = [caption(scene) for scene in scenes[:70]]
    together = score(pictures[:70], prompts)
    assert together.shape == (70,)
    assert np.abs(together).max() <= 100 + 1e-3
    assert together.std() > 0
    alone = score([Image.fromarray(pictures[66])], prompts[66:67])
    assert alone[0] == pytest.approx(together[66], abs=1e-3)


def test_embeddings_are_what_the_scores_are_cosines_of(
    folder: Path, scenes: list[Scene], pictures: list[Pixels]
) -> None:
    score = ClipScore.of(folder)
    prompts = [caption(scenes[number % 3]) for number in range(70)]
    features = score.embed(pictures[:70])
    assert features.shape == (70, 8)
    assert features.dtype == np.float32
    assert np.linalg.norm(features, axis=1).std() > 0, "they are not normalised"
    np.testing.assert_allclose(score.score(features, prompts), score(pictures[:70], prompts), atol=1e-4)
    np.testing.assert_allclose(score.score(3 * features, prompts), score.score(features, prompts), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(score.embed(pictures[66:67])[0], features[66], atol=1e-5)


def test_scores_are_those_of_the_whole_model(folder: Path, scenes: list[Scene], pictures: list[Pixels]) -> None:
    score = ClipScore.of(folder)
    prompts = [caption(scene) for scene in scenes[:5]]
    pixels = score._processor(images=[Image.fromarray(picture) for picture in pictures[:5]], return_tensors="pt")
    tokens = score._tokenizer(prompts, padding="max_length", truncation=True, return_tensors="pt")
    with torch.inference_mode():
        output = score._model(**tokens, **pixels)
    expected = 100 * (output.image_embeds * output.text_embeds).sum(dim=-1).numpy()
    np.testing.assert_allclose(score(pictures[:5], prompts), expected, rtol=1e-4, atol=1e-4)


def test_long_prompts_are_cut_and_none_is_fine(folder: Path, pictures: list[Pixels]) -> None:
    score = ClipScore.of(folder)
    assert np.isfinite(score(pictures[:1], ["cat " * 500])).all()
    assert score([], []).shape == (0,)
    assert score.embed([]).shape == (0, 8)


def test_unfit_input_is_refused(folder: Path, pictures: list[Pixels], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one prompt a picture"):
        ClipScore.of(folder)(pictures[:2], ["a cat"])
    with pytest.raises(FileNotFoundError, match="no CLIP model"):
        ClipScore.of(tmp_path)
    wordless = tmp_path / "wordless"
    shutil.copytree(folder, wordless, ignore=shutil.ignore_patterns("tokenizer*"))
    with pytest.raises(OSError, match="has no tokenizer"):
        ClipScore.of(wordless)
