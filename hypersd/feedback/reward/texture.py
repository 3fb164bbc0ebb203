"""Texture of a picture, octave by octave: it tells clean edges from noise and smears.

Natural scene statistics judge pictures without a reference in the same way (BRISQUE, Mittal et al. 2012): bands of a
pyramid, and the same after division by their local contrast.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_OCTAVES = 4
_FAINT, _CLEAR = 0.02, 0.1
"""Differences within [-1, 1] that are hardly seen, and that are edges."""

_OF_A_CHANNEL = ("size", "deviation", "share above faint", "share above clear")
NAMES = tuple(
    f"{measure} of octave {octave}"
    for octave in range(1, _OCTAVES + 1)
    for measure in (
        *(f"{channel} {measure}" for measure in _OF_A_CHANNEL for channel in ("red", "green", "blue")),
        *("normalised size", "normalised fourth moment"),
    )
)
WIDTH = len(NAMES)
"""Number of features that `texture` returns."""


def texture(pictures: Tensor) -> Tensor:
    """`(B, WIDTH)` of pictures `(B, 3, H, W)` in [-1, 1], 32 px or larger; differentiable.

    For each octave, finest first, and each channel: the mean of the band's size, its root mean square, and what shares
    of it are more than faint and clear, softly. Then, of the grey band over its local contrast: the mean of its size,
    and the logarithm of its fourth moment.
    """
    coarse, measures = pictures.float(), []
    for _ in range(_OCTAVES):
        blurred = _blur(coarse, 1.0)
        band = coarse - blurred
        size = band.abs()
        shares = [(size / (size + level)).mean(dim=(2, 3)) for level in (_FAINT, _CLEAR)]
        measures += [size.mean(dim=(2, 3)), band.square().mean(dim=(2, 3)).add(1e-8).sqrt(), *shares]
        grey = band.mean(dim=1, keepdim=True)
        normalised = grey / (_blur(grey.square(), 1.5).add(1e-8).sqrt() + _FAINT)
        measures += [normalised.abs().mean(dim=(2, 3)), normalised.pow(4).mean(dim=(2, 3)).add(1e-6).log()]
        coarse = F.avg_pool2d(blurred, 2)
    return torch.cat(measures, dim=1)


def _blur(pictures: Tensor, sigma: float) -> Tensor:
    """Gaussian, edges repeated."""
    reach = round(3 * sigma)
    offsets = torch.arange(-reach, reach + 1, device=pictures.device, dtype=pictures.dtype)
    kernel = torch.exp(-0.5 * (offsets / sigma).square())
    kernel = (kernel / kernel.sum()).expand(pictures.shape[1], 1, 1, -1)
    padded = F.pad(pictures, (reach, reach, reach, reach), mode="replicate")
    across = F.conv2d(padded, kernel, groups=pictures.shape[1])
    return F.conv2d(across, kernel.mT, groups=pictures.shape[1])
