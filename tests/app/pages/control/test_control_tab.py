"""The Control tab's handlers, on a tiny random family."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from PIL import Image, ImageDraw

from app.pages.control.canvas import SIDE
from app.pages.control.control_layout import control_layout
from app.pages.control.control_tab import ControlHandlers
from app.pages.control.control_view import ControlShown
from app.services.draw_job import Job
from app.services.engines import EngineManager
from app.services.settings import AppSettings
from hypersd.models.control_specs import ControlMode

STEPS = [1, 2, 4, 8]


@pytest.fixture(scope="module")
def handlers(emoji_folder: Path) -> Iterator[ControlHandlers]:
    engines = EngineManager(AppSettings(emoji=emoji_folder).families(), "emoji")
    with gr.Blocks(analytics_enabled=False):
        yield ControlHandlers(engines, control_layout(engines))


def canvas(*, picture: bool = False, blank: bool = False, side: int = SIDE) -> dict[str, Any]:
    """A disc's outline, or a filled disc as a picture, as the canvas sends it."""
    image = Image.new("RGB", (side, side), "white")
    box = (side // 4, side // 4, 3 * side // 4, 3 * side // 4)
    if not blank:
        ImageDraw.Draw(image).ellipse(box, fill="black" if picture else None, outline="black", width=16)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return {"png": "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode(), "picture": picture}


def form(handlers: ControlHandlers, **changed: Any) -> dict[Any, Any]:
    values = {"canvas": canvas(), "mode": "scribble", "family": "emoji", "base": "", "prompt": "a cat", "seed": "7"}
    values |= {"scale": 1.0, "eta": "", "job": None, "shown": None, **changed}
    return {getattr(handlers.parts, name): value for name, value in values.items()}


def begun(handlers: ControlHandlers, **changed: Any) -> tuple[Job, ControlShown]:
    updates = handlers.begin(form(handlers, **changed))
    return updates[handlers.parts.job], updates[handlers.parts.shown]


def boards(handlers: ControlHandlers, job: Job, shown: ControlShown) -> list[str]:
    """The boards that a job's drawing shows, one after another."""
    handlers.engines.wake()
    updates = list(handlers.draw(job, shown))
    return [str(each[handlers.parts.board]) for each in updates if handlers.parts.board in each]


def test_a_drawing_is_inverted_and_followed_as_it_is(handlers: ControlHandlers) -> None:
    job, _ = begun(handlers)
    control = job.request.control
    assert control is not None
    assert (control.mode, control.scale, [run.steps for run in job.request.runs]) == (ControlMode.SCRIBBLE, 1.0, STEPS)
    side = handlers.engines.family("emoji").pixels
    assert control.image.size == (side, side)
    assert control.image.getpixel((0, 0)) == (0, 0, 0)
    assert control.image.getpixel((side // 4 + 1, side // 2)) == (255, 255, 255)
    assert not job.previews
    styled, _ = begun(handlers, base="noto")
    assert (styled.request.base, len(styled.family.styles)) == ("noto", 1)
    forged = handlers.begin(form(handlers, base="../../etc/passwd"))
    assert "choose from: noto" in str(forged[handlers.parts.message])


@pytest.mark.parametrize("mode", list(ControlMode))
def test_of_a_picture_the_lines_are_looked_for(handlers: ControlHandlers, mode: ControlMode) -> None:
    job, _ = begun(handlers, canvas=canvas(picture=True), mode=mode.value)
    control = job.request.control
    assert control is not None
    side = control.image.width
    assert control.mode is mode
    assert control.image.getpixel((side // 2, side // 2)) == (0, 0, 0), "the inside of the disc"
    assert control.image.convert("L").getextrema() == (0, 255)


def test_the_row_fills_and_each_picture_carries_its_recipe(handlers: ControlHandlers) -> None:
    job, shown = begun(handlers, scale=0.5, eta="0.3")
    drawn = boards(handlers, job, shown)
    assert [board.count("hs-open") for board in drawn] == [1, 2, 3, 4, 4]
    assert 'aria-busy="true"' in drawn[3]
    assert 'aria-busy="false"' in drawn[4]
    assert "Stopped" not in drawn[4]
    last = re.findall(r'hs-open".*?src="data:image/png;base64,([^"]+)"', drawn[-1])[-1]
    with Image.open(io.BytesIO(base64.b64decode(last))) as picture:
        record = json.loads(picture.info["hypersd"])
    assert (record["control"]["mode"], record["control"]["scale"]) == ("scribble", 0.5)
    assert record["steps"] == 8


def test_the_latest_request_wins(handlers: ControlHandlers) -> None:
    first, shown = begun(handlers)
    latest, _ = begun(handlers, job=first, seed="8")
    assert first.cancelled.is_set()
    assert boards(handlers, first, shown) == []
    assert latest.request.seed == 8
    assert not latest.cancelled.is_set()


def test_a_row_that_is_overtaken_while_it_is_drawn_shows_no_more(handlers: ControlHandlers) -> None:
    handlers.engines.wake()
    job, shown = begun(handlers)
    updates = handlers.draw(job, shown)
    assert handlers.parts.board in next(updates)
    begun(handlers, job=job)
    assert [each for each in updates if handlers.parts.board in each] == []


def test_pictures_of_the_lines_before_stay_until_new_ones_come(handlers: ControlHandlers) -> None:
    job, shown = begun(handlers)
    handlers.engines.wake()
    before = next(each[handlers.parts.shown] for each in handlers.draw(job, shown) if handlers.parts.shown in each)
    again = handlers.begin(form(handlers, shown=before))
    assert str(again[handlers.parts.board]).count('class="stale"') == 1
    other = handlers.begin(form(handlers, shown=before, prompt="a dog"))
    assert "hs-open" not in str(other[handlers.parts.board])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"canvas": None}, "The canvas is empty; draw on it"),
        ({"canvas": canvas(blank=True)}, "Nothing on the canvas has lines to follow"),
        ({"canvas": canvas(blank=True, picture=True)}, "Nothing on the canvas has lines to follow"),
        ({"canvas": "draw"}, "The canvas must come as a PNG"),
        ({"canvas": canvas(side=64)}, "The canvas must come as a PNG"),
        ({"family": "sd21"}, "Sd21 has no ControlNet for scribble; nor for anything else; choose another family."),
        ({"family": "sdxl"}, "Sdxl has no ControlNet for scribble; choose from: canny."),
        ({"prompt": ""}, "The prompt is empty"),
        ({"seed": "x"}, "A seed is a whole number"),
        ({"scale": "lots"}, "Expected a number such as 0.8"),
        ({"scale": None}, "Expected a number such as 0.8"),
        ({"scale": 9}, "The conditioning scale must be a number from 0 to 2"),
        ({"eta": "2"}, "Eta must be a number from 0 to 1"),
    ],
)
def test_bad_input_is_answered_in_one_sentence(handlers: ControlHandlers, changed: dict[str, Any], words: str) -> None:
    updates = handlers.begin(form(handlers, **changed))
    message = str(updates[handlers.parts.message])
    assert words in message
    assert updates[handlers.parts.job] is None
    assert handlers.parts.board not in updates, "what was drawn stays"


def test_what_cannot_run_here_is_said_when_a_family_is_chosen(handlers: ControlHandlers) -> None:
    handlers.engines.wake()
    job, shown = begun(handlers)
    boards(handlers, job, shown)  # by now the machine is known
    updates = handlers.show_family("sd21", "canny", job)
    assert "Sd21 has no ControlNet for canny" in str(updates[handlers.parts.message])
    assert job.superseded.is_set()
    assert handlers.show_family("sdxl", "canny", None)[handlers.parts.scale] == 0.5
    assert handlers.show_family("emoji", "canny", None)[handlers.parts.message] == ""


def test_stop_and_an_empty_canvas_end_the_job(handlers: ControlHandlers) -> None:
    waiting, _ = begun(handlers)
    assert handlers.stop(waiting)[handlers.parts.job] is None
    assert waiting.cancelled.is_set()
    job, shown = begun(handlers)
    handlers.engines.wake()
    updates = handlers.draw(job, shown)
    next(updates)
    handlers.stop(job)
    last = [str(each[handlers.parts.board]) for each in updates if handlers.parts.board in each][-1]
    assert "Stopped before its turn" in last
    other, _ = begun(handlers)
    assert "Draw on the canvas" in handlers.clear(other)[handlers.parts.board]
    assert other.superseded.is_set()
