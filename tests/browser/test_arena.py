"""A visitor votes, without knowing on what."""

from __future__ import annotations

import base64
import io
import json
import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, Request, Response, Route, expect

from hypersd.models.registry import FAMILIES
from tests.browser.accessibility import expect_no_barriers

PATIENCE_MS = 120_000
expect.set_options(timeout=PATIENCE_MS)
READY = ".hs-stage[aria-busy=false]"
LOOKING_MS = 400
"""Longer than the least time to decide of which a test asks."""

TOO_MUCH = "That was many votes in a short time."


def enter(page: Page, url: str) -> None:
    page.goto(f"{url}?tab=arena")
    expect(page.locator(READY)).to_be_visible()
    expect(page.locator(".hs-choice").first).to_be_enabled()


@pytest.fixture(scope="module")
def voter(stayed: Any) -> Any:
    """The arena's page of one visitor, on which tests vote in turn."""
    enter(stayed.page, stayed.url)
    return stayed


def count(page: Page) -> int:
    """Votes that the visitor has given; 0 before the first."""
    number = re.match(r"\d+", page.locator(".hs-count").inner_text())
    return int(number[0]) if number else 0


def read(answer: Response) -> str:
    """Read a response: its headers, and its text if it is one that ends."""
    kind = answer.headers.get("content-type", "")
    wanted = kind.startswith(("application/json", "text/html", "text/plain"))
    return json.dumps(answer.headers) + (answer.text() if wanted and answer.ok else "")


def sheet(page: Page) -> str:
    """The picture that is on the stage, as the page has it."""
    return page.locator(".hs-half").first.evaluate("half => half.style.backgroundImage")


def test_a_vote_also_says_that_the_next_pair_is_shown(watched: Any) -> None:
    page = watched.page
    asked: list[tuple[str, dict[str, Any]]] = []

    def listen(request: Request) -> None:
        if request.url.endswith(("/arena/vote", "/arena/show")):
            asked.append((request.url.rsplit("/", 1)[1], request.post_data_json))

    page.on("request", listen)
    enter(page, watched.url)
    votes = 0
    while not (together := [words["shown"] for route, words in asked if route == "vote" and "shown" in words]):
        expect(page.locator(".hs-choice").first).to_be_enabled()
        page.wait_for_timeout(300)  # the next pair comes meanwhile, unless none is drawn yet: then the vote goes alone
        page.keyboard.press("1")
        votes += 1
        expect(page.locator(".hs-count")).to_contain_text(re.compile(rf"^{votes} votes?\b"))
    expect(page.locator(".hs-choice").first).to_be_enabled()
    assert not [words for route, words in asked if route == "show" and words["battle"] in together]


