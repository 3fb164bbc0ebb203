"""A visitor looks at several pictures at once."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

PATIENCE_MS = 120_000
expect.set_options(timeout=PATIENCE_MS)
PANES = ".hs-together figure"


def scale(page: Page) -> list[str]:
    return page.locator(f"{PANES} img").evaluate_all("all => all.map(image => getComputedStyle(image).transform)")


@pytest.mark.parametrize("width", [1280, 390])
def test_four_at_once_zoom_together_and_stand_alone_while_a_key_is_held(browser: Browser, url: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 844})
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url + "?prompt=a+cat&seed=1&models=hyper:1,turbo:1,lightning:1,base:1&count=2")
    expect(page.locator(".hs-board[aria-busy=false] .hs-card .hs-open")).to_have_count(8)
    page.click(".hs-look-together")
    expect(page.locator(PANES)).to_have_count(4)
    page.keyboard.press("+")
    assert scale(page) == ["matrix(1.5, 0, 0, 1.5, 0, 0)"] * 4
    assert page.locator(".hs-together").evaluate("box => box.getBoundingClientRect().width") <= width
    page.keyboard.down("2")
    expect(page.locator(f"{PANES}:visible")).to_have_count(1)
    second = page.locator(f"{PANES}:visible figcaption").inner_text()
    page.keyboard.down("3")
    assert page.locator(f"{PANES}:visible figcaption").inner_text() != second
    page.keyboard.up("3")
    assert page.locator(f"{PANES}:visible figcaption").inner_text() == second
    page.keyboard.up("2")
    expect(page.locator(f"{PANES}:visible")).to_have_count(4)
    page.keyboard.press("Escape")
    expect(page.locator(".hs-together")).to_be_hidden()
    picks = page.locator(".hs-pick input")
    for index in (5, 1, 2, 3):
        picks.nth(index).check()
    picks.nth(0).click()
    assert picks.nth(0).is_checked() is False, "a fifth is not taken"
    picks.nth(2).uncheck()
    picks.nth(3).uncheck()
    page.keyboard.press("c")
    expect(page.locator(PANES)).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()
