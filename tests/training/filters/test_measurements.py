"""Sharpness against OpenCV's; measurements that a stopped run has left are kept."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from hypersd.training.filters.measurements import laplacian_variance, measure_source, read_measurements
from hypersd.training.sources.opening import open_source
from tests.training.sources.conftest import picture, write_folder


def test_sharpness_is_the_variance_of_the_laplacian() -> None:
    grey = np.array([[0, 0, 0], [0, 10, 0], [0, 0, 0]], dtype=np.uint8)
    # The second differences, mirrored at the border: -40 in the middle, 20 at the middles of the sides, 0 at corners.
    laplacian = np.array([0, 20, 0, 20, -40, 20, 0, 20, 0])
    assert laplacian_variance(Image.fromarray(grey)) == pytest.approx(laplacian.var())


def test_sharpness_is_opencv_s() -> None:
    cv2 = pytest.importorskip("cv2")
    sharp = picture(3, height=60, width=80)
    expected = cv2.Laplacian(np.asarray(sharp.convert("L")), cv2.CV_64F).var()
    assert laplacian_variance(sharp) == pytest.approx(expected, rel=1e-5)


def test_a_blurred_picture_is_less_sharp_whatever_its_size() -> None:
    sharp = picture(0, height=300, width=400)
    assert laplacian_variance(sharp.filter(ImageFilter.GaussianBlur(3))) < 0.01 * laplacian_variance(sharp)
    large = sharp.resize((2400, 1800), Image.Resampling.BICUBIC)
    same = sharp.resize((1365, 1024), Image.Resampling.BICUBIC)
    assert laplacian_variance(large) == pytest.approx(laplacian_variance(same), rel=0.1)


def test_what_is_measured_is_kept_and_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "pictures", {"a.png": "a <b>cat</b>", "b.png": "b", "c.png": "c"})
    (folder / "b.png").write_bytes(b"nothing")
    (folder / "c.png").unlink()
    source, seen = open_source(str(folder)), []

    def aesthetic(pictures: list[Image.Image]) -> list[float]:
        seen.extend(pictures)
        return [6.5] * len(pictures)

    (file,) = measure_source(source, tmp_path / "out", aesthetic)
    first, second, third = read_measurements(file)
    assert (first.captions, first.side, first.aesthetic) == (["a cat"], 24, 6.5)
    assert first.sharpness == pytest.approx(laplacian_variance(picture(0)))
    assert second.problem == "no picture of a known format"
    assert math.isnan(second.aesthetic)
    assert third.problem == "No such file or directory"
    assert len(seen) == 1

    measure_source(source, tmp_path / "out", aesthetic)
    assert len(seen) == 1, "nothing is measured twice"
    with pytest.raises(ValueError, match="holds measurements of pictures of other data: their aesthetic is true"):
        measure_source(source, tmp_path / "out", None)
