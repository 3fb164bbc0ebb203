"""Every command with every file that it reads: broken in every way, it is named in one sentence, before any work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from hypersd.models.families.embedded import CONTROL_LORA
from tests.cli.broken import BREAKS, build, damaged, files_below
from tests.cli.conftest import Call

CAT = "a big cat on a blue background"
UNET = "unet/diffusion_pytorch_model.safetensors"
PIPELINE = (
    *("model_index.json", "scheduler/scheduler_config.json", "unet/config.json", UNET),
    *("vae/config.json", "vae/diffusion_pytorch_model.safetensors"),
    *("text_encoder/config.json", "text_encoder/model.safetensors", "text_encoder_2/model.safetensors"),
    *("tokenizer/tokenizer.json", "tokenizer_2/tokenizer_config.json"),
)
FEW = ("model_index.json", UNET, "tokenizer/tokenizer.json")
WORLD = ("world.json", "sprites/dog.webp")
CLIP = ("config.json", "model.safetensors", "tokenizer.json", "preprocessor_config.json")
PERCEPTION = ("perception/config.json", "perception/model.safetensors")
REWARD = ("reward.json", "model.safetensors", "config.json", "tokenizer.json")
STATE = ("state.json", "step-1.state.safetensors")
CHECKED = (
    *("unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors", "clip/model.safetensors"),
    *("text_encoder/model.safetensors", "text_encoder_2/model.safetensors", "reward/model.safetensors"),
    *(
        "second/model.safetensors",
        CONTROL_LORA,
        "json",
        ".webp",
        ".npy",
        ".parquet",
        ".arrow",
        ".png",
        "adapter.safetensors",
    ),
)
"""Files in whose place whole weights of another network are found before any work."""
FOR_SOME = {"other": CHECKED, "nested": ("json", "jsonl")}
"""Endings of the files that are broken in a way; others would be read as text, or found as they are loaded."""

COCO = ("instances_train2017.json", "captions_train2017.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command, and the files on the shelf that it reads.

    Args:
        words: of the command line; `OUT` and what is on the shelf are relative to the shelf, where it is run.
        out: the words for a folder that cannot be written: with whole files, that is what it complains of.
    """

    words: str
    files: tuple[str, ...]
    out: str = ""


def below(folder: str, files: tuple[str, ...]) -> tuple[str, ...]:
    """Files in a folder."""
    return tuple(f"{folder}/{file}" for file in files)


