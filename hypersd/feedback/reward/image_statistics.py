"""Statistics of a picture that need no understanding: brightness, contrast, saturation, sharpness.

They are watched while a model learns to please a reward, and they are the shortcuts that a reward model may take.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

NAMES = ("brightness", "contrast", "saturation", "sharpness")


def statistics(pictures: Tensor) -> Tensor:
    """`(B, 4)` in the order of `NAMES`, of pictures `(B, 3, H, W)` in [-1, 1].

    Brightness: the mean of grey in [0, 1]. Contrast: its standard deviation. Saturation: the mean distance between a
    pixel's largest and smallest channel. Sharpness: the root mean square of the Laplacian of grey.
    """
    colours = (pictures.clamp(-1, 1) + 1) / 2
    grey = colours.mean(dim=1, keepdim=True)
    kernel = torch.tensor([[0.0, -1.0, 0.0], [-1.0, 4.0, -1.0], [0.0, -1.0, 0.0]], device=pictures.device)
    edges = F.conv2d(grey, kernel.to(grey.dtype)[None, None])
    saturation = (colours.amax(dim=1) - colours.amin(dim=1)).mean(dim=(1, 2))
    return torch.stack(
        [
            grey.mean(dim=(1, 2, 3)),
            grey.flatten(1).std(dim=1),
            saturation,
            edges.square().mean(dim=(1, 2, 3)).sqrt(),
        ],
        dim=1,
    )


def as_tensor(pictures: Sequence[Image.Image]) -> Tensor:
    """Pictures of one size as `(B, 3, H, W)` in [-1, 1].

    Raises:
        ValueError: they are of different sizes, or there are none.
    """
    if len({picture.size for picture in pictures}) != 1:
        raise ValueError("pictures must be of one size, and there must be at least one")
    stacked: NDArray[np.uint8] = np.stack([np.asarray(picture.convert("RGB")) for picture in pictures])
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).float() / 127.5 - 1
