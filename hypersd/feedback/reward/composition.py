"""Composition of a picture, in numbers: how large and central its subject is, and how plain its ground.

Nothing is recognised. What differs from the colour of the picture's border stands before it (the boundary prior of
Wei et al. 2012, Geodesic Saliency), and so, more or less, does what has edges: of maps of these the mass, the place
and the spread are read.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_BORDER = 12
"""The border is a twelfth of the side wide."""

_UNLIKE, _FAR = 0.18, 0.32
"""Distances in colour to the border's, of channels in [0, 1], at which half of a pixel counts as foreground."""

_SHARP = 0.03
"""A slope of the brightness at which half of a pixel counts as an edge."""

_THIRDS = 3
_FAINT = 1e-6
_MAPS = ("foreground", "clear foreground", "edges")
_PLACES = tuple(f"{row} {column}" for row in ("top", "middle", "bottom") for column in ("left", "centre", "right"))
_OF_A_MAP = (
    *("mass", "log mass", "across", "down", "distance from centre", "width", "height", "spread", "imbalance"),
    *(f"share at the {place}" for place in _PLACES),
)
_OF_THE_GROUND = ("border deviation", "border slope", "ground deviation", "ground slope")
NAMES = (
    *(f"{name}: {measure}" for name in _MAPS for measure in _OF_A_MAP),
    *_OF_THE_GROUND,
    *(f"log {name}" for name in _OF_THE_GROUND),
)


def composition(pictures: Tensor) -> Tensor:
    """`(B, len(NAMES))` of pictures `(B, 3, H, W)` in [-1, 1], 32 px or larger; differentiable.

    Places are from -1 (left, top) to 1. A map's mass is its mean; its width and height are standard deviations, and
    its spread both together; imbalance is the distance between the two sides' mass. The ground is what is not
    foreground.
    """
    colours = (pictures.float().clamp(-1, 1) + 1) / 2
    smooth = F.avg_pool2d(colours, 3, stride=1, padding=1, count_include_pad=False)
    border = _border(smooth)
    distance = (smooth - _mean(smooth, border)[:, :, None, None]).square().sum(dim=1, keepdim=True).add(_FAINT).sqrt()
    foreground = _member(distance, _UNLIKE)
    slope = _slope(smooth)
    ground = (1 - foreground).pow(2)
    unevenness = [(_deviation(smooth, where), _mean(slope, where)[:, 0]) for where in (border, ground)]
    uneven = torch.stack([*unevenness[0], *unevenness[1]], dim=1)
    maps = [_measures(each) for each in (foreground, _member(distance, _FAR), _member(slope, _SHARP))]
    return torch.cat([*maps, uneven, uneven.clamp(min=1e-4).log()], dim=1)


def _member(values: Tensor, half: float) -> Tensor:
    """From 0 to 1, a half at `half`: nearly a count of the pixels above it, but differentiable."""
    return values.pow(4) / (values.pow(4) + half**4)


def _slope(colours: Tensor) -> Tensor:
    """The length of the gradient of the channels' mean, a pixel, `(B, 1, H, W)`."""
    grey = F.pad(colours.mean(dim=1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    across, down = grey[:, :, 1:-1, 2:] - grey[:, :, 1:-1, :-2], grey[:, :, 2:, 1:-1] - grey[:, :, :-2, 1:-1]
    return (across.square() + down.square() + _FAINT).sqrt() / 2


def _border(pictures: Tensor) -> Tensor:
    """Mask of the border: 1 on it, 0 inside, `(1, 1, H, W)`."""
    height, width = pictures.shape[-2:]
    inner = pictures.new_zeros(1, 1, height, width)
    rows, columns = max(1, height // _BORDER), max(1, width // _BORDER)
    inner[:, :, rows : height - rows, columns : width - columns] = 1
    return 1 - inner


def _mean(values: Tensor, where: Tensor) -> Tensor:
    """Weighted means `(B, C)` of `(B, C, H, W)`."""
    return (values * where).sum(dim=(2, 3)) / where.sum(dim=(2, 3)).clamp(min=1)


def _deviation(colours: Tensor, where: Tensor) -> Tensor:
    """Weighted standard deviation `(B,)` of the colours, all channels together."""
    centred = colours - _mean(colours, where)[:, :, None, None]
    return _mean(centred.square(), where).sum(dim=1).add(_FAINT).sqrt()


def _measures(shown: Tensor) -> Tensor:
    """The numbers of `_OF_A_MAP`, `(B, 18)`, of a map `(B, 1, H, W)` in [0, 1]."""
    height, width = shown.shape[-2:]
    down = torch.linspace(-1, 1, height, device=shown.device).view(1, 1, height, 1)
    across = torch.linspace(-1, 1, width, device=shown.device).view(1, 1, 1, width)
    mass = shown.mean(dim=(1, 2, 3))
    share = shown / (shown.sum(dim=(2, 3), keepdim=True) + 1)
    x, y = ((share * axis).sum(dim=(1, 2, 3)) for axis in (across, down))
    wide = (share * (across - x.view(-1, 1, 1, 1)).square()).sum(dim=(1, 2, 3))
    high = (share * (down - y.view(-1, 1, 1, 1)).square()).sum(dim=(1, 2, 3))
    places = F.adaptive_avg_pool2d(shown, _THIRDS).flatten(1) / (_THIRDS**2 * (mass + 1e-3))[:, None]
    tilt = shown.mean(dim=2) - shown.mean(dim=2).flip(-1)
    numbers = [
        *(mass, mass.add(1e-3).log(), x, y, (x.square() + y.square() + _FAINT).sqrt()),
        *((wide + _FAINT).sqrt(), (high + _FAINT).sqrt(), (wide + high + _FAINT).sqrt()),
        tilt.square().mean(dim=(1, 2)).add(_FAINT).sqrt(),
    ]
    return torch.cat([torch.stack(numbers, dim=1), places], dim=1)
