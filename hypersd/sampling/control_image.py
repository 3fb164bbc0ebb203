"""Control images: the lines of a picture or of a drawing, white on black as ControlNets expect."""

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
"""Thresholds of edge detection on the blurred picture."""

_COARSE_SIDE = 128
"""Shorter side in pixels of the picture from which contours are detected."""

STROKE = 1 / 128
"""Blur that turns edges into strokes, as a fraction of the side: strokes are about four times as wide."""

_INKED = 48
"""Brightness from which a blurred edge is part of a stroke."""


def canny(picture: Image.Image) -> Image.Image:
    """Edges of an RGB picture, one pixel wide (Canny 1986)."""
    return _edges(picture, _CANNY)


def scribble(picture: Image.Image, stroke: float = STROKE) -> Image.Image:
    """Coarse contours of an RGB picture as thick strokes, as if drawn by hand.

    controlnet-aux makes scribbles with HED or PidiNet, whose weights are published only as pickles. This needs no
    weights: it blurs the picture to remove details, and widens the remaining edges.
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
        # It imports all of its detectors, some of them by deprecated names.
        warnings.simplefilter("ignore")
        from controlnet_aux import CannyDetector  # noqa: PLC0415 - takes seconds, and a drawing needs no detector
    return CannyDetector()


def control_image(picture: Image.Image, mode: ControlMode | None, side: int) -> Image.Image:
    """The control image of a picture or drawing, `side` x `side` pixels.

    Args:
        picture: of any size and mode; it is cropped to its centre, and transparent parts become white.
        mode: kind of lines to detect; None for a drawing, dark on white, which is used without detection.
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