ADAPTERS = ("family/adapters/hyper.safetensors", "home/contestants/mine/contestant.json")
COMMANDS = (
    Command(words="compare CAT --models hyper", files=(*below("family", PIPELINE), *ADAPTERS), out="--out"),
    Command(
        words="compare CAT --models hyper --base data/family",
        files=below("data/family", (*PIPELINE[:4], "vae/diffusion_pytorch_model.safetensors")),
        out="--out",
    ),
    Command(words="compare --prompts prompts.txt --models base", files=("prompts.txt",), out="--out"),
    Command(
        words="evaluate --models hyper --reward reward",
        files=(*below("family", (*FEW, *WORLD)), *below("family/clip", CLIP), *below("reward", REWARD)),
        out="--out",
    ),
    Command(
        words="compare CAT --models hyper --steps 1 --grid --reward reward", files=below("reward", REWARD), out="--out"
    ),
    Command(words="compare CAT --models hyper --steps 1 --resume --out compared", files=("compared/comparison.json",)),
    Command(words="compare --like drawn.png", files=("drawn.png", ADAPTERS[0]), out="--out"),
    Command(
        words="control CAT --mode canny --image sketch.png",
        files=("sketch.png", *below("family", (CONTROL_LORA, *FEW)), ADAPTERS[0]),
        out="--out",
    ),
    Command(words="evaluate --prompts prompts.txt --models base", files=("prompts.txt",), out="--out"),
    Command(words="evaluate --models hyper --adapter adapter.safetensors --out out", files=("adapter.safetensors",)),
    Command(
        words="evaluate --models base --steps 1 --count 1 --resume --out evaluated",
        files=("evaluated/evaluation.json",),
    ),
    Command(
        words="evaluate control --count 1 --steps 1",
        files=below("family", (CONTROL_LORA, *FEW, *WORLD)),
        out="--out",
    ),
    Command(
        words="evaluate tables --reward reward",
        files=(*below("family", WORLD), *below("family/clip", CLIP), *below("reward", REWARD)),
        out="--out",
    ),
    Command(words="claims tcd=evaluated", files=("evaluated/pictures.csv",), out="--out"),
    Command(words="data filter --aesthetic none --data photos", files=("photos/metadata.jsonl",), out="--out"),
    Command(words="data filter --aesthetic none --data shards/s-000.tar", files=("shards/s-000.tar",), out="--out"),
    Command(
        words="data filter --aesthetic none --data photos --out filtered",
        files=("filtered/measurements/made-from.json", "filtered/measurements/000000.parquet"),
    ),
    Command(words="distill tscd --stages segments-8 --data photos", files=("photos/metadata.jsonl",), out="--out"),
    Command(words="distill tscd --stages segments-8 --data shards/s-000.tar", files=("shards/s-000.tar",), out="--out"),
    Command(
        words="distill tscd --stages segments-8 --data filtered",
        files=("filtered/filter.json", "filtered/kept.arrow"),
        out="--out",
    ),
    Command(words="distill tscd --stages segments-8 --base family", files=below("family", PIPELINE), out="--out"),
    Command(words="distill tscd --stages segments-8 --dry-run --base family", files=("family/unet/config.json",)),
    Command(words="distill one-step --reward reward", files=below("reward", REWARD), out="--out"),
    Command(
        words="feedback --reward reward --detector detector.safetensors --photographs coco --out out",
        files=("detector.safetensors", *below("coco/annotations", COCO)),
    ),
    Command(
        words="emoji rebuild --reward reward",
        files=(*below("reward", REWARD), *below("reward/second", REWARD)),
        out="--out",
    ),
    Command(words="emoji rebuild --out all", files=("all/stages/family.json",)),
    Command(
        words="distill tscd --stages segments-8 --data data",
        files=("data/latents.npy", *below("data/family", (*PIPELINE[1:], *WORLD))),
        out="--out",
    ),
    Command(
        words="distill tscd --stages segments-8 --resume --out distilled",
        files=("distilled/segments-8/run.json", *below("distilled/segments-8/state", STATE)),
    ),
    Command(words="distill turbo", files=below("family/clip", CLIP), out="--out"),
    Command(words="distill one-step", files=("family/adapters/hyper.safetensors",), out="--out"),
    Command(words="distill backward --adapter adapter.safetensors", files=("adapter.safetensors",), out="--out"),
    Command(words="votes export --format arena", files=("arena.sqlite",), out="--out"),
    Command(words="votes stats", files=("arena.sqlite",)),
    Command(words="votes import votes/votes.parquet", files=("votes/votes.parquet",)),
    Command(words="votes simulate --n 1", files=("arena.sqlite", *below("family", (*FEW, *WORLD)))),
    Command(words="rank", files=("arena.sqlite",)),
    Command(words="rank --votes votes", files=("votes/votes.parquet",)),
    Command(words="reward train", files=("arena.sqlite", *below("family/clip", CLIP)), out="--out"),
    Command(
        words="reward train --votes votes --backbone data/family/clip",
        files=("votes/votes.parquet", *below("data/family/clip", CLIP)),
        out="--out",
    ),
    Command(words="reward train --out learned", files=below("learned/training/state", STATE)),
    Command(
        words="reward score picture.png --prompt CAT --reward reward", files=("picture.png", *below("reward", REWARD))
    ),
    Command(
        words="feedback --reward reward --adapter adapter.safetensors --prompts prompts.txt",
        files=(
            *("adapter.safetensors", "prompts.txt", *below("reward", REWARD), *below("reward/second", REWARD)),
            *below("family", (*FEW, *WORLD, *PERCEPTION)),
        ),
        out="--out",
    ),
    Command(
        words="feedback --reward reward --method dpo --votes votes",
        files=("votes/votes.parquet",),
        out="--out",
    ),
    Command(
        words="feedback --reward reward --out tuned",
        files=("tuned/hyper/training/looks.json", *below("tuned/hyper/training/state", STATE)),
    ),
    Command(
        words="loop --votes simulate",
        files=(*below("family", (*FEW, *WORLD, *PERCEPTION)), *below("family/clip", CLIP), *ADAPTERS[1:]),
        out="--out",
    ),
    Command(words="loop --votes votes", files=("votes/votes.parquet",), out="--out"),
    Command(words="loop --votes simulate --out loop", files=("loop/round-1/votes.json", "loop/round-1/reward.json")),
    Command(
        words="emoji train --stages base --out rebuilt",
        files=(
            *below("rebuilt/family", ("vae/config.json", "text_encoder/model.safetensors", "tokenizer/tokenizer.json")),
            *("rebuilt/latents.npy", *below("rebuilt/autoencoder/state", STATE)),
        ),
    ),
    Command(
        words="emoji perceive --data data",
        files=below("data/family", (*WORLD, *PERCEPTION, "vae/config.json", "vae/diffusion_pytorch_model.safetensors")),
    ),
    Command(words="emoji perceive --out seen", files=below("seen/training/state", STATE)),
    Command(words="models", files=("home/contestants/mine/contestant.json",)),
)
TEXTS = {"text", "braces", "list", "truncated"}
"""Ways to break a file that leave a file of prompts one."""

