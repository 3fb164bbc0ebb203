"""Instance segmentation for the perception loss (Hyper-SD, eq. 14): a small SOLO network (Wang et al. 2020).

SOLO has no boxes: a picture is divided into a grid, the cells around an object's centre predict its category, and each
cell predicts one mask. The embedded family needs no annotation: the position of each object in a scene is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from hypersd.emoji.world import Placed, Scene, World, box
from hypersd.utils.errors import gist
from hypersd.utils.files import atomic_folder, write_json
from hypersd.utils.model_folders import check_perception

GRID = 8
"""Cells on a side."""

MASK_SIDE = 32
PICTURE_SIDE = 128
"""Pixels on a side of a mask, and of a picture."""

_CENTRE = 0.2
"""The centre region of an object, as a fraction of its size: its cells predict the object (SOLO, 3.3)."""

_DICE_WEIGHT = 3.0
"""Weight of the mask loss relative to the category loss (SOLO, 3.3.2)."""

_FOCUS = 2.0
"""Exponent of the focal loss (Lin et al. 2017), which lowers the weight of well-classified cells."""

_PRIOR = 0.99
"""Probability of an empty cell in an untrained network; otherwise the many empty cells dominate the early loss."""


@dataclass(frozen=True, slots=True)
class Masks:
    """Targets of SOLO in B pictures.

    Args:
        categories: `(B, GRID, GRID)`, whole numbers: 0 for an empty cell, or 1 + the index of the object in the world.
        masks: `(M, MASK_SIDE, MASK_SIDE)` in [0, 1], the coverage of each pixel by the object, for the M non-empty
            cells in the order of `categories.nonzero()`.
    """

    categories: Tensor
    masks: Tensor

    @classmethod
    def of(cls, world: World, scenes: Sequence[Scene]) -> Masks:
        """Ground truth of scenes, by construction.

        Raises:
            KeyError: a scene has an object that the world does not have.
            ValueError: there are no scenes.
        """
        if not scenes:
            raise ValueError("no scenes")
        numbers = {name: index for index, name in enumerate(world.objects, start=1)}
        categories = torch.zeros(len(scenes), GRID, GRID, dtype=torch.long)
        masks: dict[tuple[int, int, int], NDArray[np.float32]] = {}
        for index, scene in enumerate(scenes):
            for placed in scene.objects:
                mask = object_mask(world, placed)
                reach = _CENTRE * placed.size / 2
                for row, column in _cells(placed, reach):
                    categories[index, row, column] = numbers[placed.name]
                    masks[index, row, column] = mask
        return cls(categories, torch.from_numpy(np.stack([masks[cell] for cell in sorted(masks)])))

    def to(self, device: torch.device | str) -> Masks:
        """The targets on another device."""
        return Masks(self.categories.to(device), self.masks.to(device))


def object_mask(world: World, placed: Placed) -> NDArray[np.float32]:
    """Coverage of each pixel by an object, `(MASK_SIDE, MASK_SIDE)` in [0, 1]: its sprite's alpha, averaged.

    Raises:
        KeyError: the world has no such object.
    """
    left, top, pixels = box(placed, PICTURE_SIDE)
    alpha = np.zeros((PICTURE_SIDE, PICTURE_SIDE), dtype=np.float32)
    alpha[top : top + pixels, left : left + pixels] = world.sprite(placed.name, pixels)[..., 3]
    block = PICTURE_SIDE // MASK_SIDE
    return alpha.reshape(MASK_SIDE, block, MASK_SIDE, block).mean(axis=(1, 3))


def centre_cell(placed: Placed) -> tuple[int, int]:
    """Row and column of the cell in which an object's centre lies."""
    return _cells(placed, 0.0)[0]


def _cells(placed: Placed, reach: float) -> list[tuple[int, int]]:
    """The cells within `reach` (a fraction of the picture's side) of an object's centre, in both directions."""
    left, top, pixels = box(placed, PICTURE_SIDE)
    down, across = ((start + pixels / 2) / PICTURE_SIDE for start in (top, left))
    rows, columns = (
        range(max(0, int((centre - reach) * GRID)), min(GRID - 1, int((centre + reach) * GRID)) + 1)
        for centre in (down, across)
    )
    return [(row, column) for row in rows for column in columns]


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False), nn.GroupNorm(8, outputs), nn.SiLU()
    )


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(_convolution(width, width), _convolution(width, width))

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden + self.layers(hidden)


