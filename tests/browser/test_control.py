"""A visitor draws on the canvas, and puts a picture on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, expect

PATIENCE_MS = 120_000
expect.set_options(timeout=PATIENCE_MS)
ROW = ".hs-controlled[aria-busy=false]"
LINES = f"{ROW} .lines img"


def visit(page: Page, url: str) -> None:
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url + "?tab=control")
    expect(page.locator(".hs-pill.ready")).to_be_visible()
    expect(page.locator("#hs-canvas canvas")).to_be_visible()


def stroke(page: Page, *places: tuple[float, float]) -> None:
    """Draw a line through places, each given as fractions of the canvas."""
    box = page.locator("#hs-canvas canvas").bounding_box()
    assert box is not None
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=3)
    page.mouse.up()


def lines(page: Page) -> str:
    """The control image that the whole row follows."""
    expect(page.locator(f"{ROW} .hs-open")).to_have_count(4)
    expect(page.locator(f"{ROW} .stale")).to_have_count(0)
    return str(page.locator(LINES).get_attribute("src"))


def test_the_pictures_follow_the_strokes(browser: Browser, url: str) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 900})
    refused: list[str] = []
    page.on("response", lambda response: refused.append(response.url) if response.status >= 400 else None)
    visit(page, url)
    stroke(page, (0.2, 0.2), (0.8, 0.2), (0.8, 0.8))
    first = lines(page)
    steps = page.locator(f"{ROW} figure[data-steps]").evaluate_all("all => all.map(one => one.dataset.steps)")
    assert steps == ["1", "2", "4", "8"]
    stroke(page, (0.2, 0.5), (0.6, 0.9))
    expect(page.locator(LINES)).not_to_have_attribute("src", first)
    assert lines(page) != first
    page.get_by_role("button", name="Undo").filter(visible=True).click()
    expect(page.locator(LINES)).to_have_attribute("src", first)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#hs-control-board .hs-empty")).to_be_visible()
    page.click("#hs-control-run")
    expect(page.get_by_role("alert")).to_contain_text("The canvas is empty")
    assert refused == []
    page.close()


def test_a_large_picture_is_scaled_down_before_it_is_sent(watched: Any, tmp_path: Path) -> None:
    page = watched.page
    sent: list[int] = []
    page.on("request", lambda request: sent.append(len(request.post_data or "")) if request.method == "POST" else None)
    visit(page, watched.url)
    picture = Image.effect_noise((3000, 2000), 100).convert("RGB")
    ImageDraw.Draw(picture).ellipse((1000, 500, 2000, 1500), fill="red")
    picture.save(tmp_path / "noise.png")
    (tmp_path / "notes.txt").write_text("no picture")
    assert (tmp_path / "noise.png").stat().st_size > 4 * 2**20, "more than any request may hold"
    page.set_input_files("#hs-canvas input[type=file]", tmp_path / "noise.png")
    scribble = lines(page)
    page.get_by_label("Canny").check()
    expect(page.locator(LINES)).not_to_have_attribute("src", scribble)
    lines(page)
    assert max(sent) < 2 * 2**20
    page.set_input_files("#hs-canvas input[type=file]", tmp_path / "notes.txt")
    expect(page.locator("#hs-canvas [role=status]")).to_contain_text("no picture that the browser can read")


def test_a_family_without_a_controlnet_says_so(watched: Any) -> None:
    page = watched.page
    visit(page, watched.url)
    page.locator("#hs-control-family").get_by_text("Stable Diffusion 2.1").click()
    expect(page.get_by_role("alert")).to_contain_text("Sd21 has no ControlNet for scribble")
