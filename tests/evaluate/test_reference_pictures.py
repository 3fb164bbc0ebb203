"""FID from a folder of pictures."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import ImageFilter
from scipy.linalg import sqrtm

from hypersd.evaluate.reference_pictures import PictureReference, check_reference
from hypersd.scorers.inception import InceptionFeatures
from tests.scorers.inception_weights import TinyFeatures
from tests.training.sources.conftest import picture, write_folder


@pytest.fixture
def network() -> InceptionFeatures:
    return InceptionFeatures(TinyFeatures())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "real", {f"{number}.png": "any" for number in range(70)})


def test_fid_is_the_distance_of_the_features_gaussians(folder: Path, network: InceptionFeatures) -> None:
    reference = PictureReference.of(check_reference(folder), network)
    assert f"the 70 pictures in {folder}" in reference.description
    others = network.embed([picture(seed).filter(ImageFilter.GaussianBlur(1)) for seed in range(100, 150)])
    real = network.embed([picture(seed) for seed in range(70)]).astype(np.float64)
    covariances = np.cov(others.astype(np.float64).T), np.cov(real.T)
    root = np.real(sqrtm(covariances[0] @ covariances[1]))
    apart = np.square(others.mean(0, dtype=np.float64) - real.mean(0)).sum()
    expected = apart + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert reference.distance(others) == pytest.approx(expected, rel=1e-5, abs=1e-9)
    assert reference.distance(real) == pytest.approx(0, abs=1e-8)
    assert math.isnan(reference.floor(50))


def test_a_damaged_picture_is_named(folder: Path, network: InceptionFeatures) -> None:
    (folder / "40.png").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"40\.png: no picture of a known format; take it out"):
        PictureReference.of(check_reference(folder), network)
