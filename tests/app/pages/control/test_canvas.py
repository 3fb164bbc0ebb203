"""A canvas's value as anybody may send it."""

from __future__ import annotations

import base64
import io
import random
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from app.pages.control.canvas import LONGEST, SIDE, drawing


def png(size: tuple[int, int] = (SIDE, SIDE), mode: str = "RGBA", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, "white").save(buffer, "PNG", **options)
    return buffer.getvalue()


def url(data: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE), "white").save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.mark.parametrize("has_picture", [False, True])
@pytest.mark.parametrize("mode", ["RGBA", "RGB", "L", "P"])
def test_a_canvas_is_read(mode: str, *, has_picture: bool) -> None:
    drawn = drawing({"png": url(png(mode=mode)), "picture": has_picture})
    assert (drawn.image.mode, drawn.image.size, drawn.has_picture) == ("RGB", (SIDE, SIDE), has_picture)
    assert drawn.image.getpixel((0, 0)) == (255, 255, 255)


def test_the_noisiest_canvas_is_within_the_limit() -> None:
    buffer = io.BytesIO()
    Image.frombytes("RGB", (SIDE, SIDE), random.Random(0).randbytes(3 * SIDE * SIDE)).save(buffer, "PNG")
    noise = url(buffer.getvalue())
    assert LONGEST / 2 < len(noise) < LONGEST
    assert drawing({"png": noise, "picture": True}).image.size == (SIDE, SIDE)


@pytest.mark.parametrize("value", [None, ""], ids=["untouched", "cleared"])
def test_an_empty_canvas_says_what_to_do(value: object) -> None:
    with pytest.raises(ValueError, match="canvas is empty; draw on it"):
        drawing(value)


def test_a_text_in_a_png_that_unpacks_to_much_is_refused() -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("bomb", "0" * 80_000_000, zip=True)
    with pytest.raises(ValueError, match="the canvas must come as a PNG"):
        drawing({"png": url(png(pnginfo=texts)), "picture": False})


@pytest.mark.parametrize(
    "value",
    [
        *(
            "draw",
            7,
            [],
            {},
            {"png": None, "picture": False},
            {"png": url(png())},
            {"png": url(png()), "picture": 1},
        ),
        {"png": "data:image/png;base64,", "picture": False},
        {"png": "data:image/png;base64,!!!", "picture": False},
        {"png": "data:image/png;base64,\N{SNOWMAN}", "picture": False},
        {"png": "https://example.org/cat.png", "picture": False},
        {"png": url(b"no picture"), "picture": False},
        {"png": url(jpeg(), "jpeg"), "picture": True},
        {"png": url(jpeg()), "picture": True},
        {"png": url(png((SIDE, SIDE + 1))), "picture": False},
        {"png": url(png((20_000, 20_000), "1")), "picture": False},
        {"png": url(png()[:-40]), "picture": False},
        {"png": url(png()) + "A" * LONGEST, "picture": False},
    ],
    ids=lambda value: str(value)[:50],
)
def test_anything_else_is_refused_in_one_sentence(value: object) -> None:
    with pytest.raises(ValueError, match=r"^the canvas must come as a PNG of 512x512 pixels; clear it and draw again$"):
        drawing(value)


def test_a_damaged_png_is_read_or_refused() -> None:
    """Bytes at random places are changed: no other error may come of it."""
    whole, dice = png(mode="P", transparency=0, gamma=1), random.Random(1)
    refused = 0
    for _ in range(300):
        data = bytearray(whole)
        for place in dice.sample(range(8, len(data)), dice.randint(1, 4)):
            data[place] = dice.randrange(256)
        try:
            drawing({"png": url(bytes(data)), "picture": False})
        except ValueError as error:
            assert "clear it and draw again" in str(error)  # noqa: PT017 - a damaged one may also be read
            refused += 1
    assert refused > 100
