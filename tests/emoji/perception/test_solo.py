"""The perception network: its targets, its loss, its files, its training; and what the shipped one sees."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny
from torch import Tensor

from hypersd.emoji.perception.solo import (
    GRID,
    MASK_SIDE,
    Masks,
    Solo,
    centre_cell,
    dice_loss,
    instance_loss,
    load_perception,
    object_mask,
    save_perception,
)
from hypersd.emoji.perception.solo_training import SoloTraining, disturbed, evaluate_solo, train_perception
from hypersd.emoji.world import Placed, Scene, World, render, sample_scene
from hypersd.models.families.embedded import FOLDER
from hypersd.training.image_tensors import to_tensor
from hypersd.training.objective import StepContext

SHIPPED = FOLDER / "perception"
WIDTHS = (8, 8, 16)


@pytest.fixture(scope="module")
def world() -> World:
    return World.load(FOLDER)


@pytest.fixture(scope="module")
def shipped() -> Solo:
    return load_perception(SHIPPED)


def some_scenes(world: World, count: int) -> list[Scene]:
    return [sample_scene(world, np.random.default_rng((31, index)), held_out=True) for index in range(count)]


def drawn(world: World, scenes: Sequence[Scene]) -> Tensor:
    return to_tensor([render(world, scene) for scene in scenes])


def a_step() -> StepContext:
    generator = torch.Generator().manual_seed(0)
    return StepContext(
        number=0, progress=0.0, device=torch.device("cpu"), generator=generator, rng=np.random.default_rng(0)
    )


class TestTargets:
    def test_a_scene_s_masks_cover_the_pixels_that_its_objects_draw(self, world: World) -> None:
        for scene in some_scenes(world, 20):
            paper = np.asarray(world.backgrounds[scene.background])
            changed = (render(world, scene) != paper).any(axis=-1)
            covered = sum(object_mask(world, placed) for placed in scene.objects)
            blocks = changed.reshape(MASK_SIDE, 4, MASK_SIDE, 4)
            # Where nothing was drawn there is no mask; an object in its background's colour would draw nothing.
            assert covered[~blocks.any(axis=(1, 3))].max() < 0.05
            assert np.abs(covered - blocks.mean(axis=(1, 3))).mean() < 0.06

    def test_the_cells_around_a_centre_name_the_object(self, world: World) -> None:
        cat, owl = (
            Placed(name="cat", x=0.3125, y=0.5625, size=0.4),
            Placed(name="owl", x=0.8, y=0.5, size=0.4),
        )
        targets = Masks.of(world, [Scene(objects=(cat, owl), background="blue", size="pair")])
        names = list(world.objects)
        categories = targets.categories[0]
        assert centre_cell(cat) == (4, 2)
        assert categories[centre_cell(cat)] == 1 + names.index("cat")
        assert categories[centre_cell(owl)] == 1 + names.index("owl")
        assert set(categories.unique().tolist()) == {0, 1 + names.index("cat"), 1 + names.index("owl")}
        assert len(targets.masks) == (categories > 0).sum()
        for cell, mask in zip(categories.nonzero().tolist(), targets.masks, strict=True):
            placed = cat if cell[1] < GRID / 2 else owl
            np.testing.assert_array_equal(mask.numpy(), object_mask(world, placed))

    def test_an_object_always_has_its_centre_cell(self, world: World) -> None:
        scenes = some_scenes(world, 50)
        categories = Masks.of(world, scenes).categories
        for index, scene in enumerate(scenes):
            for placed in scene.objects:
                named = list(world.objects)[categories[(index, *centre_cell(placed))] - 1]
                assert named == placed.name

    def test_what_the_world_does_not_have_is_refused(self, world: World) -> None:
        zebra = Scene(objects=(Placed(name="zebra", x=0.5, y=0.5, size=0.4),), background="blue", size="small")
        with pytest.raises(KeyError, match="zebra"):
            Masks.of(world, [zebra])
        with pytest.raises(ValueError, match="no scenes"):
            Masks.of(world, [])


class TestLoss:
    def test_dice_is_zero_for_the_same_and_one_for_disjoint_masks(self) -> None:
        left = torch.zeros(1, 4, 4)
        left[..., :2] = 1
        torch.testing.assert_close(dice_loss(left, left), torch.zeros(1), atol=1e-6, rtol=0)
        torch.testing.assert_close(dice_loss(left, 1 - left), torch.ones(1))
        torch.testing.assert_close(dice_loss(left, torch.ones(1, 4, 4)), torch.tensor([1 - 16 / 24]))

    def test_each_picture_s_loss_is_its_own(self, world: World) -> None:
        scenes = some_scenes(world, 3)
        pictures, network = drawn(world, scenes), Solo(list(world.objects), WIDTHS)
        together = instance_loss(network, pictures, Masks.of(world, scenes))
        alone = [
            instance_loss(network, pictures[index : index + 1], Masks.of(world, scenes[index : index + 1]))
            for index in range(3)
        ]
        torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-4)

    def test_right_pictures_cost_less_than_wrong_objects_wrong_places_and_blank_paper(
        self, world: World, shipped: Solo
    ) -> None:
        scenes = [scene for scene in some_scenes(world, 40) if scene.size == "pair"]
        targets = Masks.of(world, scenes)
        right = instance_loss(shipped, drawn(world, scenes), targets)
        names = list(world.objects)
        others = [names[-1 - index] for index in range(len(names))]
        wrong = [
            Scene(
                objects=tuple(
                    Placed(name=others[names.index(each.name)], x=each.x, y=each.y, size=each.size)
                    for each in scene.objects
                ),
                background=scene.background,
                size=scene.size,
            )
            for scene in scenes
        ]
        blank = [Scene(objects=(), background=scene.background, size=scene.size) for scene in scenes]
        mirrored = drawn(world, scenes).flip(3)
        for pictures in (drawn(world, wrong), mirrored, drawn(world, blank)):
            cost = instance_loss(shipped, pictures, targets)
            assert (right < cost).float().mean() >= 0.95
            assert right.mean() < 0.3 * cost.mean()

    def test_the_gradient_reaches_the_pictures_and_nothing_else(self, world: World, shipped: Solo) -> None:
        scenes = some_scenes(world, 4)
        targets = Masks.of(world, scenes)
        pictures = (0.5 * drawn(world, scenes)).requires_grad_()
        before = instance_loss(shipped, pictures, targets)
        (gradient,) = torch.autograd.grad(before.sum(), pictures)
        assert gradient.isfinite().all()
        assert (gradient.flatten(1).norm(dim=1) > 0).all()
        assert not any(parameter.requires_grad for parameter in shipped.parameters())
        with torch.no_grad():
            after = instance_loss(shipped, pictures - 0.01 * gradient / gradient.abs().amax(), targets)
        assert after.sum() < before.sum()

    def test_pictures_of_another_shape_or_number_are_refused(self, world: World, shipped: Solo) -> None:
        targets = Masks.of(world, some_scenes(world, 2))
        with pytest.raises(ValueError, match=r"\(B, 3, 128, 128\)"):
            instance_loss(shipped, torch.zeros(2, 3, 64, 64), targets)
        with pytest.raises(ValueError, match="3 pictures, but targets of 2"):
            instance_loss(shipped, torch.zeros(3, 3, 128, 128), targets)


class TestFiles:
    def test_what_is_saved_comes_back_frozen(self, tmp_path: Path) -> None:
        torch.manual_seed(0)
        network = Solo(["cat", "dog"], WIDTHS)
        save_perception(network, tmp_path)
        loaded = load_perception(tmp_path)
        assert loaded.objects == ("cat", "dog")
        assert not any(parameter.requires_grad for parameter in loaded.parameters())
        pictures = torch.rand(2, 3, 128, 128) * 2 - 1
        for mine, read in zip(network(pictures), loaded(pictures), strict=True):
            torch.testing.assert_close(mine, read, rtol=0.02, atol=0.02)  # half precision in between

    def test_a_missing_or_damaged_network_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            load_perception(tmp_path)
        save_perception(Solo(["cat", "dog"], WIDTHS), tmp_path)
        (tmp_path / "config.json").write_text(json.dumps({"objects": ["cat"], "widths": WIDTHS}))
        with pytest.raises(ValueError, match="contains no perception network"):
            load_perception(tmp_path)
        (tmp_path / "config.json").write_text("{}")
        with pytest.raises(ValueError, match="contains no perception network"):
            load_perception(tmp_path)
        save_perception(Solo(["cat", "dog"], WIDTHS), tmp_path)
        (tmp_path / "model.safetensors").write_bytes(b"none")
        with pytest.raises(ValueError, match="contains no perception network"):
            load_perception(tmp_path)


class TestTraining:
    def test_disturbed_pictures_stay_pictures_of_the_same(self, world: World) -> None:
        pictures = drawn(world, some_scenes(world, 8))
        autoencoder = AutoencoderTiny.from_pretrained(FOLDER / "vae", dtype=torch.float32)
        changed = disturbed(pictures, autoencoder, a_step())
        assert changed.shape == pictures.shape
        assert changed.abs().max() <= 1
        assert not torch.equal(changed, pictures)
        assert (changed - pictures).square().mean() < 0.02

    def test_a_short_training_learns_and_leaves_a_network(self, world: World, tmp_path: Path) -> None:
        network = train_perception(FOLDER, tmp_path, steps=6, batch_size=8)
        losses = [json.loads(line)["solo"] for line in (tmp_path / "training" / "log.jsonl").read_text().splitlines()]
        assert losses
        assert np.isfinite(losses).all()
        assert not any(parameter.requires_grad for parameter in network.parameters())
        scenes = some_scenes(world, 8)
        pictures, targets = drawn(world, scenes), Masks.of(world, scenes)
        torch.manual_seed(0)
        untrained = instance_loss(SoloTraining(world).network, pictures, targets)
        trained = instance_loss(load_perception(tmp_path / "perception"), pictures, targets)
        assert trained.mean() < untrained.mean()

    def test_a_sample_shows_scenes_above_masks(self, world: World) -> None:
        assert SoloTraining(world).sample().size == (8 * 128, 2 * 128)


class TestAcuity:
    def test_the_shipped_network_sees_scenes_that_it_was_not_trained_on(self, world: World, shipped: Solo) -> None:
        seen = evaluate_solo(shipped, world, scenes=100, seed=1)
        assert seen.category >= 0.95
        assert seen.iou >= 0.8
        assert seen.empty >= 0.98
        assert 100 < seen.objects <= 200

    def test_it_sees_what_the_autoencoder_draws(self, world: World, shipped: Solo) -> None:
        autoencoder = AutoencoderTiny.from_pretrained(FOLDER / "vae", dtype=torch.float32)
        seen = evaluate_solo(shipped, world, scenes=40, seed=1, autoencoder=autoencoder)
        assert seen.category >= 0.9
        assert seen.iou >= 0.8

    def test_it_is_half_a_megabyte_of_weights_at_half_precision(self, shipped: Solo) -> None:
        assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 1.5e6
        assert 3e5 < sum(parameter.numel() for parameter in shipped.parameters()) < 6e5

    def test_an_untrained_network_sees_nothing(self, world: World) -> None:
        seen = evaluate_solo(Solo(list(world.objects), WIDTHS), world, scenes=5)
        assert seen.category == 0
        assert seen.empty == 1

    def test_another_world_s_network_and_no_scenes_are_refused(self, world: World, shipped: Solo) -> None:
        with pytest.raises(ValueError, match="another world"):
            evaluate_solo(Solo(["cat", "dog"], WIDTHS), world)
        with pytest.raises(ValueError, match="scenes must be positive"):
            evaluate_solo(shipped, world, scenes=0)
