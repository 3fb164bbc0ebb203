"""An arena of one's own pictures, from `arena init` to a reward model, voted on through its HTTP routes."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import load_dataset
from PIL import Image

from app.build import launch
from app.services.settings import AppSettings
from hypersd.arena.storage import StorageConfig
from hypersd.cli.main import main
from hypersd.models.registry import FAMILIES
from tests.app.services.test_arena import Door
from tests.arena.library.test_picture_list import table
from tests.families import emoji_family, write_clip

PROMPTS, VOTERS = 24, 3
MODELS = ("sharp", "org/soft", "noise")


def write_pictures(folder: Path) -> Path:
    """A list of pictures of three models; only the first one's are bright."""
    lines: list[str] = []
    for prompt in range(PROMPTS):
        for model, (name, brightness) in enumerate(zip(MODELS, (200, 90, 30), strict=True)):
            pixels = np.random.default_rng((prompt, model)).integers(0, 50, (32, 32, 3), dtype=np.uint8) + brightness
            folder.mkdir(exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{prompt}-{model}.png")
            lines.append(f"a scene of number {prompt},{name},{prompt}-{model}.png")
    return table(folder, *lines, header="prompt,model,file")


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """The HTTP client of a page that serves such an arena."""
    folder = tmp_path_factory.mktemp("pictures")
    emoji_family(FAMILIES["emoji"], folder / "emoji-xl")
    source = str(write_pictures(folder / "source"))
    assert main(["arena", "init", str(folder / "mine"), "--pictures", source]) == 0
    settings = AppSettings(emoji=folder / "emoji-xl", storage=StorageConfig(data=folder / "mine"))
    demo = launch(settings, block=False, quiet=True, server_name="127.0.0.1")
    yield Door(demo.local_url, folder / "mine")
    demo.close()


@pytest.fixture(scope="module")
def voted(door: Door) -> Door:
    """The page after votes for the first model, or the second where there is no first."""
    for voter in ("a" * 32, "b" * 32, "c" * 32)[:VOTERS]:
        for _ in range(28):  # more in a minute would count as a burst
            vote(door, voter)
    return door


def vote(door: Door, voter: str) -> dict[str, Any]:
    """Vote for the brighter picture as the page does; return what is revealed."""
    battle = door.battle(voter)
    assert door("show", voter, {"battle": battle["battle"]})[0] == 200
    data = base64.b64decode(str(battle["sheet"]).partition(",")[2])
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    left, right = np.split(pixels, 2, axis=1)
    choice = "left" if left.mean() > right.mean() else "right"
    words = {"battle": battle["battle"], "choice": choice, "decision_ms": 1500, "input": "key"}
    status, answer = door("vote", voter, words)
    assert status == 200, answer
    return answer


def test_a_vote_reveals_the_models_with_unknown_steps_and_costs(voted: Door) -> None:
    answer = vote(voted, "d" * 32)
    for side in ("left", "right"):
        assert answer[side]["name"] in MODELS
        assert answer[side] == {
            "name": answer[side]["name"],
            "label": f"mine/{answer[side]['name']}@?",
            "steps": 0,
            "calls": 0,
            "seconds": 0.0,
        }
    assert answer["seed"] == -1


def test_nothing_is_drawn_for_it(voted: Door) -> None:
    status, answer = voted("own", body={"prompt": "a cat"})
    assert status == 422
    assert answer["error"] == "This arena shows pictures that exist already; it cannot draw new ones."


def test_votes_are_ranked_exported_and_train_a_reward_model(
    voted: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HYPERSD_DATA", str(voted.data))
    assert main(["rank"]) == 0
    ranking = capsys.readouterr().out
    assert ranking.index("mine/sharp@?") < ranking.index("mine/org/soft@?") < ranking.index("mine/noise@?")
    assert main(["votes", "export", "--format", "preference", "--out", str(tmp_path / "votes")]) == 0
    rows = load_dataset(str(tmp_path / "votes"), split="train")
    assert {np.asarray(row["chosen"]).mean() > np.asarray(row["rejected"]).mean() for row in rows} == {True}
    clip = str(tmp_path / "clip")
    write_clip(tmp_path / "clip")
    words = (
        "reward",
        "train",
        "--backbone",
        clip,
        "--no-curve",
        "--shorten",
        "0.02",
        "--out",
        str(tmp_path / "reward"),
    )
    assert main(words) == 0
    assert (tmp_path / "reward" / "reward.json").is_file()
