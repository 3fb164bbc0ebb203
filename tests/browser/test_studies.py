"""A visitor takes part in a declared study, to its end."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.accessibility import expect_no_barriers
from tests.browser.conftest import PATIENCE_MS, Watched, served

expect.set_options(timeout=PATIENCE_MS)
READY = ".hs-stage[aria-busy=false]"
LOOKING_MS = 500
"""A choice that is made sooner than people can make one does not count."""


def declare(folder: Path, name: str, votes: int, rival: str = "emoji/turbo@1", *, ties: bool = False) -> None:
    study = {
        "title": f"The {name} one",
        "prompts": "emoji-v1",
        "votes": votes,
        "ties": ties,
        "comparisons": [{"ours": "emoji/hyper@1", "rival": rival}],
    }
    (folder / f"{name}.json").write_text(json.dumps(study))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A page with studies of its own: one that is soon complete, a long one, one with ties, one that cannot be held."""
    folder = tmp_path_factory.mktemp("studies")
    declare(folder, "short", 2)
    declare(folder, "long", 1600)
    declare(folder, "free", 1600, ties=True)
    declare(folder, "absent", 5, "emoji/perflow@4")
    with served(tmp_path_factory.mktemp("browser"), studies=folder) as address:
        yield address


def ready(page: Page) -> None:
    expect(page.locator(READY)).to_be_visible()
    expect(page.locator(".hs-choice").first).to_be_enabled()
    page.wait_for_timeout(LOOKING_MS)


def test_by_keys_alone_to_the_end_of_a_study_and_back(watched: Watched) -> None:
    page = watched.page
    page.goto(f"{watched.url}?tab=arena")
    ready(page)
    heard: list[str] = []
    page.on("response", lambda answer: heard.append(answer.text()) if "/arena/draw" in answer.url else None)
    page.get_by_role("button", name="The short one").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"tab=arena&study=short"))
    ready(page)
    expect(page.locator(".hs-study")).to_contain_text("0 of 2 votes, 0 of 1 comparisons complete.")
    expect(page.get_by_role("button", name="Tie")).to_be_hidden()
    expect(page.get_by_role("button", name="Both bad")).to_be_hidden()
    assert not [word for text in heard for word in ("hyper", "turbo", "emoji/", "steps") if word in text]
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if "/arena/vote" in request.url else None)
    for key in "09":
        page.keyboard.press(key)
    page.wait_for_timeout(LOOKING_MS)
    assert sent == [], "a forced choice has no such keys"
    done = page.locator(".hs-wait", has_text="Thank you")
    for number in range(1, 30):  # those that turn out to be a check do not count
        page.keyboard.press("1")
        expect(page.locator(".hs-count")).to_contain_text(re.compile(rf"^{number} votes?\b"))
        expect(done.or_(page.locator(".hs-choice[aria-disabled=false]")).first).to_be_visible()
        if done.is_visible():
            break
        ready(page)
    expect(done).to_be_visible()
    expect(page.locator(".hs-study")).to_have_text(re.compile(r"^2 of 2 votes, 1 of 1 comparisons complete\."))
    expect(page.locator(".hs-choices")).to_be_hidden()
    page.reload()
    expect(done).to_be_visible()
    page.get_by_role("button", name="Open arena").click()
    ready(page)
    expect(page).to_have_url(re.compile(r"tab=arena$"))
    expect(page.get_by_role("button", name="Tie")).to_be_visible()


def test_a_study_keeps_its_own_pair_while_the_visitor_looks_elsewhere(watched: Watched) -> None:
    page = watched.page
    sheet = "half => half.style.backgroundImage"
    page.goto(f"{watched.url}?tab=arena&study=free")
    ready(page)
    expect(page.get_by_role("button", name="The free one")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="Tie")).to_be_visible()
    before = page.locator(".hs-half").first.evaluate(sheet)
    page.get_by_role("button", name="The long one").click()
    ready(page)
    assert page.locator(".hs-half").first.evaluate(sheet) != before
    page.get_by_role("button", name="The free one").click()
    ready(page)
    assert page.locator(".hs-half").first.evaluate(sheet) == before


def test_a_study_that_is_not_offered_says_so_and_the_open_arena_goes_on(watched: Watched) -> None:
    page = watched.page
    page.goto(f"{watched.url}?tab=arena")
    ready(page)  # the models are loaded: it is known what can be drawn
    for name, words in (("nothing", "There is no such study here"), ("absent", "This study cannot run here")):
        page.goto(f"{watched.url}?tab=arena&study={name}")
        expect(page.locator(".hs-said")).to_contain_text(words)
        ready(page)
        expect(page.get_by_role("button", name="Open arena")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".hs-study")).to_contain_text("The absent one: cannot be held here (no such model")
    expect(page.get_by_role("button", name="The absent one")).to_be_hidden()
    watched.complaints.clear()  # Chromium's own, of an answer that says no


def test_a_phone_in_light_and_dark_and_no_barrier(browser: Browser, url: str) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{url}?tab=arena&study=long")
    ready(page)
    page.get_by_role("button", name="Right").click()
    expect(page.locator(".hs-told figcaption")).to_have_count(2)
    ready(page)
    expect(page.locator(".hs-study")).to_contain_text("of 1,600 votes")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    expect_no_barriers(page, "#hs-arena")
    page.goto(f"{url}?tab=results")
    expect(page.locator(".hs-study-rows").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    expect_no_barriers(page, "#hs-report")
    page.close()