def test_nothing_tells_the_sides_apart_before_the_vote(watched: Any) -> None:
    page = watched.page
    family = FAMILIES["emoji"]
    secrets = [f"{spec.name}@{recipe.steps}" for spec in family.specs for recipe in spec.recipes]
    secrets += ["contestant", "emoji/", "seconds_", '"seed"', '"steps"', '"calls"']
    answers: list[Response] = []

    def listen(answer: Response) -> None:
        answers.append(answer)

    page.on("response", listen)
    enter(page, watched.url)
    page.wait_for_timeout(500)
    received = [read(answer) for answer in answers]
    heard = [text for answer, text in zip(answers, received, strict=True) if "/arena/" in answer.url]
    assert any("sheet" in text for text in heard)
    arena = page.locator("#hs-arena").inner_html()
    for text in [*heard, arena, page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")]:
        words = re.sub(r"data:image/webp;base64,[A-Za-z0-9+/=]+|data-texts=\"[^\"]*\"", "", text)
        assert not [secret for secret in secrets if secret in words]
        assert not [spec.title for spec in family.specs if re.search(rf"\b{spec.title}\b", words)]
    shown = sheet(page)
    assert page.locator(".hs-half").nth(1).evaluate("half => half.style.backgroundImage") == shown, "one file for both"
    picture = Image.open(io.BytesIO(base64.b64decode(shown.split(",", 1)[1].rstrip('")'))))
    assert picture.width == 2 * picture.height
    assert set(picture.info) <= {"loop", "background", "timestamp", "duration"}
    with page.expect_response("**/arena/vote") as voted:
        page.keyboard.press("1")
    reply = voted.value.json()
    for secret in (reply["seed"], reply["left"]["seconds"], reply["right"]["seconds"]):
        assert not [text for text in received if str(secret) in text], "told with the vote, never before"
    expect(page.locator(".hs-told figcaption").first).to_contain_text("step")


def test_buttons_count_once_and_the_second_question_is_asked_after(watched: Any) -> None:
    page = watched.page
    enter(page, watched.url)
    page.get_by_role("button", name="Left").dblclick()
    expect(page.locator(".hs-told figcaption")).to_have_count(2)
    expect(page.locator(".hs-count")).to_contain_text("1 vote so far")
    votes = 1
    while "This one was a check" in page.locator(".hs-told").inner_text():  # one in some twenty: ask on the next
        expect(page.locator(".hs-choice").first).to_be_enabled()
        page.get_by_role("button", name="Left").click()
        votes += 1
        expect(page.locator(".hs-count")).to_contain_text(f"{votes} votes so far")
    page.locator(".hs-second button").last.click()
    expect(page.locator(".hs-second")).to_have_text("Noted.")


def test_who_clicked_on_the_tab_votes_with_the_next_key(watched: Any) -> None:
    page = watched.page
    page.goto(watched.url)
    page.get_by_role("tab", name="Arena").click()
    expect(page.locator(READY)).to_be_visible()
    expect(page.locator(".hs-choice").first).to_be_enabled()
    with page.expect_response("**/arena/vote"):
        page.keyboard.press("1")
    expect(page.locator(".hs-told figcaption").first).to_contain_text("step")


def test_a_server_that_is_away_is_a_sentence_and_no_vote_is_lost(watched: Any) -> None:
    page = watched.page
    # Before the page is loaded: Chromium lets through what is sent in the moment in which a door is first closed.
    page.route("**/arena/vote", lambda route: route.abort())
    enter(page, watched.url)
    page.keyboard.press("1")
    expect(page.locator(".hs-said")).to_contain_text("Your vote was not taken")
    page.unroute("**/arena/vote")
    expect(page.locator(".hs-choice").first).to_be_enabled()
    page.keyboard.press("1")
    expect(page.locator(".hs-count")).to_contain_text("1 vote so far")
    expect(page.locator(".hs-said")).to_be_empty()
    watched.complaints.clear()  # Chromium's own, of the request that was broken off on purpose


def refuse(page: Page, door: str, seconds: int) -> list[str]:
    """Let a door say that it is too much, and to come again after so many seconds; what it was asked is listed.

    Before the page is loaded, as above.
    """
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=429, json={"error": TOO_MUCH}, headers={"retry-after": f"{seconds}"})

    page.route(f"**/arena/{door}", answer)
    return asked


def test_who_has_to_wait_reads_why_and_votes_on_the_same_pair_later(watched: Any) -> None:
    page = watched.page
    page.clock.install()
    asked = refuse(page, "vote", 60)
    enter(page, watched.url)
    before = sheet(page)
    page.keyboard.press("1")
    expect(page.locator(".hs-said")).to_have_text(TOO_MUCH)
    page.clock.run_for(50_000)
    page.keyboard.press("1")
    expect(page.locator(".hs-choice").first).to_be_disabled()
    expect(page.locator(".hs-said")).to_have_text(TOO_MUCH)
    assert len(asked) == 1, "who has to rest does not ask in vain"
    page.unroute("**/arena/vote")
    page.clock.run_for(15_000)
    expect(page.locator(".hs-choice").first).to_be_enabled()
    expect(page.locator(".hs-said")).to_be_empty()
    assert sheet(page) == before
    page.keyboard.press("1")
    expect(page.locator(".hs-count")).to_contain_text("1 vote so far")
    watched.complaints.clear()  # Chromium's own, of an answer that says no


def test_a_day_s_rest_is_asked_about_again_before_the_day_is_over(watched: Any) -> None:
    page = watched.page
    page.clock.install()
    refuse(page, "vote", 86_400)
    enter(page, watched.url)
    page.keyboard.press("1")
    expect(page.locator(".hs-said")).to_have_text(TOO_MUCH)
    page.clock.run_for(11 * 60_000)
    expect(page.locator(".hs-choice").first).to_be_enabled()
    expect(page.locator(".hs-said")).to_be_empty()
    watched.complaints.clear()  # as above


