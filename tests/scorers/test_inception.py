"""Inception's features as torch-fidelity gives them, from PyTorch's cache and nowhere else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from PIL import Image

from hypersd.models.downloads import DownloadError
from hypersd.scorers import inception
from hypersd.scorers.inception import InceptionFeatures, check_inception
from tests.scorers.inception_weights import TinyFeatures, random_inception, write_inception
from tests.training.sources.conftest import picture


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """PyTorch's cache with random weights; no network."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(inception, "URL_INCEPTION_V3", write_inception(tmp_path))
    return inception.weights_file()


@pytest.mark.usefixtures("cached")
def test_features_are_torch_fidelity_s_whatever_the_size() -> None:
    check_inception()
    images = [picture(0), picture(1, height=90, width=40), picture(2, height=90, width=40)]
    features = InceptionFeatures.published().embed(images)
    assert features.shape == (3, 2048)
    network = random_inception()
    for image, row in zip(images, features, strict=True):
        (expected,) = network(torch.from_numpy(np.array(image)).permute(2, 0, 1)[None])
        np.testing.assert_allclose(row, expected[0].numpy(), rtol=1e-4, atol=1e-5)


def test_missing_weights_are_named_and_damaged_ones_too(cached: Path) -> None:
    content = cached.read_bytes()
    for damaged in (content[: len(content) // 2], b"", b"nothing"):
        cached.write_bytes(damaged)
        with pytest.raises(OSError, match=f"{cached.name} is damaged, or cannot be fetched"):
            InceptionFeatures.published()
    cached.unlink()
    with pytest.raises(DownloadError, match=f"{cached.name}, the network of FID, is not downloaded .* connect once"):
        check_inception()


def test_many_pictures_come_in_their_order() -> None:
    network = InceptionFeatures(TinyFeatures())
    images = [picture(seed, height=8 + 4 * (seed // 40), width=8) for seed in range(90)]
    features = network.embed(images)
    assert features.shape == (90, 8)
    for place in (0, 31, 32, 39, 40, 89):
        np.testing.assert_allclose(features[place], network.embed([images[place]])[0], rtol=1e-5)
    assert not network.embed([]).size
    assert np.ptp(network.embed([Image.new("RGB", (8, 8), "red"), picture(0)]), axis=0).max() > 0
