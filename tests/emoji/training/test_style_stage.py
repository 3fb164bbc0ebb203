"""The base in other styles: a LoRA for each set of sprites, which the family is then drawn with."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file

from hypersd.emoji.training.rebuild import EmojiTrainingConfig, train
from hypersd.emoji.world import World
from hypersd.models.adapter_fit import fit_file
from hypersd.models.families.embedded import STYLE_LORA, STYLES
from tests.families import write_emoji


def test_every_style_of_the_world_is_trained(tmp_path: Path) -> None:
    folder = tmp_path / "out" / "family"
    write_emoji(folder, ())
    file = folder / STYLES / "noto" / STYLE_LORA
    file.unlink()
    world = World.load(folder)
    assert world.styles == ("noto",)
    assert (world.in_style("noto").sprite("cat", 8) != world.sprite("cat", 8)).any()
    recipe = EmojiTrainingConfig(style_steps=2, style_batch=2, scenes=4)
    train(world, tmp_path / "out", stages=("styles",), recipe=recipe)
    assert fit_file(file, folder / "unet").total > 0
    assert any(value.any() for key, value in load_file(file).items() if "lora_B" in key), "it has been trained"
    log = (tmp_path / "out" / STYLES / "noto" / "log.jsonl").read_text()
    train(world, tmp_path / "out", stages=("styles",), recipe=recipe)
    assert (tmp_path / "out" / STYLES / "noto" / "log.jsonl").read_text() == log, "done is done"
