"""Control images: white lines on black, whatever they are made of."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from hypersd.models.control_specs import ControlMode
from hypersd.sampling.control_image import control_image, is_blank


@pytest.fixture
def square() -> Image.Image:
    """A white square from 32 to 95 on black."""
    image = Image.new("RGB", (128, 128))
    ImageDraw.Draw(image).rectangle((32, 32, 95, 95), fill="white")
    return image


@pytest.mark.parametrize("mode", ControlMode)
def test_lines_lie_where_the_picture_changes(square: Image.Image, mode: ControlMode) -> None:
    lines = np.asarray(control_image(square, mode, 128).convert("L"))
    assert lines.shape == (128, 128)
    assert set(np.unique(lines)) == {0, 255}
    assert lines[64, 30:35].any()
    assert lines[93:98, 64].any()
    assert not lines[50:78, 50:78].any()
    assert not lines[:20].any()


def test_a_scribble_is_thicker_than_an_edge(square: Image.Image) -> None:
    edges, strokes = (
        np.asarray(control_image(square, mode, 128).convert("L"))[64, :64] > 0
        for mode in (ControlMode.CANNY, ControlMode.SCRIBBLE)
    )
    assert edges.sum() < strokes.sum() < 10


def test_a_drawing_is_inverted_and_transparent_is_paper() -> None:
    drawing = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    ImageDraw.Draw(drawing).line((0, 32, 63, 32), fill="black", width=6)
    lines = np.asarray(control_image(drawing, None, 64))
    assert lines.shape == (64, 64, 3)
    assert (lines[32] == 255).all()
    assert (lines[10] == 0).all()


def test_the_middle_of_an_oblong_picture_is_taken() -> None:
    wide = Image.new("RGB", (400, 100), "white")
    ImageDraw.Draw(wide).line((200, 0, 200, 99), fill="black", width=8)
    lines = np.asarray(control_image(wide, None, 100).convert("L"))
    assert lines[50, 50] == 255
    assert lines[50, 10] == 0


def test_nothing_drawn_is_blank() -> None:
    assert is_blank(control_image(Image.new("RGBA", (64, 64)), None, 64))
    assert is_blank(control_image(Image.new("RGB", (64, 64), "red"), ControlMode.CANNY, 64))
