"""The visual-perception loss on photographs (eq. 14), as the paper has it: COCO's, with their masks and captions.

The paper has SOLO; here it is torchvision's Mask R-CNN, whose own training losses say how badly a picture shows
what the photograph shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageOps
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN, maskrcnn_resnet50_fpn_v2

from hypersd.distill.student import Student
from hypersd.feedback.reward.image_statistics import as_tensor
from hypersd.feedback.tuning.coco_files import SPLIT, read_annotations
from hypersd.feedback.tuning.rollout import denoise_noised_images
from hypersd.models.specs import Recipe
from hypersd.training.objective import StepContext
from hypersd.utils.errors import gist
from hypersd.utils.readers import read_picture, tensor_shapes

_SMALLEST = 0.02
"""Objects narrower or lower than this share of the picture's side cannot be asked for after noise and decoding."""


@dataclass(frozen=True, slots=True)
class Instance:
    """An object: COCO's number of its category, and the polygons x, y, x, y, … that it fills, in pixels."""

    category: int
    polygons: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Photograph:
    """A photograph's file, what it shows in words, and its objects."""

    file: Path
    caption: str
    objects: tuple[Instance, ...]


def read_photographs(folder: Path) -> list[Photograph]:
    """Those of COCO 2017's training part that have a caption and objects; crowds, which have no polygons, do not count.

    Args:
        folder: with `annotations/instances_train2017.json`, `annotations/captions_train2017.json` and `train2017/`, as
            COCO is published.

    Raises:
        OSError: a file is missing.
        ValueError: a file is damaged, or no photograph remains.
    """
    instances, captions = read_annotations(folder)
    words = {one.image_id: one.caption.strip() for one in captions.annotations}
    objects: dict[int, list[Instance]] = {}
    for entry in instances.annotations:
        if isinstance(entry.segmentation, list) and not entry.iscrowd:
            outline = tuple(map(tuple, entry.segmentation))
            objects.setdefault(entry.image_id, []).append(Instance(entry.category_id, outline))
    photographs = [
        Photograph(folder / SPLIT / entry.file_name, words[entry.id], tuple(objects[entry.id]))
        for entry in instances.images
        if entry.id in words and entry.id in objects
    ]
    if missing := next((one.file for one in photographs if not one.file.is_file()), None):
        raise FileNotFoundError(f"{missing} is missing; the annotations tell of it")
    if not photographs:
        raise ValueError(f"no photograph in {folder} has a caption and objects")
    return photographs


def load_detector(file: Path, side: int = 800) -> MaskRCNN:
    """Torchvision's `maskrcnn_resnet50_fpn_v2`, frozen, in the mode in which it tells its losses.

    Args:
        file: its state dict as safetensors.
        side: pixels to which pictures are enlarged for it; 800 is what the published weights were trained at.

    Raises:
        OSError: there is no such file.
        ValueError: it holds something else.
    """
    network = maskrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None, min_size=side, max_size=side)
    try:
        tensor_shapes(file)
        network.load_state_dict(load_file(file))
    except (RuntimeError, ValueError) as error:
        reason = gist(error)
        raise ValueError(f"{file} holds no maskrcnn_resnet50_fpn_v2 as safetensors: {reason}") from error
    network.train().requires_grad_(False)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eval()  # its statistics are part of what was learned
    return network


def square(photograph: Photograph, pixels: int) -> tuple[Image.Image, dict[str, Tensor]]:
    """The middle of a photograph, `pixels` on a side, and what torchvision is to find there: boxes, labels, masks.

    Raises:
        OSError: the file is missing.
        ValueError: it is damaged.
    """
    picture = read_picture(photograph.file).convert("RGB")
    size = (pixels, pixels)
    masks: list[np.ndarray[Any, np.dtype[np.uint8]]] = []
    labels: list[int] = []
    for instance in photograph.objects:
        drawn = Image.new("L", picture.size)
        for polygon in instance.polygons:
            ImageDraw.Draw(drawn).polygon(polygon, fill=1)
        mask = np.asarray(ImageOps.fit(drawn, size, Image.Resampling.NEAREST))
        if min(mask.any(axis=0).sum(), mask.any(axis=1).sum()) >= max(1, _SMALLEST * pixels):
            masks.append(mask)
            labels.append(instance.category)
    stacked = torch.from_numpy(np.stack(masks)) if masks else torch.zeros((0, pixels, pixels), dtype=torch.uint8)
    targets = {"boxes": boxes(stacked), "labels": torch.tensor(labels, dtype=torch.int64), "masks": stacked}
    return ImageOps.fit(picture, size, Image.Resampling.BICUBIC), targets


def boxes(masks: Tensor) -> Tensor:
    """`(N, 4)` of masks `(N, H, W)`, none of them empty: left, top, right, bottom; right and bottom are exclusive."""
    corners = torch.zeros((len(masks), 4))
    for index, mask in enumerate(masks):
        rows, columns = (mask.any(dim=axis).nonzero() for axis in (1, 0))
        corners[index] = torch.tensor([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
    return corners


@dataclass(frozen=True, eq=False)
class PhotographFeedback:
    """L_percep = E L_instance(m_I(x'_0), GT(x_0)), m_I the frozen network.

    A photograph is noised, and what the student makes of it must be read as that photograph.
    """

    photographs: Sequence[Photograph]
    network: MaskRCNN
    batch_size: int = 1

    @classmethod
    def load(cls, photographs: Path, detector: Path) -> PhotographFeedback:
        """The loss on COCO's photographs in a folder, by the detector in a file.

        Raises:
            OSError, ValueError: as `read_photographs` and `load_detector`.
        """
        return cls(read_photographs(photographs), load_detector(detector))

    def __call__(self, student: Student, recipes: Sequence[Recipe], step: StepContext) -> Tensor:
        """The sum of the network's losses; its gradient passes one call of the student.

        Raises:
            OSError: a photograph is missing or damaged.
        """
        self.network.to(step.device)
        drawn = step.mine(step.rng.integers(len(self.photographs), size=self.batch_size * step.shards))
        chosen = [self.photographs[int(index)] for index in drawn]
        shown = [square(one, student.pixels) for one in chosen]
        clean = as_tensor([picture for picture, _ in shown]).to(step.device)
        drawn = denoise_noised_images(student, clean, [one.caption for one in chosen], recipes, step)
        wanted = [{name: value.to(step.device) for name, value in targets.items()} for _, targets in shown]
        forked = [step.device] if step.device.type == "cuda" else []
        # The network draws the proposals that it looks at from torch's own generator.
        with torch.random.fork_rng(forked), torch.autocast(step.device.type, enabled=False):
            torch.manual_seed(int(step.rng.integers(2**63)))
            losses: Mapping[str, Tensor] = self.network(list((drawn.float() + 1) / 2), wanted)
        return torch.stack(list(losses.values())).sum()
