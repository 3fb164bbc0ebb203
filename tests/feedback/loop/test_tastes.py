"""Tastes of many kinds are learned as far as the votes allow, and a report says so where nothing was learned.

Two pictures of a prompt differ as those of two models do: in place, size, colour, sharpness and how even the ground is.
The tastes are measured here on the pixels, not by the numbers that the reward model reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy import ndimage

from hypersd.arena.votes.images import ImageStore
from hypersd.emoji.captions import caption
from hypersd.emoji.world import World, place, render
from hypersd.feedback.preferences.dataset import Preference, Preferences
from hypersd.feedback.reward.bradley_terry import ChoiceTable, RewardConfig
from hypersd.feedback.reward.colour import NAMES as COLOURS
from hypersd.feedback.reward.colour import colour
from hypersd.feedback.reward.composition import NAMES as COMPOSITION
from hypersd.feedback.reward.composition import composition
from hypersd.feedback.reward.reward_folder import check_tunable
from hypersd.feedback.reward.reward_model import LOOKS, RewardModel
from hypersd.feedback.reward.reward_report import accuracy, markdown
from hypersd.feedback.reward.shortcuts import hits_by_one
from hypersd.feedback.reward.train import RewardTask, fit_head
from hypersd.models.families.embedded import FOLDER
from hypersd.utils.estimates import wilson

Pixels = NDArray[np.float64]
PAIRS, VOTES = 320, 5
SPLITS = ("train", "validation", "test")


def luma(picture: Pixels) -> Pixels:
    return picture @ np.array([0.299, 0.587, 0.114])


def object_of(picture: Pixels) -> NDArray[np.bool_]:
    """Mask of the pixels whose colour is far from the corners' median."""
    corners = np.concatenate([picture[rows, columns].reshape(-1, 3) for rows in ENDS for columns in ENDS])
    return np.abs(picture - np.median(corners, axis=0)).max(axis=-1) > 0.22


ENDS = (slice(0, 12), slice(-12, None))


def plain_ground(picture: Pixels) -> float:
    ground = np.logical_not(ndimage.binary_dilation(object_of(picture), iterations=3))
    return -float(picture[ground].std(axis=0).mean()) if ground.any() else -1.0


def centring(picture: Pixels) -> float:
    rows, columns = np.nonzero(object_of(picture))
    sides = picture.shape
    return -float(np.hypot(rows.mean() / sides[0] - 0.5, columns.mean() / sides[1] - 0.5)) if len(rows) else -1.0


def low_saturation(picture: Pixels) -> float:
    return -float(((picture.max(-1) - picture.min(-1)) / picture.max(-1).clip(1e-3)).mean())


def sharp(picture: Pixels) -> float:
    return float(np.sqrt(np.square(ndimage.laplace(luma(picture))).mean()))


TASTES: Mapping[str, Callable[[Pixels], float]] = {
    "plain ground": plain_ground,
    "size of the object": lambda picture: float(object_of(picture).mean()),
    "warmth": lambda picture: float(picture[..., 0].mean() - picture[..., 2].mean()),
    "brightness": lambda picture: float(luma(picture).mean()),
    "low saturation": low_saturation,
    "centring": centring,
    "contrast": lambda picture: float(luma(picture).std()),
    "sharpness": sharp,
}


def drawn(world: World, name: str, ground: str, rng: np.random.Generator) -> Image.Image:
    """One picture of an object on a background."""
    scene = place(world, (name,), ground, "big" if rng.random() < 0.5 else "small", rng)
    (placed,) = scene.objects
    moved = replace(placed, x=0.5 + rng.uniform(-0.2, 0.2), y=0.5 + rng.uniform(-0.2, 0.2), size=rng.uniform(0.3, 0.6))
    pixels = render(world, replace(scene, objects=(moved,))).astype(float) / 255
    blotches = np.asarray(ndimage.zoom(rng.normal(size=(16, 16, 3)), (8, 8, 1), order=1)) * rng.uniform(0, 0.06)
    pixels = (
        pixels * rng.uniform(0.92, 1.06, size=3) + blotches * ~object_of(pixels)[..., None] + rng.uniform(-0.04, 0.04)
    )
    grey = pixels.mean(axis=-1, keepdims=True)
    pixels = grey + (pixels - grey) * rng.uniform(0.85, 1.1)
    picture = Image.fromarray((255 * pixels).clip(0, 255).round().astype(np.uint8))
    return picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 1.2)))


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> ImageStore:
    return ImageStore(str(tmp_path_factory.mktemp("album")))


