"""Published models as metrics: read from a Hub's cache, on the scales of the paper's tables."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from huggingface_hub import constants
from PIL import Image
from torch import Tensor
from transformers import CLIPImageProcessor, CLIPModel, CLIPTokenizer

from hypersd.evaluate.suite import MetricSuite, check_measurable
from hypersd.models.downloads import DownloadError
from hypersd.models.families.sd15 import SD15
from hypersd.sampling.request import Generation
from hypersd.scorers.hub_models import CLIP_B32, CLIP_H14_INPUTS, CLIP_L14, PICK_SCORE
from hypersd.scorers.image_reward import ImageReward
from tests.families import machine
from tests.scorers import published_scorers
from tests.scorers.published_scorers import NUMBERS, aesthetic_weights, fill, hps_model

PROMPT = "a lighthouse in a storm"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("hub")
    fill(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HUB_CACHE", str(folder))
        patch.setattr(constants, "HF_HUB_OFFLINE", True)
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield folder


@pytest.fixture(scope="module")
def images() -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (96, 140, 3), dtype=np.uint8)) for _ in range(3)]


@pytest.fixture(scope="module")
def scores(cache: Path, images: list[Image.Image]) -> dict[str, list[float]]:
    """Each metric of the pictures, under three seeds of one model."""
    check_measurable(SD15, machine(cache))
    suite = MetricSuite.of(SD15, machine(cache))
    drawn = [
        (seed, Generation(model="lcm", steps=4, calls=4, guidance_scale=0, seconds=1.0, image=image))
        for seed, image in enumerate(images)
    ]
    measured = [image.metrics.scores for image in suite.measure(PROMPT, drawn)]
    return {name: [picture[name] for picture in measured] for name in suite.names}


def cosines(model: CLIPModel, inputs: Path, images: list[Image.Image]) -> tuple[Tensor, Tensor]:
    """The cosines of pictures with the prompt, and the pictures' embeddings of length 1, by the whole model."""
    pixels = CLIPImageProcessor.from_pretrained(inputs)(images=images, return_tensors="pt")
    words = CLIPTokenizer.from_pretrained(inputs)([PROMPT], padding="max_length", return_tensors="pt", truncation=True)
    with torch.inference_mode():
        output = model.eval()(**words, **pixels)
    return (output.image_embeds @ output.text_embeds.T)[:, 0], output.image_embeds


def close(values: list[float], expected: Tensor) -> None:
    assert torch.tensor(values).std() > 1e-5, "the pictures differ"
    torch.testing.assert_close(torch.tensor(values), expected.float(), rtol=1e-3, atol=1e-5)


def test_a_family_of_the_hub_has_the_paper_s_metrics(scores: dict[str, list[float]]) -> None:
    assert list(scores) == ["clip", "aesthetic", "image_reward", "pick", "hps", "reward", "diversity"]
    assert all(math.isnan(value) for value in scores["reward"])


def test_the_clip_score_is_a_hundred_cosines(
    cache: Path, images: list[Image.Image], scores: dict[str, list[float]]
) -> None:
    folder = CLIP_B32.folder(machine(cache))
    model = CLIPModel.from_pretrained(folder, dtype=torch.float32)
    close(scores["clip"], 100 * cosines(model, folder, images)[0])


def test_pickscore_is_a_cosine(cache: Path, images: list[Image.Image], scores: dict[str, list[float]]) -> None:
    model = CLIPModel.from_pretrained(PICK_SCORE.folder(machine(cache)), dtype=torch.float32)
    close(scores["pick"], cosines(model, CLIP_H14_INPUTS.folder(machine(cache)), images)[0])


def test_hpsv2_is_the_cosine_of_openclip_s_model(
    cache: Path, images: list[Image.Image], scores: dict[str, list[float]]
) -> None:
    inputs = CLIP_H14_INPUTS.folder(machine(cache))
    close(scores["hps"], cosines(hps_model(inputs), inputs, images)[0])


