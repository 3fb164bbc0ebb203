"""Control images: the lines of a picture, or of a drawing, white on black as ControlNets want them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from hypersd.models.control_specs import ControlMode

_CANNY = (100, 200)
"""Thresholds of the detector, as in Hyper-SD's model card."""

_COARSE = (40, 80)
"""Thresholds for what is left of the edges when the details are blurred away."""

_COARSE_SIDE = 128
"""Pixels on the shorter side of a picture of which only the contours are left."""

STROKE = 1 / 128
"""Blur that turns edges into strokes, as a fraction of the side: strokes are about four times as wide."""

_INKED = 48
"""Brightness of a blurred edge from which on it is part of a stroke."""


def canny(picture: Image.Image) -> Image.Image:
    """Edges of an RGB picture, one pixel wide (Canny 1986)."""
    return _edges(picture, _CANNY)


def scribble(picture: Image.Image, stroke: float = STROKE) -> Image.Image:
    """Coarse contours of an RGB picture as thick strokes, as if drawn by hand.

    controlnet-aux makes scribbles from HED or PidiNet, whose weights are published as pickles only; this needs none:
    the details are blurred away, and the edges that remain are widened.
    """
    side = min(picture.size)
    small = ImageOps.scale(picture, _COARSE_SIDE / side, Image.Resampling.LANCZOS)
    lines = _edges(small.filter(ImageFilter.GaussianBlur(_COARSE_SIDE / 64)), _COARSE).resize(picture.size)
    strokes = lines.convert("L").filter(ImageFilter.GaussianBlur(stroke * side))
    return strokes.point([255 if value > _INKED else 0 for value in range(256)]).convert("RGB")


DETECTORS: Mapping[ControlMode, Callable[[Image.Image], Image.Image]] = MappingProxyType(
    {ControlMode.CANNY: canny, ControlMode.SCRIBBLE: scribble}
)


def _edges(picture: Image.Image, thresholds: tuple[int, int]) -> Image.Image:
    low, high = thresholds
    side = min(picture.size)
    pixels: NDArray[np.uint8] = np.asarray(picture.convert("RGB"))
    edges = load_detector()(
        pixels, low_threshold=low, high_threshold=high, detect_resolution=side, image_resolution=side, output_type="np"
    )
    return Image.fromarray(edges)


@cache
def load_detector() -> Any:
    """The edge detector of controlnet-aux, imported once: that takes seconds."""
    with warnings.catch_warnings():
        # It imports all of its detectors, some of them by names that their libraries have given up.
        warnings.simplefilter("ignore")
        from controlnet_aux import CannyDetector  # noqa: PLC0415 - takes seconds, and a drawing needs no detector
    return CannyDetector()


def control_image(picture: Image.Image, mode: ControlMode | None, side: int) -> Image.Image:
    """The control image that a picture or drawing gives, `side` x `side` pixels.

    Args:
        picture: of any size and mode; its middle is taken, what is transparent is white.
        mode: of the lines that are looked for; None for a drawing, dark on white, which is taken as it is.
        side: in pixels.
    """
    inked = picture.convert("RGBA")
    flat = Image.alpha_composite(Image.new("RGBA", inked.size, "white"), inked).convert("RGB")
    square = ImageOps.fit(flat, (side, side), Image.Resampling.LANCZOS)
    if mode is None:
        return ImageOps.invert(square.convert("L")).convert("RGB")
    return DETECTORS[mode](square)


def is_blank(image: Image.Image) -> bool:
    """True if a control image has no line on it."""
    return int(np.asarray(image.convert("L")).max()) < _INKED
