"""Options are checked before any work: no network is made for a command that cannot be run as it was asked for."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.cli.conftest import Call

CAT = "a big cat on a blue background"
PROMPTS = {
    "good.txt": f"# held out\n{CAT}\n",
    "sea.txt": f"{CAT}\nthe sound of the sea\n",
    "comments.txt": "# nothing\n  # else\n",
    "few.txt": "a\nb\nc\n",
    "control.txt": "a\nb\nc\nd \x07\n",
}


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    importlib.import_module("hypersd.models.engine")  # diffusers makes networks while it is imported

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a network was made before the options were checked")

    monkeypatch.setattr(torch.nn.Module, "__init__", refuse)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of prompts and a file of weights that are no adapter, without votes and contestants."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYPERSD_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    for name, text in PROMPTS.items():
        (tmp_path / name).write_text(text)
    save_file({"conv_in.weight": torch.zeros(2, 2)}, tmp_path / "unet.safetensors")


OPTIONS = [
    (("compare", CAT, "--models", "base,ssd"), "ssd"),
    (("compare", CAT, "--models", "turbo", "--steps", "25"), "turbo does not run at 25 steps"),
    (("compare", "--prompts", "control.txt"), "prompt 4"),
    (("compare", CAT, "--base", "gone"), "there is no file or folder gone; give one, or a repository of the Hub"),
    (("compare", CAT, "--base", "unet.safetensors"), "is no single-file checkpoint of SDXL or SD 1.5"),
    (("control", CAT, "--mode", "canny", "--image", "gone.png", "--base", "."), "model_index.json"),
    (("compare", CAT, "--grid", "--reward", "."), "no reward model"),
    (("compare", "--like", "good.txt"), "good.txt is damaged, or not a picture"),
    (("control", CAT, "--mode", "canny", "--image", "gone.png"), "gone.png: No such file"),
    (("control", CAT, "--mode", "canny", "--image", "good.txt"), "good.txt is damaged, or not a picture"),
    (("claims", "gone"), "gone has no results of `evaluate`"),
    (("data", "filter", "--data", "gone"), "gone: No such file or directory"),
    (("data", "filter", "--data", "s-{0..99999999}.tar"), "names more than 1,000,000 archives"),
    (("data", "filter", "--data", "good.txt"), "is no source of pictures"),
    (("evaluate", "control", "--seeds", "2"), "leave out --seeds"),
    (("evaluate", "tables", "--steps", "4"), "leave out --steps"),
    (("evaluate", "figures", "--count", "1"), "leave out --count"),
    (("compare", CAT, "--base", "noto", "--family", "sdxl"), "noto is a base of emoji, not of sdxl"),
    (("evaluate", "--mode", "canny"), "--mode sets the lines of `evaluate control`"),
    (("evaluate", "--adapter", "unet.safetensors"), "unet.safetensors is a whole UNet"),
    (("evaluate", "--metrics", "beauty"), "unknown metric 'beauty'"),
    (("evaluate", "--reference", "."), "--reference is for families of the Hub"),
    (("compare", "--prompts", "comments.txt"), "contains no prompts"),
    (("evaluate", "--models", "hyper", "--steps", "50"), "hyper does not run at 50 steps"),
    (("evaluate", "--prompts", "sea.txt"), "prompt 2: the judge needs one or two objects and a background"),
    (("evaluate", "--prompts", "good.txt", "--count", "3"), "--count is for held-out prompts"),
    (("evaluate", "--reward", "."), "no reward model"),
    (("distill", "backward", "--adapter", "unet.safetensors"), "unet.safetensors is a whole UNet"),
    (("distill", "turbo", "--adapter", "unet.safetensors"), "starts from the base"),
    (("distill", "tscd", "--data", "good.txt"), "good.txt"),
    (("distill", "tscd", "--shorten", "nan"), "above 0"),
    (("distill", "tscd", "--shorten", "inf"), "above 0"),
    (("distill", "tscd", "--shorten", "-1"), "above 0"),
    (("distill", "tscd", "--seed", "-1"), "seed"),
    (("distill", "tscd", "--base", "gone"), "gone/model_index.json: No such file"),
    (("distill", "tscd", "--caption-column", "text"), "--caption-column is for pictures"),
    (("distill", "one-step", "--reward", "."), "no reward model"),
    (("distill", "one-step", "--dry-run", "--reward", "."), "no reward model"),
    (("distill", "one-step", "--dry-run", "--adapter", "gone.safetensors"), "there is no adapter gone.safetensors"),
    (("distill", "tscd", "--dry-run", "--data", "gone"), "gone: No such file or directory"),
    (("emoji", "rebuild", "--reward", "."), "no reward model"),
    (("emoji", "train", "--stages", "base"), "the output of the stage autoencoder"),
    (("emoji", "train", "--stages", "latents"), "the output of the stage autoencoder"),
    (("emoji", "train", "--stages", "autoencoder,base"), "the output of the stage clip"),
    (("emoji", "train", "--stages", "base,paint"), "unknown stage 'paint'"),
    (("emoji", "train", "--stages", ""), "separated by commas"),
    (("emoji", "render", "a big dragon"), "this family cannot draw 'dragon'"),
    (("feedback", "--reward", "."), "no reward model"),
    (("feedback", "--reward", ".", "--model", "base"), "base has no adapter"),
    (("feedback", "--reward", ".", "--model", "magic"), "magic"),
    (("feedback", "--reward", ".", "--kind", "human"), "--kind is of the votes"),
    (("feedback", "--reward", ".", "--votes", "x"), "--method dpo"),
    (("feedback", "--reward", ".", "--enter", "hyper"), "there is a model hyper already"),
    (("feedback", "--reward", ".", "--enter", ""), "cannot be a name"),
    (("feedback", "--reward", ".", "--prompts", "few.txt"), "3 prompts are too few"),
    (("feedback", "--reward", ".", "--prompts", "control.txt"), "prompt 4"),
    (("feedback", "--reward", ".", "--detector", "unet.safetensors"), "go together"),
    (("feedback", "--reward", ".", "--perception", "-1"), "expected a weight from 0"),
    (("feedback", "--reward", ".", "--perception", "much"), "--perception"),
    (("feedback", "--reward", ".", "--perception", "0", "--method", "dpo"), "dpo has no visual-perception loss"),
    (("feedback", "--reward", ".", "--batch", "0"), "pictures must be a whole number"),
    (("loop", "--votes", "simulate", "--model", "base"), "base has no adapter"),
    (("loop", "--votes", "simulate", "--model", "magic"), "magic"),
    (("loop", "--votes", "simulate", "--kind", "human"), "simulated voters are not human"),
    (("loop", "--votes", "simulate", "--beside", "refl"), "name the other one"),
    (("loop", "--votes", "nowhere"), "nowhere"),
    (("loop", "--votes", ""), "not an empty text"),
    (("loop", "--votes", "simulate", "--rounds", "0"), "rounds"),
    (("reward", "train", "--votes", "good.txt"), "good.txt"),
    (("reward", "train", "--votes", ""), "not an empty text"),
    (("reward", "train", "--votes", "gone"), "gone: No such file or directory"),
]


@pytest.mark.parametrize(
    ("words", "complaint"), OPTIONS, ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_options_are_checked_before_any_work(
    call: Call, tmp_path: Path, words: tuple[str, ...], complaint: str
) -> None:
    assert complaint in call(*words, "--out", "out").complaint
    assert not (tmp_path / "out").exists(), "nothing is made for what cannot be done"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("emoji", "perceive", "--shorten", "0.5"), "--shorten is for training"),
        (("emoji", "perceive", "--data", "."), "world.json"),
        (("deploy", "--space", "mine", "--dry-run"), "a Space is named OWNER/NAME"),
        (("rank", "--votes", "gone"), "gone: No such file or directory"),
        (("rank", "--votes", "hf://mine"), "name a file, a folder or hf://datasets/OWNER/NAME"),
        (("votes", "import", "s3://gone/x"), "s3://gone/x cannot be reached"),
        (("votes", "simulate", "--n", "5", "--study", ""), "no study ''"),
        (("votes", "simulate", "--n", "5", "--study", "figure5-sdxl"), "figure5-emoji"),
        (("reward", "score", "good.txt", "--reward", ".", "--prompt", CAT), "no reward model"),
    ],
)
def test_so_are_those_of_commands_that_write_nothing(call: Call, words: tuple[str, ...], complaint: str) -> None:
    assert complaint in call(*words).complaint