def test_the_aesthetic_score_is_the_head_s_of_an_embedding_of_length_one(
    cache: Path, images: list[Image.Image], scores: dict[str, list[float]]
) -> None:
    folder = CLIP_L14.folder(machine(cache))
    seen = cosines(CLIPModel.from_pretrained(folder, dtype=torch.float32), folder, images)[1]
    weights = aesthetic_weights()
    for number in NUMBERS:
        seen = F.linear(seen, weights[f"layers.{number}.weight"], weights[f"layers.{number}.bias"])
    close(scores["aesthetic"], seen[:, 0])


def test_imagereward_sees_the_middle_of_the_picture(
    cache: Path, images: list[Image.Image], scores: dict[str, list[float]]
) -> None:
    model = ImageReward.published("zai-org/ImageReward")
    side = model.pixels
    width = side * 140 // 96
    left = round((width - side) / 2)
    middles = [
        image.resize((width, side), Image.Resampling.BICUBIC).crop((left, 0, left + side, side)) for image in images
    ]
    seen = torch.stack([torch.from_numpy(np.array(middle)).permute(2, 0, 1) / 127.5 - 1 for middle in middles])
    with torch.inference_mode():
        expected = model.image_text_score(seen, model.embed_prompts([PROMPT] * 3))
    close(scores["image_reward"], expected)


@pytest.mark.parametrize(
    ("repository", "metric"),
    [
        (published_scorers.B32, "clip"),
        (published_scorers.L14, "aesthetic"),
        ("trl-lib/ddpo-aesthetic-predictor", "aesthetic"),
        ("zai-org/ImageReward", "image_reward"),
        ("google-bert/bert-base-uncased", "image_reward"),
        (published_scorers.PICK, "pick"),
        (published_scorers.H14, "pick"),
        ("xswu/HPSv2", "hps"),
    ],
)
def test_what_is_not_downloaded_is_named(cache: Path, repository: str, metric: str) -> None:
    home = cache / f"models--{repository.replace('/', '--')}"
    away = home.rename(home.with_name("away"))
    try:
        with pytest.raises(DownloadError, match=f"of {repository} is not downloaded and the Hub cannot be reached"):
            check_measurable(SD15, machine(cache))
        others = [name for name in ("clip", "image_reward") if name != metric]
        check_measurable(SD15, machine(cache), others)
    finally:
        away.rename(home)


@pytest.mark.parametrize(
    ("repository", "file", "metric", "complaint"),
    [
        ("trl-lib/ddpo-aesthetic-predictor", "aesthetic-model.pth", "aesthetic", "not LAION's aesthetic predictor"),
        ("xswu/HPSv2", "HPS_v2_compressed.pt", "hps", "not HPSv2"),
    ],
)
def test_a_damaged_file_is_named(cache: Path, repository: str, file: str, metric: str, complaint: str) -> None:
    (path,) = (cache / f"models--{repository.replace('/', '--')}").glob(f"snapshots/*/{file}")
    whole = path.read_bytes()
    for content in (b"", whole[: len(whole) // 2], b"not a pickle"):
        path.resolve().write_bytes(content)
        try:
            with pytest.raises(OSError, match=f"{file} is damaged, or {complaint}"):
                MetricSuite.of(SD15, machine(cache), names=[metric])
        finally:
            path.resolve().write_bytes(whole)


def test_metrics_are_chosen_by_name(cache: Path) -> None:
    assert MetricSuite.of(SD15, machine(cache), names=["pick", "clip"]).names == ("clip", "pick")
    with pytest.raises(ValueError, match="unknown metric 'beauty'; choose from: object, pair"):
        check_measurable(SD15, machine(cache), ["beauty"])
    with pytest.raises(ValueError, match="sd15 cannot be evaluated: it has no judge of its own"):
        check_measurable(SD15, machine(cache), ["match"])