def test_who_is_given_no_pair_for_now_gets_one_when_the_rest_is_over(watched: Any) -> None:
    page = watched.page
    page.clock.install()
    asked = refuse(page, "draw", 60)
    page.goto(f"{watched.url}?tab=arena")
    expect(page.locator(".hs-said")).to_have_text(TOO_MUCH)
    page.clock.run_for(50_000)
    assert len(asked) == 1, "the page waits as long as it was told to"
    page.unroute("**/arena/draw")
    page.clock.run_for(15_000)
    expect(page.locator(READY)).to_be_visible()
    expect(page.locator(".hs-said")).to_be_empty()
    watched.complaints.clear()  # as above


@pytest.mark.parametrize("tab", ["arena", "results"])
def test_a_phone_in_light_and_dark_and_no_barrier(browser: Browser, url: str, tab: str) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{url}?tab={tab}")
    expect(page.locator(READY if tab == "arena" else ".hs-report")).to_be_visible()
    if tab == "arena":
        page.get_by_role("button", name="Left").click()
        expect(page.locator(".hs-told figcaption")).to_have_count(2)
        expect(page.locator(".hs-choice").first).to_be_enabled()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    expect_no_barriers(page, "#hs-arena" if tab == "arena" else "#hs-report")
    page.close()


def test_results_are_narrowed_by_steps_and_say_so(browser: Browser, url: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE_MS)
    enter(page, url)
    page.get_by_role("button", name="Left").click()
    expect(page.locator(".hs-told figcaption")).to_have_count(2)
    page.goto(f"{url}?tab=results")
    expect(page.locator(".hs-report").first).to_be_visible()
    steps = page.locator("#hs-of-steps input")
    expect(steps).to_have_value("All")
    steps.click()
    option = page.get_by_role("option").nth(1)
    wanted = (option.get_attribute("aria-label") or option.inner_text()).strip()
    option.click()
    expect(page.locator("#hs-report")).to_contain_text(f"with both at {wanted} step")
    violations = Axe().run(page, context="#hs-results-head")
    assert violations.violations_count == 0, violations.generate_report()
    page.close()


def receipt_in(text: str) -> str:
    value = re.search(r"[0-9a-f]{32}", text)
    assert value
    return value[0]


def test_the_last_vote_is_taken_back_by_key_and_its_receipt_says_so(browser: Browser, url: str) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.set_default_timeout(PATIENCE_MS)
    enter(page, url)
    page.keyboard.press("1")
    expect(page.locator(".hs-told figcaption")).to_have_count(2)
    while "This one was a check" in page.locator(".hs-told").inner_text():
        expect(page.locator(".hs-undo")).to_have_count(0)
        expect(page.locator(".hs-choice").first).to_be_enabled()
        before = page.locator(".hs-receipt").inner_text()
        page.keyboard.press("1")
        expect(page.locator(".hs-receipt")).not_to_contain_text(receipt_in(before))
    receipt = receipt_in(page.locator(".hs-receipt").inner_text())
    page.locator(".hs-check").click()
    expect(page.locator(".hs-receipt output")).to_contain_text("This vote is kept, since 20")
    page.keyboard.press("u")
    expect(page.locator(".hs-told-line")).to_contain_text("Taken back")
    expect(page.locator(".hs-undo")).to_have_count(0)
    expect(page.locator(".hs-count")).to_contain_text(re.compile(r"^\d+ votes? so far"))
    page.fill("#hs-receipt", f" {receipt.upper()} ")
    page.locator("#hs-receipt").press("Enter")
    expect(page.locator(".hs-looked-up")).to_contain_text("was taken back")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert Axe().run(page, context="#hs-arena").violations_count == 0
    page.locator(".hs-choice").first.focus()
    page.keyboard.press("2")
    expect(page.locator(".hs-told figure.won")).to_have_count(1)
    page.close()


