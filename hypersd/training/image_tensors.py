"""Pictures as tensors and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor


def to_tensor(pictures: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]) -> Tensor:
    """Pictures `(H, W, 3)` of 8 bits, or a stack of them, as a tensor `(B, 3, H, W)` in [-1, 1]."""
    return torch.from_numpy(np.asarray(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_picture(tensor: Tensor, columns: int) -> Image.Image:
    """Pictures `(B, 3, H, W)` in [-1, 1] as one grid."""
    count, _, height, width = tensor.shape
    rows = -(-count // columns)
    pixels = ((tensor.float().clamp(-1, 1) + 1) * 127.5 + 0.5).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    grid = np.full((rows * height, columns * width, 3), 255, dtype=np.uint8)
    for index, picture in enumerate(pixels):
        top, left = index // columns * height, index % columns * width
        grid[top : top + height, left : left + width] = picture
    return Image.fromarray(grid)
