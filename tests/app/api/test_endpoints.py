"""The typed interface for other programs."""

from __future__ import annotations

import json
import re
import urllib.request
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from PIL import Image

from hypersd.models.registry import FAMILIES

ENDPOINTS = {"/compare", "/compare_pictures", "/models", "/leaderboard", "/dataset"}


@pytest.fixture(scope="module")
def client(demo: gr.Blocks) -> Client:
    return Client(demo.local_url, verbose=False)


def fetched(demo: gr.Blocks, path: str) -> Any:
    with urllib.request.urlopen(f"{demo.local_url}gradio_api/{path}") as answer:
        return json.load(answer)


def test_the_public_endpoints_are_those_of_the_interface(demo: gr.Blocks) -> None:
    for query in ("info", "info?all_endpoints=true"):
        info = fetched(demo, query)
        assert set(info["named_endpoints"]) == ENDPOINTS
        assert not info["unnamed_endpoints"]


def test_every_parameter_and_answer_has_a_type(demo: gr.Blocks) -> None:
    for name, endpoint in fetched(demo, "info")["named_endpoints"].items():
        for each in (*endpoint["parameters"], *endpoint["returns"]):
            assert each["type"], (name, each)
            assert "Any" not in each["python_type"]["type"], (name, each)
        assert endpoint["description"]
    (returned,) = fetched(demo, "info")["named_endpoints"]["/leaderboard"]["returns"]
    standings = returned["type"]["properties"]["standings"]["items"]["properties"]
    assert (standings["elo"], standings["votes"]) == ({"type": "number"}, {"type": "integer"})


def test_openapi_describes_them_too(demo: gr.Blocks) -> None:
    paths = fetched(demo, "openapi.json")["paths"]
    assert all(any(name in path for path in paths) for name in ENDPOINTS)
    assert not [path for path in paths if "vote" in path]


def test_models_say_what_runs_here(client: Client) -> None:
    records = client.predict(api_name="/models")
    assert {record["family"] for record in records} == {"emoji", "sdxl", "sd15", "sd21"}
    (hyper,) = (record for record in client.predict("emoji", api_name="/models") if record["name"] == "hyper")
    assert hyper["available"] is True
    assert hyper["default_steps"] in hyper["steps"]
    assert {record["available"] for record in client.predict("sdxl", api_name="/models")} == {False}
    with pytest.raises(AppError, match="nknown family 'dalle'; choose from: emoji"):
        client.predict("dalle", api_name="/models")


def test_a_base_whose_file_is_damaged_is_not_listed(client: Client, emoji_folder: Path) -> None:
    style = FAMILIES["emoji"].styled_bases[0]
    file = emoji_folder / str(style.weights.file)
    file.parent.mkdir(parents=True)
    file.write_bytes(b"not an adapter")
    try:
        records = client.predict("emoji", api_name="/models")
    finally:
        file.unlink()
    assert {record["name"] for record in records} >= {"base", "hyper"}
    assert style.name not in {base for record in records for base in record["bases"]}


def test_the_leaderboard_of_no_votes_says_so(client: Client) -> None:
    board = client.predict(api_name="/leaderboard")
    assert (board["kind"], board["votes"], board["standings"]) == ("human", 0, [])
    assert client.predict(kind="simulated", family="emoji", api_name="/leaderboard")["kind"] == "simulated"
    with pytest.raises(AppError, match="use one of: human, simulated"):
        client.predict(kind="robots", api_name="/leaderboard")


def test_the_dataset_is_described(client: Client) -> None:
    described = client.predict(api_name="/dataset")
    assert [counts["kind"] for counts in described["votes"]] == ["human", "simulated"]
    assert {"name": "voted", "type": "timestamp[us, tz=UTC]"} in described["columns"]
    assert "pickapic" in described["formats"]
    assert described["published"] == ""


def test_a_comparison_in_one_picture_with_its_recipe(client: Client) -> None:
    file = client.predict("a big cat", 7, models=["hyper", "turbo"], steps=[1], api_name="/compare_pictures")
    with Image.open(file) as picture:
        assert picture.width > 2 * 256
        recipe = json.loads(picture.text["hypersd"])
    assert [(run["model"], run["steps"]) for run in recipe["runs"]] == [("hyper", 1), ("turbo", 1)]
    with pytest.raises(AppError, match="nknown model 'dalle'"):
        client.predict("a big cat", models=["dalle"], api_name="/compare_pictures")


def test_the_documented_calls_work(client: Client, root: Path) -> None:
    text = (root / "docs" / "programs.md").read_text()
    calls = re.findall(r"^\w+ = (client\.predict\(.*\))$", text, re.MULTILINE)
    called = {re.search(r'api_name="(/\w+)"', call).group(1) for call in calls}  # pyright: ignore[reportOptionalMemberAccess]
    assert called == ENDPOINTS
    for call in calls:
        assert eval(call, {"client": client})  # noqa: S307 - our own documentation
