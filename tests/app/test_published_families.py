"""The published families through the page, without a network: the pictures are those of the command line.

The cache has the Hub's layout, real names and key formats; the weights are few and random. That a picture is also the
one of the model card's own snippet is what the tests of the command line show, for every number of steps.
"""

from __future__ import annotations

import base64
import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from diffusers import StableDiffusionPipeline
from gradio_client import Client
from gradio_client.exceptions import AppError
from huggingface_hub import constants
from PIL import Image

from hypersd.cli.main import main
from hypersd.models.specs import Family
from tests import families
from tests.single_file import write_single_file

JUGGERNAUT = "RunDiffusion/Juggernaut-XL-v9"
INK = "nobody/ink/ink.safetensors:0.8"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Of a process that has every file of every card, and no network; its owner offers other bases and styles."""
    cache = tmp_path_factory.mktemp("hub")
    for family in families.PUBLISHED:
        families.hub_cache(family, cache)
    pipeline = families.other_pipeline("sdxl")
    pipeline.save_pretrained(families.hub_file(cache, JUGGERNAUT, "model_index.json").parent)
    file = tmp_path_factory.mktemp("bases") / "dreamshaper.safetensors"
    write_single_file(families.other_pipeline("sd15"), file)
    ink = families.hub_file(cache, "nobody/ink", "ink.safetensors")
    state = families.lora_state(families.sd_pipeline().unet, seed=21)
    StableDiffusionPipeline.save_lora_weights(ink.parent, unet_lora_layers=state, weight_name=ink.name)
    home = {"HYPERSD_DATA": str(tmp_path_factory.mktemp("data")), "HF_HUB_CACHE": str(cache)}
    bases = (JUGGERNAUT, "nobody/nothing", INK, f"Inked Shaper={file} + {INK}", f"Dream Shaper={file}")
    home["HYPERSD_BASES"] = ", ".join(bases)
    settings = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "HYPERSD_POOL": "1", "HYPERSD_DRAWING": "here"}
    return {**os.environ, **home, **settings}


@pytest.fixture(scope="module")
def client(environment: dict[str, str], root: Path) -> Iterator[Client]:
    """A client of `python app.py`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    served = {**environment, "GRADIO_SERVER_PORT": str(port)}
    with subprocess.Popen([sys.executable, "app.py"], cwd=root, env=served) as process:
        try:
            yield _connected(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()


def _connected(address: str) -> Client:
    for _ in range(120):
        try:
            return Client(address, verbose=False)
        except Exception:  # noqa: BLE001 - what the client raises while nobody listens is its own affair
            time.sleep(0.5)
    raise AssertionError(f"nobody listens at {address}")


def pixels(picture: Any) -> np.ndarray:
    with Image.open(picture) as opened:
        return np.asarray(opened.convert("RGB"), dtype=int)


def one_of_each_kind(family: Family) -> list[str]:
    """A model for each kind of weights and sampler, but for the base: it takes as long as all the others."""
    kinds: dict[tuple[str, str], str] = {}
    for spec in family.specs:
        if spec.name != "base":
            kinds.setdefault((spec.recipe().weights.kind, spec.recipe().scheduler.name), spec.name)
    return list(kinds.values())


@pytest.mark.parametrize("family", families.PUBLISHED, ids=lambda family: family.name)
def test_each_kind_of_model_is_drawn_by_the_page(  # noqa: PLR0917 - fixtures and a row
    client: Client,
    environment: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    family: Family,
) -> None:
    side = str(families.SMALLEST_SIDES[family.name])
    models = one_of_each_kind(family)
    records = client.predict("a red fox", 3, family.name, models, [], size=side, api_name="/compare")
    assert [record["error"] for record in records] == [None] * len(models)
    words = ["compare", "a red fox", "--family", family.name, "--models", ",".join(models), "--seed", "3"]
    monkeypatch.setattr(constants, "HF_HUB_CACHE", environment["HF_HUB_CACHE"])
    assert main([*words, "--size", side, "--out", str(tmp_path), "--json"]) == 0
    runs = json.loads(capsys.readouterr().out)["runs"]
    by_command = {(run["model"], run["steps"]): tmp_path / run["file"] for run in runs}
    assert by_command.keys() == {(record["model"], record["steps"]) for record in records}
    for record in records:
        picture = io.BytesIO(base64.b64decode(str(record["image"]).partition(",")[2]))
        assert np.abs(pixels(picture) - pixels(by_command[record["model"], record["steps"]])).max() <= 1


def test_the_tiny_decoder_is_the_one_of_the_command_line(
    client: Client,
    environment: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    side = str(families.SMALLEST_SIDES["sd15"])
    asked = ("a red fox", 3, "sd15", ["hyper"], [2])
    (full,) = client.predict(*asked, size=side, api_name="/compare")
    (tiny,) = client.predict(*asked, size=side, decoder="tiny", api_name="/compare")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", environment["HF_HUB_CACHE"])
    words = ["compare", "a red fox", "--family", "sd15", "--models", "hyper", "--steps", "2", "--seed", "3"]
    assert main([*words, "--size", side, "--decoder", "tiny", "--out", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["vae"] == "madebyollin/taesd"
    png = base64.b64decode(str(tiny["image"]).partition(",")[2])
    with Image.open(io.BytesIO(png)) as picture:
        assert json.loads(picture.info["hypersd"])["vae"] == "madebyollin/taesd"
    assert np.abs(pixels(io.BytesIO(png)) - pixels(tmp_path / "hyper.png")).max() <= 1
    assert tiny["image"] != full["image"]
    with pytest.raises(AppError, match="Emoji has no tiny decoder"):
        client.predict("a cat", 3, "emoji", ["hyper"], [1], decoder="tiny", api_name="/compare")


def test_on_the_owner_s_bases_the_page_draws_what_the_command_line_does(
    client: Client,
    environment: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", environment["HF_HUB_CACHE"])
    file = environment["HYPERSD_BASES"].rpartition("=")[2]
    for family, base, *based in (
        ("sdxl", "Juggernaut-XL-v9", "--base", JUGGERNAUT),
        ("sd15", "Dream Shaper", "--base", file),
        ("sd15", "ink", "--style", INK),
        ("sd15", "Inked Shaper", "--base", file, "--style", INK),
    ):
        side = str(families.SMALLEST_SIDES[family])
        asked = {"size": side, "api_name": "/compare"}
        (record,) = client.predict("a red fox", 3, family, ["hyper"], [2], base=base, **asked)
        words = ["compare", "a red fox", "--family", family, *based, "--models", "hyper", "--steps", "2", "--seed", "3"]
        assert main([*words, "--size", side, "--out", str(tmp_path / base), "--json"]) == 0
        made_of = json.loads(capsys.readouterr().out)
        png = base64.b64decode(str(record["image"]).partition(",")[2])
        assert np.abs(pixels(io.BytesIO(png)) - pixels(tmp_path / base / "hyper.png")).max() <= 1
        with Image.open(io.BytesIO(png)) as picture:
            stored = json.loads(picture.info["hypersd"])
        changes = [(stored["base"], made_of["base"])] if "base" in stored else []
        changes += zip(stored.get("styles", ()), made_of.get("styles", ()), strict=True)
        assert changes
        assert all(page.items() < terminal.items() for page, terminal in changes), "all but the hash"
        if base == "ink":
            (tmp_path / "page.png").write_bytes(png)
            again = ["compare", "--like", str(tmp_path / "page.png"), "--style", INK, "--out", str(tmp_path / "again")]
            assert main(again) == 0
            capsys.readouterr()
            assert np.abs(pixels(io.BytesIO(png)) - pixels(tmp_path / "again" / "hyper.png")).max() <= 1


def test_models_say_on_which_bases_they_run(client: Client) -> None:
    shaper = ["ink", "Inked Shaper", "Dream Shaper"]
    for family, bases in (("sdxl", ["Juggernaut-XL-v9"]), ("sd15", shaper)):
        models = {record["name"]: record["bases"] for record in client.predict(family, api_name="/models")}
        assert models["hyper"] == bases
        assert models["perflow"] == (bases if family == "sd15" else []), "one is a difference, the other a UNet"


def test_no_visitor_names_a_base_s_place(client: Client, environment: dict[str, str]) -> None:
    """A name of the owner's list, and nothing else: neither over the API nor in an event of the page."""
    file = environment["HYPERSD_BASES"].rpartition("=")[2]
    forged = (file, "stable-diffusion-v1-5/stable-diffusion-v1-5", "../../etc/passwd", "http://169.254.169.254/", "own")
    for base in forged:
        with pytest.raises(AppError, match=r"Sd15 has no base .*; choose from: ink, Inked Shaper, Dream Shaper"):
            client.predict("a red fox", 3, "sd15", ["hyper"], [2], base=base, api_name="/compare")
    with pytest.raises(AppError, match="Turbo does not run on another base"):
        client.predict("a red fox", 3, "sdxl", ["turbo"], [1], base="Juggernaut-XL-v9", api_name="/compare")
    radios = {part["props"].get("elem_id"): part["id"] for part in client.config["components"]}
    base = radios["hs-sweep-base"]
    (event,) = (each for each in client.config["dependencies"] if [base, "input"] in map(list, each["targets"]))
    for value, status in ((JUGGERNAUT, 500), (file, 500), ("", 200)):
        body = {"fn_index": event["id"], "data": ["emoji", value], "session_hash": "a"}
        answer = httpx.post(f"{client.src}gradio_api/run/predict", json=body, timeout=60)
        assert answer.status_code == status, answer.text