@pytest.fixture(scope="module")
def pairs(album: ImageStore) -> list[Preference]:
    """Two pairs of pictures a prompt, on which nobody has voted."""
    world, rng = World.load(FOLDER), np.random.default_rng(0)
    examples: list[Preference] = []
    for number in range(PAIRS // 2):
        name, ground = str(rng.choice(list(world.objects))), str(rng.choice(list(world.backgrounds)))
        prompt = f"{caption(place(world, (name,), ground, 'big', rng))} {number}"
        for _ in range(2):
            text, other = (album.put(drawn(world, name, ground, rng)) for _ in range(2))
            examples.append(Preference(prompt=prompt, pictures=(text, other), target=0.5, models=("toy/a", "toy/b")))
    return examples


@pytest.fixture(scope="module")
def start() -> RewardModel:
    return RewardModel.start(Path(FOLDER) / "clip")


@pytest.fixture(scope="module")
def table(pairs: list[Preference], album: ImageStore, start: RewardModel) -> ChoiceTable:
    """Every picture, looked at once."""
    return ChoiceTable.of(pairs, album, start)


def voted(pairs: list[Preference], chances: NDArray[np.float64], rng: np.random.Generator) -> list[Preference]:
    """Votes that prefer the left picture of each pair with these chances."""
    return [
        replace(pair, target=float(rng.random() < chance), voter=f"voter-{voter}")
        for voter in range(VOTES)
        for pair, chance in zip(pairs, chances, strict=True)
    ]


def chances_of(taste: Callable[[Pixels], float], pairs: list[Preference], album: ImageStore) -> NDArray[np.float64]:
    """A logistic voter's, whose odds are e² to 1 at the median difference."""
    liked = [[taste(np.asarray(album.open(name), dtype=float) / 255) for name in pair.pictures] for pair in pairs]
    gaps = np.array(liked) @ [1.0, -1.0]
    return 1 / (1 + np.exp(-2 * np.clip(gaps / np.median(np.abs(gaps)), -3, 3)))


def preferences_of(examples: list[Preference]) -> Preferences:
    nothing = wilson(0, 0)
    return Preferences(
        examples=tuple(examples), kind="simulated", self_agreement=nothing, agreement=nothing, cast=len(examples)
    )


@pytest.mark.parametrize("name", TASTES)
def test_a_taste_is_learned_as_far_as_the_votes_allow(
    name: str, pairs: list[Preference], album: ImageStore, table: ChoiceTable, start: RewardModel
) -> None:
    chances = chances_of(TASTES[name], pairs, album)
    examples = voted(pairs, chances, np.random.default_rng(1))
    everything = replace(table, sides=np.tile(table.sides, (VOTES, 1)), examples=tuple(examples))
    parts = {part: {one.prompt for one in preferences_of(pairs).split(part)} for part in SPLITS}
    train, test = everything.only(parts["train"] | parts["validation"]), everything.only(parts["test"])
    model, _ = fit_head(start, train, RewardConfig())
    right = accuracy(model, test)
    asked = np.array([pair.prompt in parts["test"] for pair in pairs])
    agreement = float((chances**2 + (1 - chances) ** 2)[asked].mean())
    assert 0.7 < agreement < 0.9, "such voters agree with themselves about as far as people do"
    assert right.value >= agreement - 0.03
    _, alone = hits_by_one(train, test, RewardConfig())
    assert right.value >= alone.mean() - 0.01, "it is not worse than its best single statistic"


def test_votes_at_random_teach_nothing_and_the_report_says_so(
    pairs: list[Preference], album: ImageStore, tmp_path: Path
) -> None:
    examples = voted(pairs[::4], np.full(len(pairs[::4]), 0.5), np.random.default_rng(2))
    report = RewardTask(
        preferences=preferences_of(examples),
        pictures=album,
        backbone=Path(FOLDER) / "clip",
        out=tmp_path,
        curve=False,
    ).run()
    assert report.accuracy.low <= 0.5
    assert not report.learned
    assert "Nothing was learned" in markdown(report)
    assert report.as_dict()["learned"] is False
    assert sum(report.prompts.values()) == 80
    assert "it rests on 80 of them" in (tmp_path / "report.md").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match=r"learned nothing .* collect votes on more prompts"):
        check_tunable([tmp_path])


