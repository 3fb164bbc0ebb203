"""A picture's colours, in numbers: how bright, warm, saturated and varied they are."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_HUES = 6
"""Soft bins of the hue: red, yellow, green, cyan, blue, magenta."""

_LEVELS = (0.15, 0.35, 0.65, 0.85)
"""Brightness, from 0 to 1, above which shares of the pixels are counted."""

_EDGE = 0.05
"""Width of the soft step at a level: a count of pixels alone has no gradient."""

_FAINT = 1e-6

NAMES = (
    *("red", "green", "blue", "red deviation", "green deviation", "blue deviation"),
    *("warmth", "warmth deviation", "greenness", "greenness deviation", "colourfulness"),
    *("relative saturation", "saturation deviation", "luma", "luma deviation"),
    *(f"lighter than {level:g}" for level in _LEVELS),
    *(f"hue {360 * number // _HUES}" for number in range(_HUES)),
)


def colour(pictures: Tensor) -> Tensor:
    """`(B, len(NAMES))` of pictures `(B, 3, H, W)` in [-1, 1]; differentiable.

    Channels are in [0, 1]. Warmth is (R + G)/2 − B and greenness R − G, the opponent colours of Hasler and Süsstrunk
    2003, as is colourfulness. Luma is that of ITU-R BT.601. Relative saturation is that of HSV: the distance between a
    pixel's largest and smallest channel, over the largest. A hue's share weighs each pixel by that distance.
    """
    channels = (pictures.float().clamp(-1, 1) + 1) / 2
    red, green, blue = channels.flatten(2).unbind(dim=1)
    warmth, greenness = (red + green) / 2 - blue, red - green
    largest, smallest = channels.flatten(2).amax(dim=1), channels.flatten(2).amin(dim=1)
    chroma = largest - smallest
    saturation = chroma / largest.clamp(min=0.05)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    spread = (_variance(greenness) + _variance(warmth)).sqrt()
    colourfulness = spread + 0.3 * (greenness.mean(dim=1).square() + warmth.mean(dim=1).square() + _FAINT).sqrt()
    return torch.stack(
        [
            *(channel.mean(dim=1) for channel in (red, green, blue)),
            *(_variance(channel).sqrt() for channel in (red, green, blue)),
            *(warmth.mean(dim=1), _variance(warmth).sqrt(), greenness.mean(dim=1), _variance(greenness).sqrt()),
            colourfulness,
            *(saturation.mean(dim=1), _variance(saturation).sqrt(), luma.mean(dim=1), _variance(luma).sqrt()),
            *(torch.sigmoid((luma - level) / _EDGE).mean(dim=1) for level in _LEVELS),
            *_hues(red, green, blue),
        ],
        dim=1,
    )


def _variance(values: Tensor) -> Tensor:
    """Of each row, and a little more, since the root of nothing has no gradient."""
    return values.var(dim=1) + _FAINT


def _hues(red: Tensor, green: Tensor, blue: Tensor) -> list[Tensor]:
    """Shares `(B,)` of coloured pixels near each hue: the positive part of the cosine to it, squared."""
    across, along = red - (green + blue) / 2, math.sqrt(0.75) * (green - blue)
    length = (across.square() + along.square() + _FAINT).sqrt()
    return [
        (torch.relu((across * math.cos(angle) + along * math.sin(angle)) / length).square() * length).mean(dim=1)
        for angle in (2 * math.pi * number / _HUES for number in range(_HUES))
    ]
