"""The canvas of the Control tab: strokes or a picture, sent as a small PNG inside the event, never as a file."""

from __future__ import annotations

import base64
import io
import struct
from dataclasses import dataclass
from typing import Final

import gradio as gr
from PIL import Image

from app.templating import render
from app.theme import CANVAS_SCRIPT

SIDE: Final = 512
"""Pixels on a side of the canvas. A picture is scaled to it in the browser."""

LONGEST: Final = 2 * 2**20
"""Characters of a canvas as a data URL at most: pure noise takes 1.4 million."""

_HEAD = "data:image/png;base64,"
_EMPTY = "the canvas is empty; draw on it, or put a picture on it"
_MALFORMED = f"the canvas must come as a PNG of {SIDE}x{SIDE} pixels; clear it and draw again"


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """Content of the canvas; with a picture below the strokes, its lines have yet to be looked for."""

    image: Image.Image
    has_picture: bool


def canvas() -> gr.HTML:
    """The component. Its value is None or "" while it is empty, else `{"png": a data URL, "picture": a boolean}`.

    `input` comes while strokes are drawn and when a picture is put on it, `clear` when nothing is left on it.
    """
    script = f"({CANVAS_SCRIPT.read_text(encoding='utf-8').strip()})(element, props, trigger)"
    template = render("canvas", side=SIDE)
    return gr.HTML(html_template=template, js_on_load=script, apply_default_css=False, elem_id="hs-canvas")


def drawing(value: object) -> Drawing:
    """The drawing that a canvas's value holds. It may come from anybody, and is checked before it is decoded.

    Raises:
        ValueError: the canvas is empty, or the value is not what a canvas sends.
    """
    match value:
        case None | "":
            raise ValueError(_EMPTY)
        case {"png": str(text), "picture": bool(has_picture)} if text.startswith(_HEAD) and len(text) <= LONGEST:
            data = text.removeprefix(_HEAD)
        case _:
            raise ValueError(_MALFORMED)
    try:
        return Drawing(_decoded(base64.b64decode(data, validate=True)), has_picture)
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError) as error:
        raise ValueError(_MALFORMED) from error


def _decoded(data: bytes) -> Image.Image:
    """The picture in a PNG. One of another size is not decoded: a small file may hold a huge picture."""
    with Image.open(io.BytesIO(data), formats=("PNG",)) as opened:
        if opened.size != (SIDE, SIDE):
            raise ValueError(_MALFORMED)
        return opened.convert("RGB")