def test_three_battles_by_keys_alone(voter: Any) -> None:
    page = voter.page
    for number, key in enumerate("120", start=count(page) + 1):
        before = sheet(page)
        page.keyboard.press(key)
        expect(page.locator(".hs-count")).to_contain_text(re.compile(rf"^{number} votes?\b"))
        expect(page.locator(".hs-choice").first).to_be_enabled()
        assert sheet(page) != before, "the next pair is there"
    expect(page.locator(".hs-told")).to_contain_text("You called it a tie")
    expect(page.locator(".hs-told figcaption")).to_have_count(2)
    page.keyboard.press("Space")
    expect(page.locator(".hs-told")).to_contain_text("You skipped")


def test_what_the_browser_measured_is_sent(voter: Any) -> None:
    page = voter.page
    votes = count(page) + 1
    expect(page.locator(".hs-choice").first).to_be_enabled()
    page.wait_for_timeout(LOOKING_MS)
    with page.expect_request("**/arena/vote") as by_key:
        page.keyboard.press("0")
    expect(page.locator(".hs-count")).to_contain_text(re.compile(rf"^{votes} votes?\b"))
    expect(page.locator(".hs-choice").first).to_be_enabled()
    with page.expect_request("**/arena/vote") as by_pointer:
        page.get_by_role("button", name="Tie").click()
    for request, way in ((by_key, "key"), (by_pointer, "pointer")):
        sent = request.value.post_data_json
        assert sent["input"] == way
        assert 300 <= sent["decision_ms"] < PATIENCE_MS


def test_tab_and_enter_vote_and_keep_their_place(voter: Any) -> None:
    page = voter.page
    expect(page.locator(".hs-choice").first).to_be_enabled()
    votes = count(page) + 1
    page.locator(".hs-choice").first.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".hs-count")).to_contain_text(re.compile(rf"^{votes} votes?\b"))
    expect(page.locator(".hs-told figure.won")).to_have_count(1)
    expect(page.get_by_role("button", name="Right")).to_be_focused()


def test_after_a_click_the_space_bar_skips(voter: Any) -> None:
    page = voter.page
    expect(page.locator(".hs-choice").first).to_be_enabled()
    votes = count(page) + 1
    page.get_by_role("button", name="Left").click()
    expect(page.locator(".hs-count")).to_contain_text(re.compile(rf"^{votes} votes?\b"))
    expect(page.locator(".hs-choice").first).to_be_enabled()
    page.keyboard.press("Space")
    expect(page.locator(".hs-told")).to_contain_text("You skipped")


def test_an_own_prompt_is_drawn_and_marked(voter: Any) -> None:
    page = voter.page
    expect(page.locator(".hs-choice").first).to_be_enabled()
    page.fill("#hs-own-prompt", "a <b>big</b> cat")
    page.keyboard.press("Enter")
    expect(page.locator(".hs-arena-prompt")).to_have_text("“a <b>big</b> cat”")
    expect(page.locator(".hs-choice").first).to_be_enabled()
    page.get_by_role("button", name="Both bad").click()
    expect(page.locator(".hs-told")).to_contain_text("not on the public board")
    page.fill("#hs-own-prompt", " ")
    page.keyboard.press("Enter")
    expect(page.locator(".hs-said")).to_contain_text("The prompt is empty")
    voter.complaints.clear()  # Chromium's own, of an answer that says no


def test_the_pair_survives_a_reload(voter: Any) -> None:
    page = voter.page
    expect(page.locator(".hs-choice").first).to_be_enabled()
    before = sheet(page)
    enter(page, voter.url)
    assert sheet(page) == before


def test_looking_closer_moves_both_halves(voter: Any) -> None:
    page = voter.page
    expect(page.locator(".hs-choice").first).to_be_enabled()
    page.locator(".hs-half").first.click(position={"x": 10, "y": 20})
    expect(page.locator(".hs-stage.zoomed")).to_be_visible()
    place = "stage => parseFloat(stage.style.getPropertyValue('--x'))"
    before = page.locator(".hs-stage").evaluate(place)
    page.keyboard.press("ArrowRight")
    assert page.locator(".hs-stage").evaluate(place) == pytest.approx(before + 10)
    page.keyboard.press("z")
    expect(page.locator(".hs-stage.zoomed")).to_have_count(0)
    page.get_by_role("button", name="Lay one over the other").click()
    page.locator(".hs-cut").fill("20")
    assert page.locator(".hs-stage").evaluate("stage => stage.style.getPropertyValue('--cut')") == "20%"
