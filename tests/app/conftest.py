"""A page over a tiny random family, served once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest

from app.build import launch
from app.services.settings import AppSettings
from hypersd.arena.storage import StorageConfig
from hypersd.models.registry import FAMILIES
from tests.families import SMALL_POOL, emoji_family


@pytest.fixture(scope="session")
def emoji_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page") / "emoji-xl"
    emoji_family(FAMILIES["emoji"], folder)
    return folder


@pytest.fixture(scope="session")
def demo(emoji_folder: Path) -> Iterator[gr.Blocks]:
    """The page, with its MCP server, served on a free port of this machine."""
    served = launch(
        AppSettings(
            drawing="here",
            emoji=emoji_folder,
            storage=StorageConfig(data=emoji_folder.parent / "data"),
            pool=SMALL_POOL,
        ),
        block=False,
        quiet=True,
        server_name="127.0.0.1",
        mcp_server=True,
    )
    yield served
    served.close()
