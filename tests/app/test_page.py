"""The page's API for programs."""

from __future__ import annotations

import base64
import io
import json
import re
import urllib.request
from pathlib import Path

import gradio as gr
import pytest
from gradio.route_utils import delete_files_created_by_app
from gradio_client import Client
from gradio_client.exceptions import AppError
from PIL import Image


@pytest.fixture(scope="module")
def client(demo: gr.Blocks) -> Client:
    return Client(demo.local_url, verbose=False)


def compare(client: Client, **changed: object) -> list[dict[str, object]]:
    asked = {"prompt": "a big cat on a blue background", "seed": 7, "family": "emoji", "models": [], "steps": []}
    return client.predict(**{**asked, **changed}, api_name="/compare")


def test_a_comparison_through_the_api(client: Client) -> None:
    records = compare(client)
    assert [record["model"] for record in records][-1] == "base"
    assert {record["model"] for record in records} == {"base", "hyper", "lightning", "turbo"}
    calls = [int(str(record["calls"])) for record in records]
    assert calls == sorted(calls)
    for record in records:
        assert record["error"] is None
        head, _, data = str(record["image"]).partition(",")
        assert head == "data:image/png;base64"
        assert Image.open(io.BytesIO(base64.b64decode(data))).size == (128, 128)


def test_models_and_steps_can_be_chosen_and_seeds_repeat(client: Client) -> None:
    first = compare(client, models=["hyper"], steps=[1, 2])
    again = compare(client, models=["hyper"], steps=[1, 2])
    assert [(record["model"], record["steps"]) for record in first] == [("hyper", 1), ("hyper", 2)]
    assert [record["image"] for record in first] == [record["image"] for record in again]


def test_the_readme_s_call_works(client: Client, root: Path) -> None:
    (call,) = re.findall(r"^records = (client\.predict\(.*\))$", (root / "README.md").read_text(), re.MULTILINE)
    records = eval(call, {"client": client})  # noqa: S307 - our own README
    assert [(record["steps"], record["seed"]) for record in records] == [
        (steps, seed) for steps in (2, 4) for seed in (7, 8, 9)
    ]


def test_parameters_can_be_set(client: Client) -> None:
    """Null leaves a recipe its own, as if the parameter were not there."""
    plain = compare(client, models=["hyper"], steps=[4], eta=None)
    by_hand = compare(client, models=["hyper"], steps=[4], eta=0, strength=0.5, count=2)
    assert [record["seed"] for record in by_hand] == [7, 8]
    assert plain[0]["image"] == compare(client, models=["hyper"], steps=[4])[0]["image"]
    assert plain[0]["image"] != by_hand[0]["image"]
    (guided,) = compare(client, models=["base"], steps=[2], guidance=5, negative="a dog")
    assert guided["guidance_scale"] == 5


def test_parts_of_a_request_that_are_not_applied_are_reported(client: Client) -> None:
    """The tests' tokenizer has one token per letter and reads 22."""
    for record in compare(client, prompt="a blue cat and a dinosaur on red", models=["hyper", "turbo"]):
        warnings = " ".join(map(str, record["warnings"]))
        assert "not read: “red”" in warnings
        assert "“dinosaur”" in warnings
        assert "Not drawn: “blue”" in warnings
    assert [record["warnings"] for record in compare(client, prompt="cat on blue", models=["turbo"])] == [[]]


def test_a_picture_carries_its_recipe(client: Client) -> None:
    (record,) = compare(client, models=["hyper"], steps=[2])
    data = base64.b64decode(str(record["image"]).partition(",")[2])
    texts = Image.open(io.BytesIO(data)).text
    assert (texts["prompt"], texts["seed"], texts["steps"]) == ("a big cat on a blue background", "7", "2")
    assert json.loads(texts["hypersd"])["scheduler"]["name"] == "DDIMScheduler"


def test_the_dice_icon_is_not_deleted_with_visitors_files(demo: gr.Blocks) -> None:
    (icon,) = (block.icon for block in demo.blocks.values() if isinstance(block, gr.Button) and block.icon)
    delete_files_created_by_app(demo, age=None)
    with urllib.request.urlopen(f"{demo.local_url}gradio_api/file={icon['path']}") as answer:
        assert answer.read().startswith(b"<svg")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"prompt": ""}, "prompt is empty"),
        ({"prompt": "x" * 10_000}, "10000 characters"),
        ({"prompt": "a\x00cat"}, "control characters"),
        ({"seed": "abc"}, "whole number"),
        ({"seed": 10**30}, "whole number"),
        ({"steps": [0]}, "0 steps"),
        ({"steps": ["4"]}, "whole number"),
        ({"prompt": None}, "must be text"),
        ({"negative": 5}, "must be text"),
        ({"eta": 2}, "must be a number from 0 to 1"),
        ({"eta": "0.5"}, "must be numbers or null"),
        ({"guidance": True}, "must be numbers or null"),
        ({"models": ["hyper"], "guidance": 5}, "Hyper at 4 steps takes no guidance"),
        ({"size": "wide"}, "1024x768"),
        ({"count": 0}, "from 1 to 8"),
        ({"count": True}, "whole number"),
        ({"models": ["dalle"]}, "dalle"),
        ({"family": "dalle"}, "dalle"),
        ({"family": "sdxl", "models": ["base"]}, "cannot run here"),
    ],
)
def test_bad_input_is_answered_in_one_sentence(client: Client, change: dict[str, object], words: str) -> None:
    with pytest.raises(AppError, match=words) as caught:
        compare(client, **change)
    assert "Traceback" not in str(caught.value)
    assert "\n" not in str(caught.value).strip()


def test_no_data_of_visitors_is_stored_or_sent(demo: gr.Blocks) -> None:
    with urllib.request.urlopen(f"{demo.local_url}config") as answer:
        config = json.load(answer)
    assert config["analytics_enabled"] is False
    assert not config.get("run_history")
    assert config["footer_links"] == []
