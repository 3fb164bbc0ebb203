"""A visitor reads the results: on a phone, in the dark, by keyboard; and takes them home."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.accessibility import expect_no_barriers
from tests.browser.conftest import PATIENCE_MS, Watched, served

expect.set_options(timeout=PATIENCE_MS)
LOOKING_MS = 500
"""A choice that is made sooner than people can make one does not count."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[str]:
    """A page with two votes that count, and a board of them."""
    with served(tmp_path_factory.mktemp("browser")) as address:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{address}?tab=arena")
        for number in (1, 2):
            expect(page.locator(".hs-choice").first).to_be_enabled()
            page.wait_for_timeout(LOOKING_MS)
            page.keyboard.press("1")
            expect(page.locator(".hs-count")).to_contain_text(f"{number} vote")
        look(page, address)
        expect(page.locator("#hs-report")).to_contain_text("Votes: 2.")
        page.close()
        yield address


def look(page: Page, address: str) -> None:
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{address}?tab=results")
    expect(page.locator(".hs-report").first).to_be_visible()


def narrow(page: Page, filter_: str) -> str:
    """Choose, by keys alone, the first thing that a list offers beside everything; what it is called."""
    box = page.locator(f"#hs-of-{filter_} input")
    box.focus()
    for key in ("ArrowDown", "Enter"):
        page.keyboard.press(key)
    expect(box).not_to_have_value(re.compile("All|全部"))
    return box.input_value()


def no_barrier(page: Page) -> None:
    for part in ("#hs-results-head", "#hs-report"):
        expect_no_barriers(page, part)


def test_a_phone_in_light_and_dark(browser: Browser, url: str) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    look(page, url)
    no_barrier(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    boxes = [part.bounding_box() for part in page.locator("#hs-results-head").locator("input, button").all()]
    assert len(boxes) == 6
    assert all(box and box["x"] >= 0 and box["x"] + box["width"] <= 390 for box in boxes)
    filters = [part.bounding_box() for part in page.locator("#hs-results-head .form > .block").all()]
    rows = sorted({(box["y"], box["y"] + box["height"]) for box in filters if box})
    assert len(rows) > 1
    assert all(below - bottom >= 8 for (_, bottom), (below, _) in pairwise(rows))
    page.locator("#hs-of-steps input").click()
    expect(page.get_by_role("option").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()


def test_by_keyboard_alone_to_a_part_of_the_votes_and_its_file(watched: Watched) -> None:
    page = watched.page
    look(page, watched.url)
    expect(page.locator("#hs-report")).to_contain_text("Votes: 2.")
    steps = narrow(page, "steps")
    expect(page.locator("#hs-report")).to_contain_text(f"with both at {steps} step")
    button = page.get_by_role("button", name="Download as JSON")
    for _ in range(4):
        page.keyboard.press("Tab")
        if button.evaluate("button => button === document.activeElement"):
            break
    expect(button).to_be_focused()
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    file = download.value
    assert file.suggested_filename.startswith(f"results-human-{steps}-step")
    document = json.loads(Path(file.path()).read_text(encoding="utf-8"))
    assert document["view"] == {"kind": "human", "family": "", "steps": int(steps), "prompts": ""}
    page.get_by_role("radio", name="Simulated voters").focus()
    page.keyboard.press("Space")
    expect(page.locator("#hs-report")).to_contain_text("No person voted here")
