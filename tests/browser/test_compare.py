"""A visitor compares models."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

PROMPT = "#hs-prompt textarea, #hs-prompt input"
SEED = "#hs-seed textarea, #hs-seed input"
PATIENCE_MS = 120_000
expect.set_options(timeout=PATIENCE_MS)


def visit(page: Page, url: str, query: str = "") -> None:
    page.goto(url + query)
    expect(page.locator(".hs-pill.ready")).to_be_visible()


@pytest.fixture(scope="module")
def plain(stayed: Any) -> Page:
    """A page that was asked for without a query, which tests use in turn."""
    visit(stayed.page, stayed.url)
    return stayed.page


def finished(page: Page, count: int) -> None:
    expect(page.locator(".hs-board[aria-busy=false] .hs-card .hs-open")).to_have_count(count)


PREVIEW, OVER = ".hs-frame.preview", ".hs-board[aria-busy=false] .hs-card[data-model=base] .hs-open"
STOPPED = "#hs-message:has-text('Stopped')"
CHANCES = 10
"""Runs in which to meet the base before it has drawn: a browser without a core to itself may come late."""


def caught(page: Page) -> bool:
    """Tell if the base was met while it drew; if not, its run is over."""
    expect(page.locator(f"{PREVIEW}, {OVER}").first).to_be_visible()
    return page.locator(PREVIEW).count() > 0


def again(page: Page) -> None:
    page.press(PROMPT, "Enter")
    expect(page.locator(".hs-board[aria-busy=true]")).to_be_visible()


def test_enter_draws_all_models_cheapest_first(watched: Any) -> None:
    page = watched.page
    visit(page, watched.url)
    page.fill(PROMPT, "a big cat on a blue background")
    page.press(PROMPT, "Enter")
    finished(page, 4)
    models = page.locator(".hs-card").evaluate_all("cards => cards.map(card => card.dataset.model)")
    assert models[-1] == "base"
    numbers = page.locator(".hs-card[data-model=base] dl").inner_text()
    assert re.search(r"25\s+steps\s+50\s+calls\s+\d+\.\d\d\s+seconds", numbers)
    assert page.locator(".hs-badge").filter(has_text="faster").count() == 3
    expect(page.locator("#hs-slider img").first).to_be_visible()


def test_escape_stops_and_the_next_run_works(watched: Any) -> None:
    page = watched.page
    visit(page, watched.url, "?prompt=a+cat&seed=1&models=base:50,turbo:1")
    for _ in range(CHANCES):
        if caught(page):
            page.keyboard.press("Escape")
            expect(page.locator(f"{STOPPED}, {OVER}").first).to_be_visible()
            if page.locator(STOPPED).count():
                break
        again(page)
    expect(page.locator(STOPPED)).to_be_visible()
    finished(page, 1)
    again(page)
    page.keyboard.press("Escape")
    expect(page.locator("#hs-run")).to_be_visible()


def test_a_page_that_is_left_in_a_run_opens_again_without_a_complaint(watched: Any) -> None:
    page = watched.page
    visit(page, watched.url, "?prompt=a+cat&seed=1&models=base:50")
    for _ in range(CHANCES):
        if caught(page):
            break
        again(page)
    else:
        pytest.fail("every run was over before it was met")
    visit(page, watched.url, "?prompt=a+cat&seed=1&models=turbo:1")
    finished(page, 1)


def test_a_permalink_restores_the_run_its_full_size_and_its_grid(watched: Any, tmp_path: Path) -> None:
    page = watched.page
    query = "?prompt=a+small+dog&seed=42&family=emoji&models=hyper:2,turbo:1"
    visit(page, watched.url, query)
    finished(page, 2)
    expect(page.locator(PROMPT)).to_have_value("a small dog")
    expect(page.locator(SEED)).to_have_value("42")
    assert page.get_by_label("Base", exact=True).is_checked() is False
    expect(page.locator(".hs-link")).to_have_attribute("href", query)
    first = page.locator(".hs-open img").first.get_attribute("src")
    visit(page, watched.url, query)
    finished(page, 2)
    assert page.locator(".hs-open img").first.get_attribute("src") == first
    page.locator(".hs-open").first.click()
    expect(page.locator(".hs-lightbox figcaption")).to_contain_text("Turbo, 1 step")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".hs-lightbox figcaption")).to_contain_text("Hyper-SD, 2 steps")
    page.keyboard.press("Escape")
    expect(page.locator(".hs-lightbox")).to_be_hidden()
    with page.expect_download() as download:
        page.click("#hs-download")
    download.value.save_as(tmp_path / "grid.png")
    assert download.value.suggested_filename == "a-small-dog-seed-42.png"
    width, height = Image.open(tmp_path / "grid.png").size
    assert width > height > 200


def test_sampling_parameters_are_drawn_and_a_refused_one_says_why(browser: Browser, url: str) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    visit(page, url, "?prompt=a+cat&seed=7&family=emoji&models=base:2,turbo:1&negative_prompt=dog&size=160x128&count=2")
    finished(page, 4)
    message = page.locator("#hs-message")
    expect(message).to_contain_text("Not applied: turbo at 1 step follows no negative prompt")
    expect(message).to_contain_text("At 160x128 pixels a model that was made for 128x128")
    names = page.locator(".hs-card h3").all_inner_texts()
    assert names == ["Turbo, seed 7", "Turbo, seed 8", "Base, seed 7", "Base, seed 8"]
    assert page.locator(".hs-open img").first.evaluate("one => [one.naturalWidth, one.naturalHeight]") == [160, 128]
    expect(page.get_by_role("textbox", name="Size")).to_have_value("160x128")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("textbox", name="Eta").fill("lots")
    page.click("#hs-run")
    expect(page.get_by_role("alert")).to_contain_text("Expected a number such as 0.8, not 'lots'")
    page.get_by_role("textbox", name="Eta").fill("0.5")
    page.click("#hs-run")
    expect(page.get_by_role("alert")).to_contain_text("takes no eta")
    page.close()


def test_a_broken_link_is_answered_in_one_sentence(watched: Any) -> None:
    visit(watched.page, watched.url, "?prompt=a+cat&models=dalle:4")
    expect(watched.page.get_by_role("alert")).to_contain_text("dalle")


def test_an_unknown_word_is_named(watched: Any) -> None:
    visit(watched.page, watched.url, "?prompt=a+big+dragon&seed=1&models=turbo:1")
    expect(watched.page.locator("#hs-message")).to_contain_text("dragon")


def test_a_phone_in_the_dark(browser: Browser, url: str) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme="dark")
    page.set_default_timeout(PATIENCE_MS)
    visit(page, url, "?prompt=a+cat&seed=1&models=hyper:2,turbo:1")
    finished(page, 2)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("document.body.classList.contains('dark')")
    page.close()


def test_what_is_in_use_is_always_in_sight(plain: Page) -> None:
    page = plain
    page.mouse.wheel(0, 3000)
    for words in ("Emoji XL", "CPU, float32", "re-implementations at toy scale, not the published weights"):
        expect(page.locator(".hs-status")).to_contain_text(words)
    expect(page.locator(".hs-status")).to_be_in_viewport()
    page.mouse.wheel(0, -3000)


def test_bad_input_is_answered_in_one_sentence(plain: Page) -> None:
    page = plain
    long = "x" * 10_000
    for prompt, seed, words in (
        ("", "7", "prompt is empty"),
        (long, "7", "10000 characters"),
        ("a", "b", "whole number"),
    ):
        page.fill(PROMPT, prompt)
        page.fill(SEED, seed)
        page.click("#hs-run")
        expect(page.get_by_role("alert").filter(has_text=words)).to_be_visible()
        expect(page.locator("#hs-run")).to_be_visible()


def test_the_dice_rolls(plain: Page) -> None:
    page = plain
    page.fill(SEED, "7")
    page.click("#hs-dice")
    expect(page.locator(SEED)).not_to_have_value("7")
    assert 0 <= int(page.locator(SEED).input_value()) < 2**32


def test_unavailable_models_say_why(plain: Page) -> None:
    page = plain
    page.get_by_text("SDXL", exact=True).click()
    reason = re.compile("GB of (free|GPU) memory|not downloaded and no network")  # as much as this machine has
    expect(page.locator(".hs-note.unavailable:visible").first).to_contain_text(reason)