class Solo(nn.Module):
    """A convolutional SOLO: for each cell of the grid a category and a mask.

    Args:
        objects: names of the categories, in the world's order; category 0, the empty cell, comes before them.
        widths: channels at a quarter, an eighth and a sixteenth of the resolution; multiples of 8.
    """

    def __init__(self, objects: Sequence[str], widths: tuple[int, int, int] = (40, 64, 112)) -> None:
        super().__init__()
        self.objects, self.widths = tuple(objects), tuple(widths)
        fine, middle, coarse = widths
        self.quarter = nn.Sequential(_convolution(3, 32, 2), _convolution(32, fine, 2), _Residual(fine))
        self.eighth = nn.Sequential(_convolution(fine, middle, 2), _Residual(middle))
        self.sixteenth = nn.Sequential(_convolution(middle, coarse, 2), _Residual(coarse))
        self.category = nn.Conv2d(coarse, len(self.objects) + 1, 1)
        # Like a feature pyramid (Lin et al. 2017): fine levels give positions, coarse levels give categories.
        self.laterals = nn.ModuleList(nn.Conv2d(width, middle, 1) for width in widths)
        self.mask = nn.Sequential(_convolution(middle + 2, 48), _convolution(48, 48), nn.Conv2d(48, GRID**2, 1))
        bias = torch.zeros(len(self.objects) + 1)
        bias[0] = np.log(_PRIOR / (1 - _PRIOR) * len(self.objects))
        self.category.bias = nn.Parameter(bias)
        with torch.no_grad():
            self.category.weight.mul_(0.1)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Detect the objects in pictures `(B, 3, 128, 128)` in [-1, 1].

        Returns logits of the categories `(B, 1 + objects, GRID, GRID)` and of the masks
        `(B, GRID, GRID, MASK_SIDE, MASK_SIDE)`, in float32.

        Raises:
            ValueError: the pictures have another shape.
        """
        if pictures.shape[1:] != (3, PICTURE_SIDE, PICTURE_SIDE):
            expected = f"(B, 3, {PICTURE_SIDE}, {PICTURE_SIDE})"
            raise ValueError(f"expected pictures of shape {expected}, not {tuple(pictures.shape)}")
        seen = [self.quarter(pictures)]
        for stage in (self.eighth, self.sixteenth):
            seen.append(stage(seen[-1]))
        enlarged = [
            F.interpolate(lateral(hidden), (MASK_SIDE, MASK_SIDE), mode="bilinear", align_corners=False)
            for lateral, hidden in zip(self.laterals, seen, strict=True)
        ]
        merged = torch.stack(enlarged).sum(dim=0)
        # Masks depend on the cell's position; a convolution needs coordinates for it (CoordConv, SOLO 3.3.1).
        line = torch.linspace(-1, 1, MASK_SIDE, device=pictures.device)
        places = torch.stack(torch.meshgrid(line, line, indexing="ij")).expand(len(pictures), -1, -1, -1)
        masks = self.mask(torch.cat([merged, places.to(merged.dtype)], dim=1))
        return self.category(seen[-1]).float(), masks.float().unflatten(1, (GRID, GRID))


def instance_loss(network: Solo, pictures: Tensor, targets: Masks) -> Tensor:
    """Loss of pictures against their targets, `(B,)`: focal loss of the categories + 3 Dice losses of the masks.

    Both are averaged over the non-empty cells of a picture, as in SOLO. Gradients flow to the pictures,
    `(B, 3, 128, 128)` in [-1, 1], and to the network's parameters that are not frozen.

    Raises:
        ValueError: the pictures have another shape, or their number differs from the targets'.
    """
    if len(pictures) != len(targets.categories):
        raise ValueError(f"{len(pictures)} pictures, but targets of {len(targets.categories)}")
    categories, masks = network(pictures)
    surprise = F.cross_entropy(categories, targets.categories, reduction="none")
    focal = ((1 - torch.exp(-surprise)).clamp(min=0) ** _FOCUS * surprise).sum(dim=(1, 2))
    filled = targets.categories.nonzero()
    dice = dice_loss(masks[filled.unbind(1)].sigmoid(), targets.masks)
    counts = torch.bincount(filled[:, 0], minlength=len(pictures)).clamp(min=1)
    return (focal + _DICE_WEIGHT * torch.zeros_like(focal).index_add(0, filled[:, 0], dice)) / counts


def dice_loss(masks: Tensor, truth: Tensor) -> Tensor:
    """1 − D, with D = 2 Σ p q / (Σ p² + Σ q²) (SOLO, eq. 3), of masks `(M, H, W)` in [0, 1]; `(M,)`."""
    both = 2 * (masks * truth).sum(dim=(1, 2))
    return 1 - both / (masks.square().sum(dim=(1, 2)) + truth.square().sum(dim=(1, 2)) + 1e-6)


def save_perception(network: Solo, folder: Path) -> None:
    """Write `config.json` and `model.safetensors` (float16) into `folder`.

    Raises:
        OSError: the files cannot be written.
    """
    state = {name: value.detach().half().cpu().contiguous() for name, value in network.state_dict().items()}
    with atomic_folder(folder) as part:
        save_file(state, part / "model.safetensors")
        write_json(part / "config.json", {"objects": network.objects, "widths": network.widths})


def load_perception(folder: Path) -> Solo:
    """The network in `folder`, frozen, in float32.

    Raises:
        FileNotFoundError: there is none.
        ValueError: the files are damaged, or do not match each other.
    """
    try:
        config = check_perception(folder)
        network = Solo(config.objects, config.widths)
        network.load_state_dict(
            {name: value.float() for name, value in load_file(folder / "model.safetensors").items()}
        )
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{folder} contains no perception network: {gist(error)}") from error
    return network.requires_grad_(False).eval()
