"""The visual-perception loss on photographs: COCO's layout, torchvision's Mask R-CNN with random weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision.models.detection import maskrcnn_resnet50_fpn_v2

from hypersd.cli.main import main
from hypersd.distill.student import Student
from hypersd.feedback.tuning.perception_coco import PhotographFeedback, boxes, load_detector, read_photographs, square
from hypersd.feedback.tuning.rollout import times_of
from hypersd.models.model_source import ModelSource
from hypersd.models.registry import FAMILIES
from hypersd.training.objective import StepContext

RECIPE = FAMILIES["emoji"].spec("hyper").recipe(4)
LEFT_HALF = [0.0, 0.0, 39.0, 0.0, 39.0, 59.0, 0.0, 59.0]


def annotations() -> dict[str, dict[str, object]]:
    """Three photographs of 80 by 60: one whole, one without a caption, one with nothing but a crowd and a speck."""
    objects = [
        {"image_id": 1, "category_id": 17, "iscrowd": 0, "segmentation": [LEFT_HALF]},
        {"image_id": 1, "category_id": 90, "iscrowd": 0, "segmentation": [[50, 20, 59, 20, 59, 49, 50, 49]]},
        {"image_id": 2, "category_id": 1, "iscrowd": 0, "segmentation": [LEFT_HALF]},
        {"image_id": 3, "category_id": 1, "iscrowd": 1, "segmentation": {"counts": [1], "size": [60, 80]}},
        {"image_id": 3, "category_id": 1, "iscrowd": 0, "segmentation": [[0, 0, 1, 0, 1, 1]]},
    ]
    images = [{"id": number, "file_name": f"{number:012d}.jpg"} for number in (1, 2, 3)]
    words = [{"image_id": 1, "caption": "A cat beside a lamp.\n"}, {"image_id": 3, "caption": "A crowd"}]
    return {"instances": {"images": images, "annotations": objects}, "captions": {"annotations": words}}


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """A folder in COCO's layout."""
    (tmp_path / "annotations").mkdir()
    (tmp_path / "train2017").mkdir()
    for kind, document in annotations().items():
        (tmp_path / "annotations" / f"{kind}_train2017.json").write_text(json.dumps(document))
    for number in (1, 2, 3):
        pixels = np.random.default_rng(number).integers(0, 255, (60, 80, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "train2017" / f"{number:012d}.jpg")
    return tmp_path


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Torchvision's network with random weights, as a file."""
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("detector") / "maskrcnn.safetensors"
    save_file(maskrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None).state_dict(), file)
    return file


def test_photographs_are_those_with_words_and_objects(coco: Path) -> None:
    photograph, other = read_photographs(coco)
    assert (photograph.caption, [each.category for each in photograph.objects]) == ("A cat beside a lamp.", [17, 90])
    assert (other.caption, len(other.objects)) == ("A crowd", 1), "a crowd has no polygons"
    (coco / "annotations" / "captions_train2017.json").write_text('{"annotations": []}')
    with pytest.raises(ValueError, match="no photograph"):
        read_photographs(coco)
    (coco / "annotations" / "captions_train2017.json").write_text("[]")
    with pytest.raises(ValueError, match="not COCO's"):
        read_photographs(coco)


def test_masks_go_where_the_picture_goes(coco: Path) -> None:
    photograph, other = read_photographs(coco)
    picture, targets = square(photograph, 30)  # the middle 60 by 60, halved
    assert picture.size == (30, 30)
    assert targets["labels"].tolist() == [17, 90]
    assert targets["boxes"].tolist() == [[0, 0, 15, 30], [20, 10, 25, 25]]
    assert targets["masks"].shape == (2, 30, 30)
    assert targets["masks"][0].float().mean() == pytest.approx(0.5)
    _, nothing = square(other, 30)
    assert {name: len(value) for name, value in nothing.items()} == {"boxes": 0, "labels": 0, "masks": 0}


def test_a_box_is_as_large_as_its_mask() -> None:
    mask = torch.zeros((1, 8, 10), dtype=torch.uint8)
    mask[0, 2:5, 3:9] = 1
    assert boxes(mask).tolist() == [[3, 2, 9, 5]]


def test_its_gradient_reaches_the_student_and_it_can_be_repeated(folder: Path, coco: Path, detector: Path) -> None:
    student = Student(ModelSource(folder), rank=2)
    feedback = PhotographFeedback(read_photographs(coco), load_detector(detector, side=64), batch_size=2)
    before = torch.random.get_rng_state()
    losses: list[torch.Tensor] = []
    for _ in range(2):
        step = StepContext(
            number=0,
            progress=0.0,
            device=torch.device("cpu"),
            generator=torch.Generator().manual_seed(0),
            rng=np.random.default_rng(0),
        )
        losses.append(feedback(student, [RECIPE], step))
    assert torch.equal(losses[0], losses[1])
    assert torch.equal(before, torch.random.get_rng_state()), "nobody else's random numbers are used up"
    assert losses[0].isfinite()
    losses[0].backward()
    assert any(weight.grad is not None and weight.grad.any() for weight in student.weights)
    assert not any(parameter.requires_grad for parameter in feedback.network.parameters())
    assert len(times_of(student, RECIPE)) == 4


def test_another_network_is_refused(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="holds no maskrcnn_resnet50_fpn_v2"):
        load_detector(tmp_path / "other.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"\x80\x04")
    with pytest.raises(ValueError, match="holds no maskrcnn_resnet50_fpn_v2"):
        load_detector(tmp_path / "broken.safetensors")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--detector", "x"), "go together"),
        (("--photographs", "x"), "go together"),
        (("--detector", "x", "--photographs", "x", "--method", "dpo"), "--method refl"),
        (("--detector", "x", "--photographs", "nowhere"), "nowhere"),
    ],
)
def test_half_of_what_it_needs_is_told_in_one_line(
    words: tuple[str, ...],
    complaint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HYPERSD_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/votes.sqlite")
    assert main(["feedback", "--reward", "x", "--out", str(tmp_path / "out"), *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert complaint in line
