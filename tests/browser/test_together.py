"""A visitor looks at several pictures at once."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

PATIENCE_MS = 120_000
expect.set_options(timeout=PATIENCE_MS)
BOX, PANES = ".hs-together", ".hs-together figure"


def transform(page: Page) -> tuple[float, float, float]:
    """Scale and shift of all pictures, which have to agree."""
    matrices = page.locator(f"{PANES} img").evaluate_all(
        "all => all.map(image => new DOMMatrix(getComputedStyle(image).transform)).map(({a, e, f}) => [a, e, f])"
    )
    for matrix in matrices:
        assert matrix == pytest.approx(matrices[0], abs=0.1), "panes differ by parts of a pixel"
    return matrices[0][0], matrices[0][1], matrices[0][2]


def test_four_at_once_zoom_and_move_together_and_stand_alone_while_a_key_is_held(browser: Browser, url: str) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url + "?prompt=a+cat&seed=1&models=hyper:1,turbo:1,lightning:1&count=2")
    expect(page.locator(".hs-board[aria-busy=false] .hs-card .hs-open")).to_have_count(6)
    page.locator(".hs-look-together").click()
    expect(page.locator(PANES)).to_have_count(4)
    assert page.locator(BOX).evaluate("box => box.getBoundingClientRect().width") <= 390

    frame = page.locator(f"{PANES} > div").nth(1).bounding_box()
    assert frame is not None
    middle = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    page.mouse.move(*middle)
    page.mouse.wheel(0, -300)
    expect(page.locator(f"{PANES} img").first).not_to_have_css("transform", "matrix(1, 0, 0, 1, 0, 0)")
    wheeled, *_ = transform(page)
    page.keyboard.press("+")
    zoomed = transform(page)
    assert 1 < wheeled < zoomed[0]
    page.mouse.down()
    page.mouse.move(middle[0] + 30, middle[1] + 20, steps=4)
    page.mouse.up()
    assert transform(page) == pytest.approx((zoomed[0], zoomed[1] + 30, zoomed[2] + 20), abs=0.5)
    page.keyboard.press("ArrowRight")
    assert transform(page)[1] < zoomed[1] + 29

    page.keyboard.down("2")
    expect(page.locator(f"{PANES}:visible")).to_have_count(1)
    second = page.locator(f"{PANES}:visible figcaption").inner_text()
    page.keyboard.down("3")
    assert page.locator(f"{PANES}:visible figcaption").inner_text() != second
    page.keyboard.up("3")
    assert page.locator(f"{PANES}:visible figcaption").inner_text() == second
    page.keyboard.up("2")
    expect(page.locator(f"{PANES}:visible")).to_have_count(4)
    page.get_by_role("button", name="Hold to see").first.hover()
    page.mouse.down()
    expect(page.locator(f"{PANES}:visible")).to_have_count(1)
    page.wait_for_timeout(200)
    expect(page.locator(f"{PANES}:visible")).to_have_count(1)
    page.mouse.up()
    expect(page.locator(f"{PANES}:visible")).to_have_count(4)
    page.keyboard.press("Escape")
    expect(page.locator(BOX)).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()


def test_those_that_are_picked_and_no_fifth(browser: Browser, url: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 844}, has_touch=True)
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url + "?prompt=a+cat&seed=1&models=hyper:1,turbo:1,lightning:1&count=2")
    expect(page.locator(".hs-board[aria-busy=false] .hs-card .hs-open")).to_have_count(6)
    picks = page.locator(".hs-pick input")
    for index in (5, 1, 2, 3):
        picks.nth(index).check()
    picks.nth(0).click()
    expect(picks.nth(0)).not_to_be_checked()
    for index in (2, 3):
        picks.nth(index).uncheck()
    page.keyboard.press("c")
    expect(page.locator(PANES)).to_have_count(2)
    captions = page.locator(f"{PANES} figcaption").all_inner_texts()
    cards = page.locator(".hs-card .hs-open").evaluate_all("all => all.map(one => one.dataset.caption)")
    assert captions == [cards[1], cards[5]]

    fingers = page.context.new_cdp_session(page)
    frame = page.locator(f"{PANES} > div").first.bounding_box()
    assert frame is not None
    x, y = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    for kind, apart in (("touchStart", 20), ("touchMove", 40), ("touchMove", 60)):
        points = [{"x": x - apart, "y": y, "id": 0}, {"x": x + apart, "y": y, "id": 1}]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(page.locator(f"{PANES} img").first).not_to_have_css("transform", "matrix(1, 0, 0, 1, 0, 0)")
    assert transform(page)[0] == pytest.approx(3, rel=0.1), "two fingers three times as far apart"
    page.get_by_role("button", name="Close").filter(visible=True).click()
    expect(page.locator(BOX)).to_be_hidden()
    page.close()
