"""The Compare tab's handlers, on a tiny random family."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest

from app.pages.compare.compare_tab import CompareHandlers
from app.pages.compare.layout import layout
from app.services.engines import EngineManager, Job
from app.services.settings import AppSettings
from hypersd.sampling.request import Request, Run


@pytest.fixture(scope="module")
def handlers(emoji_folder: Path) -> Iterator[CompareHandlers]:
    engines = EngineManager(AppSettings(emoji=emoji_folder).families(), "emoji")
    with gr.Blocks(analytics_enabled=False):
        yield CompareHandlers(engines, layout(engines, gr.HTML()))


def test_what_was_said_ahead_stays_beside_what_is_known_later(handlers: CompareHandlers) -> None:
    prompt = "a big cat on a blue background"  # more letters than this family reads
    request = Request(prompt=prompt, seed=1, family="emoji", runs=(Run(model="hyper", steps=1),))
    handlers.engines.wake()
    updates = handlers.draw(Job(request, ahead="This takes about 3 minutes on the CPU.", previews=False))
    messages = [str(update[handlers.parts.message]) for update in updates if handlers.parts.message in update]
    assert len(messages) == 2, "with the picture, and at the end"
    for message in messages:
        assert message.count("This takes about 3 minutes on the CPU.") == 1
        assert "not read" in message
