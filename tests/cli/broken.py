"""Files of every kind that the commands read, tiny and whole; and every way in which one can be broken."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file

from hypersd import __version__
from hypersd.arena.dataset.export import export
from hypersd.arena.store.store import Store
from hypersd.arena.votes.images import ImageStore
from hypersd.cli.rebuild_plan import RebuildOptions, rebuild_plan, record_done
from hypersd.emoji.perception.solo import Solo, save_perception
from hypersd.evaluate.picture_metrics import ImageMetrics, write_pictures
from hypersd.feedback.reward.reward_folder import SECOND
from hypersd.feedback.reward.reward_model import RewardModel
from hypersd.models.engine import Engine
from hypersd.models.families.embedded import EMOJI
from hypersd.models.machine import Machine
from hypersd.models.registered import RegisteredModel, register
from hypersd.sampling.comparison_folder import compare_into
from hypersd.sampling.request import Request, Run
from hypersd.training.checkpoints import save_state
from hypersd.training.filters.filtering import write_filtered
from hypersd.training.filters.limits import FilterLimits
from hypersd.training.filters.measurements import FOLDER as MEASUREMENTS
from hypersd.training.filters.measurements import measure_source
from hypersd.training.records import RECORD
from hypersd.training.sources.picture_folder import PictureFolder
from hypersd.utils.files import write_json
from tests.arena.voted import vote
from tests.families import write_clip, write_control_lora, write_emoji
from tests.loops import write_round
from tests.training.sources.conftest import png, write_folder, write_tar

_LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"
_PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200))

Break = Callable[[Path], object]


def _written(content: bytes) -> Break:
    return lambda file: file.write_bytes(content)


def _truncated(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


BREAKS: Mapping[str, Break] = MappingProxyType(
    {
        "missing": Path.unlink,
        "empty": _written(b""),
        "truncated": _truncated,
        "png": _written(_PNG),
        "text": _written("Hello, größer".encode()),
        "braces": _written(b"{}"),
        "list": _written(b"[]"),
        "nested": _written(b"[" * 100_000),
        "lfs": _written(_LFS),
        "other": lambda file: save_file({"other.weight": torch.zeros(2, 2)}, file),
        "folder": _folder,
    }
)


def build(shelf: Path) -> None:
    """Write a family, a reward model, votes, trainings and pictures into a folder."""
    _build_family(shelf / "family")
    shutil.copytree(shelf / "family", shelf / "data" / "family")
    np.save(shelf / "data" / "latents.npy", np.zeros((8, 12, 4, 4), dtype=np.float16))
    shutil.copyfile(shelf / "family" / "adapters" / "hyper.safetensors", shelf / "adapter.safetensors")
    (shelf / "prompts.txt").write_text(
        "".join(f"a {size} {name} on a blue background\n" for size in ("big", "small") for name in ("cat", "dog"))
    )
    picture = Image.new("RGB", (32, 32), "teal")
    picture.save(shelf / "picture.png")
    ImageDraw.Draw(picture).ellipse((8, 8, 24, 24), fill="orange")
    picture.save(shelf / "sketch.png")
    build_reward(shelf / "reward", shelf / "family" / "clip")
    _build_votes(shelf)
    _build_trainings(shelf)
    _build_pictures(shelf)
    _build_results(shelf)
    (shelf / "home").mkdir()
    register(
        RegisteredModel(
            name="mine", title="Mine", family="emoji", parent="hyper", adapters={"4": "a.safetensors"}, lineage={}
        ),
        {"a.safetensors": shelf / "adapter.safetensors"},
        shelf / "home" / "contestants",
    )


def _build_family(folder: Path) -> None:
    files = {recipe.weights.file for spec in EMOJI.specs for recipe in spec.recipes if recipe.weights.file}
    write_emoji(folder, sorted(Path(file).stem for file in files))
    write_control_lora(folder)
    write_clip(folder / "clip")
    save_perception(Solo(["cat", "dog"], (8, 8, 8)), folder / "perception")


def build_reward(folder: Path, clip: Path) -> None:
    """Write an untrained reward model with a second one, as `reward train` leaves them."""
    for place in (folder, folder / SECOND):
        model = RewardModel.start(clip)
        model.metadata |= {"data": "51b506122e6dea8c", "kind": "human", "preferred": {"0.25": -1.0, "0.75": 1.0}}
        model.metadata |= {"accuracy": 0.8, "accuracy_interval": [0.7, 0.9]}
        model.save(place)


def _build_votes(shelf: Path) -> None:
    store, pictures = Store(f"sqlite:///{shelf}/arena.sqlite"), ImageStore(str(shelf / "pictures"))
    for number in range(8):
        vote(store, pictures, number, voter=f"voter-{number}")
    export(store.votes(), pictures, "arena", shelf / "exported")
    (shelf / "votes").mkdir()
    shutil.copyfile(shelf / "exported" / "train.parquet", shelf / "votes" / "votes.parquet")
    store.engine.dispose()


def _build_trainings(shelf: Path) -> None:
    for place in (
        "distilled/segments-8",
        "tuned/hyper/training",
        "learned/training",
        "rebuilt/autoencoder",
        "seen/training",
    ):
        save_state(shelf / place / "state", {"weights.x": torch.zeros(4)}, {"step": 1, "seed": 0, "stopped": ""})
    (shelf / "tuned" / "hyper" / "training" / "looks.json").write_text(json.dumps([[20, {"reward": 0.5}]]))
    write_json(shelf / "distilled" / "segments-8" / RECORD, {"version": __version__})
    write_round(shelf / "loop", 1, stages=4)
    for part in ("vae", "tokenizer", "tokenizer_2", "text_encoder", "text_encoder_2"):
        shutil.copytree(shelf / "family" / part, shelf / "rebuilt" / "family" / part)
    np.save(shelf / "rebuilt" / "latents.npy", np.zeros((8, 12, 16, 16), dtype=np.float16))


def _build_pictures(shelf: Path) -> None:
    """Captioned pictures as a folder, as shards, filtered, and half-measured; and COCO's files."""
    photos = write_folder(shelf / "photos", {f"{number}.png": f"a cat {number}" for number in range(3)})
    write_tar(shelf / "shards" / "s-000.tar", {"a.png": png(0), "a.txt": b"a cat", "b.png": png(1), "b.txt": b"a dog"})
    source = PictureFolder.open(photos)
    limits = FilterLimits(side=None, aesthetic=None, sharpness=None)
    measured = measure_source(source, shelf / "filtered" / MEASUREMENTS, None)
    write_filtered(source, measured, limits, shelf / "filtered", text=str(photos), column=None)
    annotations = shelf / "coco" / "annotations"
    annotations.mkdir(parents=True)
    (shelf / "coco" / "train2017").mkdir()
    (annotations / "instances_train2017.json").write_text(json.dumps({"images": [], "annotations": []}))
    (annotations / "captions_train2017.json").write_text(json.dumps({"annotations": []}))
    save_file({"backbone.weight": torch.zeros(4)}, shelf / "detector.safetensors")