OPTIONAL = {
    *("loop/round-1/votes.json", "loop/round-1/reward.json", "tuned/hyper/training/looks.json"),
    *("data/latents.npy", "data/family/model_index.json", "photos/metadata.jsonl", "all/stages/family.json"),
    *("evaluated/evaluation.json", "compared/comparison.json"),
    *("filtered/measurements/made-from.json", "filtered/measurements/000000.parquet"),
}
"""Files that may be missing: without them the work begins at an earlier point."""


def harmless(file: str, how: str) -> bool:
    """True if a file that is broken in this way can still be read, or may be missing."""
    if file == "prompts.txt":
        return how in TEXTS
    if file == "arena.sqlite":
        return how in {"missing", "empty"}
    if (how, file.rpartition(".")[2]) == ("folder", "tar"):  # a source too, an empty one
        return True
    if how in FOR_SOME:
        return not file.endswith(FOR_SOME[how])
    if how == "missing":
        return file in OPTIONAL or file.endswith(("state.json", "contestant.json", "tokenizer_config.json", "run.json"))
    return how == "list" and file.endswith("looks.json")


CASES = [
    pytest.param(command, file, how, id=f"{command.words.replace(' ', '_')}-{file.replace('/', '_')}-{how}")
    for command in COMMANDS
    for file in command.files
    for how in BREAKS
    if not harmless(file, how)
]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of every kind, all whole."""
    folder = tmp_path_factory.mktemp("shelf")
    build(folder)
    return folder


@pytest.fixture
def here(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shelf, as the current folder and where the environment points."""
    monkeypatch.chdir(shelf)
    monkeypatch.setenv("HYPERSD_EMOJI", str(shelf / "family"))
    monkeypatch.setenv("HYPERSD_DATA", str(shelf / "home"))
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{shelf}/arena.sqlite")
    monkeypatch.setenv("HYPERSD_PICTURES", str(shelf / "pictures"))
    return shelf


def words_of(command: Command, out: str) -> list[str]:
    """The words of a command that writes to `out`."""
    words = [CAT if word == "CAT" else word for word in command.words.split()]
    return [*words, command.out, out] if command.out else words


@pytest.mark.parametrize(("command", "file", "how"), CASES)
def test_a_broken_file_is_named_before_any_work(call: Call, here: Path, command: Command, file: str, how: str) -> None:
    with damaged(here / file, how):
        before = files_below(here)
        complaint = call(*words_of(command, "out")).complaint
        left = {name for name in files_below(here) - before if not name.startswith("arena.sqlite-")}
    assert Path(file).name in complaint or str(Path(file).parent) in complaint
    assert len(complaint) < 400
    assert left == set()


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.out], ids=lambda command: command.words)
def test_whole_files_are_not_complained_of(call: Call, here: Path, tmp_path: Path, command: Command) -> None:
    """Only the output cannot be written here, and the output is checked last."""
    taken = tmp_path / "taken"
    taken.write_text("mine")
    assert call(*words_of(command, str(taken))).complaint.startswith(f"cannot write to {taken}")
    assert taken.read_text() == "mine"
    assert here == Path.cwd()


@pytest.mark.parametrize("file", [*below("family", PIPELINE), "family/adapters/hyper.safetensors"])
def test_models_says_which_file_keeps_a_model_from_running(call: Call, here: Path, file: str) -> None:
    with damaged(here / file, "truncated"):
        document = call("models", "--family", "emoji", "--json").document
    listed = {model["name"]: model for model in document["models"]}
    assert Path(file).name in listed["hyper"]["reason"]
    assert listed["base"]["available"] == (file not in below("family", PIPELINE))
