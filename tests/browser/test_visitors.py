"""Several tabs of one visitor, and several visitors, at once."""

from __future__ import annotations

import json
import urllib.request

from playwright.sync_api import Browser, Page, expect

PATIENCE_MS = 120_000
expect.set_options(timeout=PATIENCE_MS)
PICTURES = ".hs-board[aria-busy=false] .hs-card .hs-open img"


def pictures(page: Page, count: int) -> set[str]:
    expect(page.locator(PICTURES)).to_have_count(count)
    return set(page.locator(PICTURES).evaluate_all("all => all.map(image => image.src)"))


def test_three_tabs_of_one_visitor_do_not_hang_one_another(browser: Browser, url: str) -> None:
    """A browser opens six connections to a server at most, and each tab keeps one for as long as it is open."""
    visitor = browser.new_context()
    tabs = [visitor.new_page() for _ in range(4)]
    for tab in tabs:
        tab.set_default_timeout(PATIENCE_MS)
    for number, tab in enumerate(tabs[:3]):
        tab.goto(f"{url}?prompt=a+cat&seed={number}&models=hyper:1")
    shown = [pictures(tab, 1) for tab in tabs[:3]]
    assert len(set[str]().union(*shown)) == 3, "each tab has its own picture"
    tabs[3].goto(f"{url}?tab=arena")  # a fourth one votes while the others are open
    expect(tabs[3].locator(".hs-arena-prompt")).to_contain_text("“")
    tabs[0].goto(f"{url}?prompt=a+dog&seed=0&models=hyper:1")
    assert not pictures(tabs[0], 1) & shown[0]
    visitor.close()


def test_two_visitors_never_see_each_other_s_pictures(browser: Browser, url: str) -> None:
    visitors = [browser.new_context() for _ in range(2)]
    ann, ben = (visitor.new_page() for visitor in visitors)
    for page, prompt in ((ann, "a+red+cat"), (ben, "a+blue+dog")):
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{url}?prompt={prompt}&seed=1&models=hyper:1,turbo:1")
    hers, his = pictures(ann, 2), pictures(ben, 2)
    assert not hers & his
    for page, own, other in ((ann, "red cat", "blue dog"), (ben, "blue dog", "red cat")):
        text = page.content()
        assert own in text
        assert other not in text
    ben.goto(url)  # a plain visit shows nobody's pictures
    expect(ben.locator(".hs-pill.ready")).to_be_visible()
    assert ben.locator(PICTURES).count() == 0
    config = urllib.request.urlopen(f"{url}config").read().decode()
    assert "red cat" not in json.dumps(json.loads(config))
    for visitor in visitors:
        visitor.close()