def _build_results(shelf: Path) -> None:
    """Outputs of `compare`, `evaluate` and `emoji rebuild`."""
    family = replace(EMOJI, folder=shelf / "family")
    runs = (Run(model="hyper", steps=1),)
    request = Request(prompt="a big cat on a blue background", seed=0, family="emoji", runs=runs)
    (shelf / "compared").mkdir()
    compare_into(shelf / "compared", request, Engine(family, Machine.here()))
    shutil.copyfile(shelf / "compared" / "hyper.png", shelf / "drawn.png")
    pictures = [
        ImageMetrics(model="tcd", steps=1, prompt=prompt, seed=0, scores={"match": 0.5}, seconds=1.0)
        for prompt in ("a cat", "a dog")
    ]
    (shelf / "evaluated").mkdir()
    write_pictures(pictures, ["match"], shelf / "evaluated" / "pictures.csv")
    write_json(shelf / "evaluated" / "evaluation.json", {"family": "emoji"})
    options = RebuildOptions(out=shelf / "all")
    first = rebuild_plan(options)[0]
    record_done(first, "of another command", 1.0, shelf / "all")
    for output in first.outputs:
        write_json(shelf / "all" / output, {})


@contextmanager
def damaged(file: Path, how: str) -> Generator[None]:
    """Within this context a file is broken."""
    content = file.read_bytes()
    BREAKS[how](file)
    try:
        yield
    finally:
        if file.is_dir():
            file.rmdir()
        file.write_bytes(content)


def files_below(folder: Path) -> set[str]:
    """The names of all files below a folder."""
    return {
        f"{place}/{name}".removeprefix(f"{folder}/")  # a path object for each would take ten times as long
        for place, _, names in os.walk(folder)
        for name in names
    }
