"""Names of repositories lead to the Hub and nowhere else: a bad one is refused before any request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from shutil import copytree

import pytest
import torch
from huggingface_hub import constants

from hypersd.deploy.space import check_space
from hypersd.models.model_source import ModelSource
from hypersd.models.other_base import other_base
from hypersd.models.registry import FAMILIES
from hypersd.scorers.backbone_source import check_backbone
from hypersd.training.sources.hub_dataset import HubAddress
from tests.families import emoji_family, machine
from tests.http_server import served


@pytest.fixture(scope="module")
def other() -> Iterator[tuple[str, list[str]]]:
    """A server that is asked for nothing: its address, and the requests that it got."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_POST = do_GET  # noqa: N815 - the server's names

        def log_message(self, *_: object) -> None:
            pass

    with served(Handler) as url:
        yield url, asked


NAMES = [
    *("URL/owner/name", "URL", "http://169.254.169.254/latest/meta-data", "169.254.169.254/..", "file:///etc/passwd"),
    *(
        "../..",
        "owner/..",
        "../name",
        "..",
        "owner/name/../..",
        "owner/na\\me",
        "\\\\127.0.0.1\\share",
        "owner/name?x=1",
    ),
    *("owner/name#x", "owner/%2e%2e", "owner/na me", "owner/na\nme", "owner@host/name", "o" * 97 + "/name"),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_the_hub_cannot_have_is_refused_before_any_request(
    other: tuple[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    url, asked = other
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", url)
    name = name.replace("URL", url)
    online = replace(machine(tmp_path / "cache"), hub=url, offline=False)
    with pytest.raises((ValueError, OSError)):
        other_base(name, online, lambda _line: None)
    with pytest.raises((ValueError, OSError)):
        check_backbone(name)
    with pytest.raises(ValueError, match="a Space is named OWNER/NAME"):
        check_space(name)
    if len(name.split("/")) == 2:  # a longer address has a configuration and a split
        with pytest.raises(ValueError, match="OWNER/NAME"):
            HubAddress.parse(f"hf://datasets/{name}")
    assert not asked
    assert not (tmp_path / "cache").exists()


def test_a_proper_name_is_asked_for(
    other: tuple[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test before this one would pass with a server that cannot be reached."""
    url, asked = other
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    online = replace(machine(tmp_path / "cache"), hub=url, offline=False)
    with pytest.raises(OSError, match="owner/name"):
        other_base("owner/name", online, lambda _line: None)
    assert any("owner/name" in path for path in asked)
    asked.clear()


EVIL = "import pathlib\n\npathlib.Path({mark!r}).write_text('ran')\n\n\nclass Evil:\n    pass\n"


@pytest.fixture(scope="module")
def family_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "emoji-xl"
    emoji_family(FAMILIES["emoji"], folder)
    return folder


@pytest.mark.parametrize("kind", ["pipeline", "part", "configuration", "library"])
def test_code_in_a_folder_of_a_model_is_never_run(tmp_path: Path, family_folder: Path, kind: str) -> None:
    folder, mark = tmp_path / "model", tmp_path / "mark"
    copytree(family_folder, folder)
    index = json.loads((folder / "model_index.json").read_text())
    code = folder if kind == "pipeline" else folder / "unet"
    (code / "evil.py").write_text(EVIL.format(mark=str(mark)))
    if kind == "pipeline":
        index["_class_name"] = ["evil", "Evil"]
    elif kind == "configuration":
        file = folder / "unet" / "config.json"
        config = json.loads(file.read_text()) | {"auto_map": {"AutoModel": "evil.Evil"}}
        file.write_text(json.dumps(config))
    else:
        index["unet"] = ["evil" if kind == "part" else "subprocess", "Evil"]
    (folder / "model_index.json").write_text(json.dumps(index))
    if kind == "configuration":
        ModelSource(folder).pipeline(torch.float32)
    else:
        with pytest.raises((ValueError, OSError)):
            ModelSource(folder).pipeline(torch.float32)
    assert not mark.exists()
