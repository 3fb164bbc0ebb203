"""Agreement of pictures with the lines that they were to follow, beside pictures of the same prompts without lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import distance_transform_edt

from hypersd.evaluate.intervals import bootstrap_mean
from hypersd.models.engine import Engine
from hypersd.models.families.embedded import picture_judge
from hypersd.models.specs import Family
from hypersd.sampling.comparison import compare
from hypersd.sampling.control_image import DETECTORS
from hypersd.sampling.request import Control, Generation, Request
from hypersd.utils.estimates import Estimate

TOLERANCE = 2.0
"""Pixels that a line may lie beside the one that it should follow."""

_BRIGHT = 128

Mask = NDArray[np.bool_]
ObjectCheck = Callable[[Image.Image, str], bool]
"""From a picture and its prompt to whether it shows the right objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlledPicture:
    """One prompt drawn along lines, and without them from the same noise.

    Args:
        iou: of the lines of the controlled picture with the given ones (see `edge_iou`).
        iou_without: of the other picture's.
        objects: the controlled picture shows the right objects.
        objects_without: the other one does.
        images: the control image, the controlled picture, the other one.
    """

    prompt: str
    iou: float
    iou_without: float
    objects: bool
    objects_without: bool
    images: tuple[Image.Image, Image.Image, Image.Image]


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlAgreement:
    """Means over prompts, with bootstrap intervals."""

    iou: Estimate
    iou_without: Estimate
    objects: Estimate
    objects_without: Estimate

    @property
    def estimates(self) -> dict[str, Estimate]:
        """All of them by name, in this order."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def of(cls, pictures: Sequence[ControlledPicture]) -> ControlAgreement:
        """The means of some pictures."""

        def mean(values: Sequence[float]) -> Estimate:
            return bootstrap_mean(values, bounds=(0, 1))

        return cls(
            iou=mean([each.iou for each in pictures]),
            iou_without=mean([each.iou_without for each in pictures]),
            objects=mean([float(each.objects) for each in pictures]),
            objects_without=mean([float(each.objects_without) for each in pictures]),
        )


def edge_iou(given: Mask, drawn: Mask, tolerance: float = TOLERANCE) -> float:
    """Intersection over union of two sets of line pixels `(H, W)`, where pixels match within a distance.

    With G the given and D the drawn ones, TP the given ones that have a drawn one within `tolerance`, and FP the drawn
    ones that have no given one there: TP / (|G| + FP). 1 if both are empty, 0 if one is.
    """
    if not given.any() or not drawn.any():
        return float(given.any() == drawn.any())
    matched = int((given & _near(drawn, tolerance)).sum())
    astray = int((drawn & ~_near(given, tolerance)).sum())
    return matched / (int(given.sum()) + astray)


def _near(mask: Mask, distance: float) -> Mask:
    distances: Any = distance_transform_edt(~mask)
    return distances <= distance


def lines_of(image: Image.Image) -> Mask:
    """The pixels of a control image that are lines, `(H, W)`."""
    return np.asarray(image.convert("L")) >= _BRIGHT


def controlled_pictures(
    engine: Engine, requests: Sequence[Request], shows_objects: ObjectCheck
) -> Iterator[ControlledPicture]:
    """Draw requests of one run each, with their control and without it, and measure both.

    Raises:
        RuntimeError: a picture cannot be drawn; the message says why.
        ValueError: a request has no control.
    """
    for request in requests:
        if request.control is None:
            raise ValueError("the agreement with a control image is measured of requests that have one")
        with_control, without = (
            _drawn(engine, each, request.control) for each in (request, replace(request, control=None))
        )
        yield ControlledPicture(
            prompt=request.prompt,
            iou=_agreement(request.control, with_control),
            iou_without=_agreement(request.control, without),
            objects=shows_objects(with_control, request.prompt),
            objects_without=shows_objects(without, request.prompt),
            images=(request.control.image, with_control, without),
        )


def _agreement(control: Control, picture: Image.Image) -> float:
    return edge_iou(lines_of(control.image), lines_of(DETECTORS[control.mode](picture)))


def _drawn(engine: Engine, request: Request, control: Control) -> Image.Image:
    (result,) = (event for event in compare(request, engine) if isinstance(event, Generation))
    if result.image is None:
        raise RuntimeError(f"{request.prompt!r} cannot be drawn: {result.error}")
    return result.image.resize(control.image.size)


def object_check(family: Family) -> ObjectCheck:
    """The check by the family's own judge.

    Raises:
        OSError: a file of the judge is missing.
        ValueError: the family has none.
    """
    judge = picture_judge(family, "be judged")
    return lambda picture, prompt: judge.score(np.asarray(picture.convert("RGB")), prompt).objects


def sheet(pictures: Sequence[ControlledPicture]) -> Image.Image:
    """The control images above the controlled pictures, above those without."""
    width, height = pictures[0].images[0].size
    page = Image.new("RGB", (width * len(pictures), 3 * height))
    for column, each in enumerate(pictures):
        for row, image in enumerate(each.images):
            page.paste(image, (column * width, row * height))
    return page