@pytest.mark.parametrize(("measure", "names"), [(colour, COLOURS), (composition, COMPOSITION)])
def test_numbers_are_named_finite_and_can_be_learned_through(
    measure: Callable[[torch.Tensor], torch.Tensor], names: tuple[str, ...]
) -> None:
    flat = torch.full((3, 48, 64), 0.2)
    noisy = torch.rand(3, 48, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for picture in (flat, torch.full_like(flat, -1.0), torch.full_like(flat, 1.0), noisy):
        seen = picture[None].clone().requires_grad_()
        numbers = measure(seen)
        assert numbers.shape == (1, len(names))
        assert torch.isfinite(numbers).all()
        numbers.sum().backward()
        assert seen.grad is not None
        assert torch.isfinite(seen.grad).all()
    assert len(set(LOOKS)) == len(LOOKS)


def disc(x: float, y: float, radius: float, side: int = 96) -> torch.Tensor:
    """A red disc on grey, its centre and radius in units of half a side."""
    across = torch.linspace(-1, 1, side)
    inside = ((across - x).square()[None] + (across - y).square()[:, None] < radius**2).float()
    return torch.stack([0.2 + 0.8 * inside, 0.2 - 0.8 * inside, 0.2 - 0.8 * inside])[None]


def test_place_and_size_are_what_they_are_called() -> None:
    def read(picture: torch.Tensor, name: str) -> float:
        return float(composition(picture)[0, COMPOSITION.index(f"clear foreground: {name}")])

    small, large, aside = disc(0, 0, 0.2), disc(0, 0, 0.5), disc(-0.5, 0.25, 0.2)
    assert read(large, "mass") == pytest.approx(np.pi * 0.25 / 4, rel=0.1)
    assert read(large, "mass") > 4 * read(small, "mass")
    assert read(aside, "across") == pytest.approx(-0.5, abs=0.03)
    assert read(aside, "down") == pytest.approx(0.25, abs=0.03)
    assert read(aside, "distance from centre") == pytest.approx(0.56, abs=0.03)
    assert read(small, "distance from centre") < 0.05
    assert read(aside, "share at the middle left") > read(small, "share at the middle left")


def test_colours_are_what_they_are_called() -> None:
    def read(name: str, *channels: int) -> float:
        picture = torch.tensor(channels).float().view(1, 3, 1, 1).expand(1, 3, 16, 16) / 127.5 - 1
        return float(colour(picture)[0, COLOURS.index(name)])

    assert read("warmth", 255, 255, 0) == pytest.approx(1)
    assert read("warmth", 0, 0, 255) == pytest.approx(-1)
    assert read("luma", 255, 255, 255) == pytest.approx(1, abs=1e-5)
    assert read("relative saturation", 60, 0, 0) == pytest.approx(1, abs=1e-5)
    assert read("lighter than 0.65", 240, 240, 240) > 0.9
    assert read("lighter than 0.65", 90, 90, 90) < 0.1
    assert read("hue 120", 0, 255, 0) == pytest.approx(1, abs=1e-3)
    assert read("hue 120", 255, 0, 0) == pytest.approx(0, abs=1e-3)
