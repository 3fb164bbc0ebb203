"""A visitor sweeps models over steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, expect

PATIENCE_MS = 120_000
expect.set_options(timeout=PATIENCE_MS)
PROMPT = "#hs-sweep-prompt textarea, #hs-sweep-prompt input"
SEED = "#hs-sweep-seed textarea, #hs-sweep-seed input"
DONE = ".hs-sweep[aria-busy=false]"


def visit(page: Page, url: str) -> None:
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url + "?tab=sweep")
    expect(page.locator(".hs-pill.ready")).to_be_visible()
    expect(page.locator("#hs-sweep-run")).to_be_visible()


def only(page: Page, models: tuple[str, ...], steps: tuple[str, ...]) -> None:
    """Tick these models and steps, and no other."""
    for group, wanted in (("Models", models), ("Steps", steps)):
        field = page.locator("fieldset").filter(has_text=group).filter(visible=True).last
        for box in field.locator("label").all():
            box.locator("input").set_checked(box.inner_text().strip() in wanted)


def test_a_sweep_fills_its_cells_is_sorted_and_downloaded(browser: Browser, url: str, tmp_path: Path) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 900})
    visit(page, url)
    only(page, ("Hyper-SD", "Turbo"), ("1", "2"))
    page.fill(SEED, "3")
    page.press(SEED, "Enter")
    expect(page.locator(f"{DONE} .hs-open")).to_have_count(4)
    cells = page.locator(f"{DONE} td:has(.hs-open) p").all_inner_texts()
    assert all(" s, " in cell and "call" in cell for cell in cells)
    expect(page.locator(DONE)).to_contain_text("Marked: the fewest steps")
    page.get_by_label("Fastest first").click()
    expect(page.locator(f"{DONE} .hs-open")).to_have_count(4)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator(f"{DONE} .hs-open").first.click()
    expect(page.locator(".hs-lightbox figcaption")).to_contain_text("step")
    page.keyboard.press("Escape")
    with page.expect_download() as download:
        page.click("#hs-sweep-download")
    download.value.save_as(tmp_path / "sweep.png")
    with Image.open(tmp_path / "sweep.png") as picture:
        record = json.loads(picture.text["hypersd"])
    assert (record["seed"], len(record["runs"]), len(record["sweep"]["cells"])) == (3, 4, 4)
    page.close()


def test_escape_stops_and_keeps_what_is_drawn_and_bad_input_is_answered_in_one_sentence(watched: Any) -> None:
    page = watched.page
    visit(page, watched.url)
    page.click("#hs-sweep-run")
    expect(page.locator(".hs-sweep .hs-open").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#hs-sweep-message")).to_contain_text("Stopped")
    expect(page.locator("#hs-sweep-run")).to_be_visible()
    assert page.locator(f"{DONE} .hs-open").count() >= 1
    page.fill(PROMPT, "")
    page.click("#hs-sweep-run")
    expect(page.get_by_role("alert")).to_contain_text("prompt is empty")
    page.fill(PROMPT, "a cat")
    page.fill(SEED, "x")
    page.click("#hs-sweep-run")
    expect(page.get_by_role("alert")).to_contain_text("whole number")
    page.fill(SEED, "1")
    only(page, (), ("1",))
    page.click("#hs-sweep-run")
    expect(page.get_by_role("alert")).to_contain_text("No model is chosen")
