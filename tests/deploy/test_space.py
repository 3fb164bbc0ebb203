"""Deployment to a Hub on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants

from hypersd.deploy.space import check_space, deploy
from hypersd.deploy.space_files import SpaceFile
from tests.repo_hub import RepoHub, serve

FILES = (SpaceFile("app.py", b"print()\n"), SpaceFile("README.md", b"---\nsdk: gradio\n---\n"))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[RepoHub]:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with serve() as served:
        yield served


def api(hub: RepoHub) -> HfApi:
    return HfApi(endpoint=hub.address, token="hf_test")  # noqa: S106 - of a Hub that takes it


def test_a_space_is_created_and_holds_just_these_files(hub: RepoHub, tmp_path: Path) -> None:
    on_disk = tmp_path / "page.css"
    on_disk.write_bytes(b"body {}")
    hub.files = {"old.py": b"", ".gitattributes": b"*.safetensors filter=lfs\n", "app.py": b"another\n"}
    done = deploy(
        api(hub), "me/hyper", (*FILES, SpaceFile("app/page.css", on_disk)), private=True, variables={"A": "b"}
    )
    assert hub.variables == {"A": "b"}
    assert done.removed == ("old.py",)
    assert done.url == f"{hub.address}/spaces/me/hyper"
    assert hub.files == {
        ".gitattributes": b"*.safetensors filter=lfs\n",
        "app.py": b"print()\n",
        "README.md": b"---\nsdk: gradio\n---\n",
        "app/page.css": b"body {}",
    }
    assert hub.created is not None
    assert {key: hub.created[key] for key in ("name", "type", "sdk")} == {
        "name": "hyper",
        "type": "space",
        "sdk": "gradio",
    }


def test_a_refusal_is_one_sentence_and_changes_nothing(hub: RepoHub) -> None:
    hub.refusal, hub.files = 403, {"old.py": b""}
    with pytest.raises(OSError, match=r"the Hub refuses to deploy to me/hyper: .*403") as caught:
        deploy(api(hub), "me/hyper", FILES)
    assert "\n" not in str(caught.value)
    assert hub.files == {"old.py": b""}


def test_a_hub_that_is_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with serve() as gone:
        pass
    with pytest.raises(OSError, match=r"deploying to me/hyper failed .*try again"):
        deploy(api(gone), "me/hyper", FILES)


@pytest.mark.parametrize("name", ["hyper", "me/hyper/x", "me/hy per", "", "../hyper", "me/"])
def test_what_names_no_space_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="OWNER/NAME"):
        check_space(name)
